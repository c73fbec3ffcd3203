// Tensors with their captions and scales, and the signs between them.

// @ts-check

/** @import { Look, Panel, Room, Scrolled, Size, TensorPage } from "./client.d.ts" */
/** @import { TensorPanel } from "./panel.d.ts" */

import { SCALES, colourOf, isDark } from "./colour.js";
import { h } from "./dom.js";
import { arrange, captionWidth, display, isCrowded, legible, squeezed, stacked } from "./layout.js";
import { decoded, written } from "./numbers.js";
import { withBehind } from "./origins.js";
import { overviewOf } from "./overview.js";
import { attachPointer } from "./pointer.js";
import { scale } from "./scale.js";
import { drawTensor, hatching } from "./tensor.js";
import { twinButton } from "./twin.js";
import { prepare } from "./window.js";

// What an empty box has room for and looks like. The browser may have to lay the whole page out for it.
/** @type {(box: HTMLElement) => Room} */
export const roomIn = (box) => ({ width: box.offsetWidth, height: box.offsetHeight, scale: scale(), ...dressOf(box) });

/** @type {(element: Element) => Pick<Room, "isDark" | "accent" | "font" | "mono">} */
const dressOf = (element) => {
  const style = getComputedStyle(element);
  return {
    isDark: isDark(element),
    accent: style.getPropertyValue("--lm-focus").trim(),
    font: style.getPropertyValue("--lm-font"),
    mono: style.getPropertyValue("--lm-mono"),
  };
};

/** @type {(room: Room, data: TensorPage["data"]) => Look} */
const lookIn = ({ isDark, accent, font, mono }, { digits, lang }) => {
  const scale = SCALES[isDark ? "dark" : "light"];
  return { scale, digits, lang, hatch: hatching(scale), accent, font, mono };
};

/** @type {(panel: Panel, size: Size, look: Look, state: TensorPage) => HTMLElement} */
const tensorFigure = (panel, size, look, state) => {
  const canvas = h("canvas", {
    tabindex: "0",
    role: "img",
    "aria-label": `${panel.name}: ${shapeText(panel, true) || state.words["picture.number"]}`,
  });
  const place = drawTensor(canvas, panel, size, look);
  canvas.dataset.grid = [place.left, place.top, place.w, place.h, panel.rows, panel.cols].join(" ");
  state.shown?.push({ panel, canvas, grid: place });
  attachPointer(canvas, panel, place, state);
  const width = parseFloat(canvas.style.width);
  const wide = width > 300 * display.room;
  const roomy = width > (150 + 10 * panel.name.length) * display.room;
  return h(
    "figure",
    {
      class: display.room > 1 ? "tensor room" : "tensor",
      "data-address": panel.address,
      "data-part": panel.part,
      "data-result": panel.result ? "" : null,
      style: `max-width:${Math.max(width, captionWidth(panel))}px`,
    },
    h(
      "figcaption",
      {
        title: state.data.parts?.includes("shapes") === false ? panel.name : addressed(panel),
      },
      h(
        "span",
        { class: "named" },
        h("i", { class: "dot" }),
        h("b", {}, breakable(panel.grad ? `∂${panel.name}` : panel.name), panel.turned ? h("sup", {}, "T") : null),
        panel.mark ? h("span", { class: "mark" }, panel.mark) : null,
        roomy ? legend(panel, look) : null,
      ),
      h("span", { class: "shape" }, shapeText(panel, wide, width < 190 * display.room)),
      roomy || panel.no_grad ? null : legend(panel, look),
    ),
    panel.heads && panel.result && !["B", "A − B"].includes(panel.mark) ? headPicker(panel, state) : null,
    panel.note ? h("p", { class: "empty" }, panel.note) : null,
    panel.no_grad ? h("p", { class: "empty" }, state.words["picture.no_grad"]) : canvas,
    panel.no_grad ? null : twinButton(panel, shapeText(panel, true), state),
    panel.overview || panel.part_only ? overviewOf(panel, look, state) : null,
  );
};

// A name that may break after each of its dots, where it is wider than its picture.
/** @type {(name: string) => (string | Node)[]} */
const breakable = (name) => name.split(/(?<=\.)/).flatMap((part, i) => (i ? [h("wbr", {}), part] : [part]));

/** @type {(panel: Panel) => string} */
const addressed = (panel) => `${panel.address} · ${shapeText(panel, true)} · ${panel.dtype}`;

// "batch 1 × pos 4 ↓ × d_model 16 →": the arrows say which axis runs down and which runs right.
/** @type {(panel: TensorPanel, whole: boolean, narrow?: boolean) => string} */
export const shapeText = (panel, whole, narrow = false) => {
  const n = panel.shape.length;
  const arrows = panel.turned ? ["→", "↓"] : ["↓", "→"];
  const parts = panel.shape.map((size, i) => {
    const axis = panel.axes[i] && panel.axes[i] !== "1" ? `${panel.axes[i]} ` : "";
    const arrow = i >= n - 2 ? arrows[i - n + 2] : "";
    return {
      text: `${axis}${size}${arrow && n > 1 ? arrow : n === 1 ? "→" : ""}`,
      lead: i < n - 2 && (size === 1 || narrow),
    };
  });
  const shown = parts.filter((part) => whole || !part.lead);
  return (panel.turned ? [...shown.slice(0, -2), ...shown.slice(-2).reverse()] : shown)
    .map((part) => part.text)
    .join(" × ");
};

