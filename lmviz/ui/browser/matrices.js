// Tensors side by side on a page of widgets. Python decides what is shown; this draws it, and says what was clicked.

// @ts-check

/** @import { Given, Mounted, Scrolled, TensorPage } from "./client.d.ts" */
/** @import { Matrices } from "./panel.d.ts" */

import { isDark, onTheme } from "./colour.js";
import { h, heightLeft, pageParts, part } from "./dom.js";
import { drawTensors, drawnInSight, roomIn } from "./figure.js";
import { component } from "./mounted.js";
import { scale } from "./scale.js";

const STACKED = 560; // pixels of a box in which pictures stand below each other
const ROOM = 0.3; // of the window: where less is left in front of a room, one scrolls to the picture anyway

// In front of a room a picture in which something comes out ends where the window does: it is moved in its box, and that
// is in sight.
/** @type {(box: HTMLElement, data: Matrices) => number} */
const heightIn = (box, { height, panels }) => {
  if (scale() === 1 || !panels.some((panel) => panel.result)) return height;
  const left = heightLeft(box);
  return left > ROOM * window.innerHeight ? Math.min(height, left) : height;
};

// Tensors of one shape lie one below the other on a phone, where each then has room for its numbers.
/** @type {(box: HTMLElement, data: Matrices, page: TensorPage, last: Scrolled | undefined) => Scrolled | undefined} */
const drawAll = (box, data, page, last) => {
  const groups = data.together && box.clientWidth < STACKED ? data.panels.map((panel) => [panel]) : [data.panels];
  const height = heightIn(box, data);
  box.style.height = `${height * groups.length}px`; // so that the page never shrinks on the way
  page.numbers = groups.length > 1;
  while (box.children.length > groups.length) box.lastChild?.remove();
  while (box.children.length < groups.length) box.append(h("div", { class: "tensors" }));
  const at = data.panels.map((panel) => panel.name).join(" ");
  const moved = groups.map((group, i) => {
    const line = /** @type {HTMLElement} */ (box.children[i]);
    return drawnInSight(line, at, last, () => {
      line.style.height = `${height}px`;
      line.replaceChildren();
      drawTensors(line, group, page, roomIn(line));
    });
  });
  return moved[0];
};

/** @type {(root: HTMLElement) => Mounted<Matrices>} */
const mount = (root) => {
  const box = part(root, ".pictures");
  /** @type {Matrices | null} */
  let shown = null;
  let written = "";
  let width = 0;
  let height = 0;
  /** @type {Scrolled | undefined} */
  let scrolled;
  /** @type {Given<Matrices>["setTriggerValue"]} */
  let trigger = () => {};
  /** @type {TensorPage["send"]} */
  const send = (event) =>
    trigger("event", event.type === "pin" ? { type: "cell", address: event.address, cell: event.cell } : event);
  const draw = () => {
    if (!shown) return;
    [width, height] = [box.clientWidth, heightIn(box, shown)];
    const { words } = shown;
    const page = { root, tip: part(root, ".tip"), live: part(root, ".live"), words, send };
    scrolled = drawAll(box, shown, { ...page, data: { ...shown, tokens: [] } }, scrolled);
  };
  const observer = new ResizeObserver(() => {
    if (shown && (box.clientWidth !== width || heightIn(box, shown) !== height)) draw();
  });
  observer.observe(box);
  const parts = pageParts();
  if (parts) observer.observe(parts);
  const stopTheme = onTheme(root, () => {
    root.classList.toggle("dark", isDark(root));
    draw();
  });
  return {
    show: (data, setTriggerValue) => {
      [shown, trigger] = [data, setTriggerValue];
      root.classList.toggle("dark", isDark(root));
      root.lang = data.lang;
      root.dataset.parts = data.parts.join(" ");
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
