// Tensors side by side on a page of widgets. Python decides what is shown; this draws it, and says what was clicked.

// @ts-check

/** @import { Given, Mounted, TensorPage } from "./client.d.ts" */
/** @import { Matrices } from "./panel.d.ts" */

import { isDark, onTheme } from "./colour.js";
import { h, part } from "./dom.js";
import { drawTensors } from "./figure.js";
import { component } from "./mounted.js";

const PHONE = 560; // pixels

// Tensors of one shape lie one below the other on a phone, where each then has room for its numbers.
/** @type {(box: HTMLElement, data: Matrices, page: TensorPage) => void} */
const drawAll = (box, data, page) => {
  const groups = data.together && box.clientWidth < PHONE ? data.panels.map((panel) => [panel]) : [data.panels];
  box.style.height = `${data.height * groups.length}px`; // so that the page never shrinks on the way
  page.numbers = groups.length > 1;
  box.replaceChildren();
  for (const group of groups) {
    const line = h("div", { class: "tensors", style: `height:${data.height}px` });
    box.append(line);
    drawTensors(line, group, page);
  }
};

/** @type {(root: HTMLElement) => Mounted<Matrices>} */
const mount = (root) => {
  const box = part(root, ".pictures");
  /** @type {Matrices | null} */
  let shown = null;
  let written = "";
  let width = 0;
  /** @type {Given<Matrices>["setTriggerValue"]} */
  let trigger = () => {};
  /** @type {TensorPage["send"]} */
  const send = (event) =>
    trigger("event", event.type === "pin" ? { type: "cell", address: event.address, cell: event.cell } : event);
  const draw = () => {
    if (!shown) return;
    width = box.clientWidth;
    const { words } = shown;
    const page = { root, tip: part(root, ".tip"), live: part(root, ".live"), words, send };
    drawAll(box, shown, { ...page, data: { ...shown, tokens: [] } });
  };
  const observer = new ResizeObserver(() => {
    if (box.clientWidth !== width) draw();
  });
  observer.observe(box);
  const stopTheme = onTheme(root, () => {
    root.classList.toggle("dark", isDark(root));
    draw();
  });
  return {
    show: (data, setTriggerValue) => {
      [shown, trigger] = [data, setTriggerValue];
      root.classList.toggle("dark", isDark(root));
      root.lang = data.lang;
      const now = JSON.stringify(data);
      if (now === written) return;
      written = now;
      draw();
    },
    stop: () => {
      observer.disconnect();
      stopTheme();
    },
  };
};

export default component(mount);