/** @type {(panel: Panel, state: TensorPage) => HTMLElement} */
const headPicker = (panel, state) => {
  const now = panel.lead[panel.axes.indexOf("head")];
  const off = panel.heads_off;
  const { words } = state;
  /** @type {(head: number, label: string, name?: string) => HTMLElement} */
  const go = (head, label, name) =>
    h(
      "button",
      {
        class: off?.includes(head) ? "off" : null,
        "aria-label": name,
        "aria-pressed": name ? null : String(head === now),
        disabled: head < 0 || head >= panel.heads,
        onclick: () => state.send({ type: "head", head }),
      },
      label,
    );
  const few = panel.heads <= 4;
  return h(
    "div",
    { class: "heads", role: "group", "aria-label": words["picture.head"] },
    h("span", {}, words["picture.head"]),
    few
      ? Array.from({ length: panel.heads }, (_, i) => go(i, String(i)))
      : [
          go(now - 1, "‹", words["picture.left"]),
          go(now, `${now} / ${panel.heads}`),
          go(now + 1, "›", words["picture.right"]),
        ],
    off &&
      h(
        "button",
        { class: "switch", onclick: () => state.send({ type: "head_off", address: panel.address, head: now }) },
        words[off.includes(now) ? "edit.head_on" : "edit.head_off"],
      ),
  );
};

/** @type {(panel: Panel, look: Look) => HTMLElement | null} */
const legend = (panel, look) => {
  if (panel.integers || panel.scale === "name" || !(panel.peak > 0)) return null; // ids are names, and nothing has no scale
  const stops = [-1, -0.5, 0, 0.5, 1].map(
    (share) => `rgb(${colourOf(panel.scale === "share" ? (share + 1) / 2 : share * panel.peak, panel, look.scale)})`,
  );
  const ends =
    panel.scale === "share"
      ? ["0", "1"]
      : [written(-panel.peak, look.digits, look.lang), written(panel.peak, look.digits, look.lang)];
  return h(
    "span",
    { class: "legend", "aria-hidden": "true" },
    h("span", {}, ends[0]),
    h("i", { style: `background:linear-gradient(90deg,${stops})` }),
    h("span", {}, ends[1]),
  );
};

const NARROW_WINDOW = 560; // pixels: there a tensor is narrower than the line that says which part of it is shown

// How far a picture that is higher than its box is moved up, so that what comes out is seen: all of it, or what is last.
/** @type {(box: HTMLElement) => number} */
const toResult = (box) => {
  const results = [...box.querySelectorAll("figure[data-result]")].map((one) => one.getBoundingClientRect());
  const last = results.at(-1);
  if (!last) return 0;
  const first = Math.min(...results.map((one) => one.top));
  const start = last.bottom - first <= box.clientHeight ? first : last.top;
  const above = box.scrollTop - box.getBoundingClientRect().top;
  return Math.max(0, Math.min(start + above, last.bottom + above - box.clientHeight));
};

/**
 * Draw a picture with what comes out in sight; of the same picture, a reader's own place in it is kept.
 *
 * @param {HTMLElement} box
 * @param {string} at which picture it is
 * @param {Scrolled | undefined} last where it was moved to before
 * @param {() => void} draw
 * @param {(act: () => void) => void} [whenAll] when all is written, so that the layout can be read: at once
 * @returns {Scrolled} where it was moved to
 */
export const drawnInSight = (box, at, last, draw, whenAll = (act) => act()) => {
  const isReaders = last?.at === at && last.isReaders;
  const before = isReaders ? box.scrollTop : 0; // else it is not asked: the browser would lay the whole page out for it
  draw();
  /** @type {Scrolled} */
  const now = { at, isReaders };
  box.onscroll = null;
  whenAll(() => {
    box.scrollTop = isReaders ? before : toResult(box);
    const [top, size] = [box.scrollTop, sizeOf(box)];
    // a box of another size is moved by the browser, too, and is drawn anew
    box.onscroll = () => {
      if (sizeOf(box) === size && Math.abs(box.scrollTop - top) > 1) now.isReaders = true;
    };
  });
  return now;
};

/** @type {(box: HTMLElement) => string} */
const sizeOf = (box) => [box.clientWidth, box.clientHeight, box.scrollHeight].join(" ");

// Tensors in the space that a box has, with the signs between them.
/** @type {(box: HTMLElement, panels: TensorPanel[], state: TensorPage, room: Room) => void} */
export const drawTensors = (box, panels, state, room) => {
  if (state.shown) state.shown.length = 0;
  display.room = room.scale;
  display.phone = window.innerWidth <= NARROW_WINDOW;
  display.zoom = Math.max(display.room, window.innerWidth >= 1700 ? 1.2 : 1);
  const read = panels.map((raw) => ({
    ...raw,
    values: decoded(raw.cells),
    changedValues: raw.changed ? decoded(raw.changed) : null,
    whole: raw.window,
    all: decoded(raw.cells),
  }));
  const given = withBehind(read);
  const width = room.width - 8;
  const height = room.height - 8 * given.length;
  const raws = state.numbers ? given.map((raw) => legible(raw, width, height)) : given;
  let way = arrange(raws.map(prepare), width, height);
  if (display.room > 1 && !way.isRead) way = stacked(raws, width, height);
  else if (way.crowded || isCrowded(raws, width, height)) way = squeezed(raws, width, height);
  const look = lookIn(room, state.data);
  for (const line of way.lines) {
    const row = h("div", { class: "line" });
    for (const panel of line) {
      if (panel.sign) row.append(h("span", { class: "sign", "aria-hidden": "true" }, panel.sign));
      row.append(tensorFigure(panel, /** @type {Size} */ (way.sizes.get(panel)), look, state));
    }
    box.append(row);
  }
};
