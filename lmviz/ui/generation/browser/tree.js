// A beam search: a column for each step, the likeliest text on top; lines lead from a text to those that it became.

// @ts-check

/** @import { Send, Spoken } from "../../browser/client.d.ts" */
/** @import { Node, Tree } from "./pictures.d.ts" */

import { h, part } from "../../browser/dom.js";
import { drawn } from "../../browser/drawn.js";
import { onDesk, scale } from "../../browser/scale.js";

const WIDEST = 104;
const TALL = 46;
const BOX = 76;
const LOW = 38;
const TOP = 24;
const LEFT = 8;

/** @type {Record<string, string>} */
const SIGNS = { kept: "", finished: "■", outscored: "✕", late_stop: "✕", beaten: "✕", dead: "†", displaced: "✕" };

/** @type {(root: HTMLElement, data: Tree & Spoken, send: Send) => void} */
const draw = (root, data, send) => {
  const steps = Math.max(...data.nodes.map((node) => node.step));
  const tallest = Math.max(...data.nodes.map((node) => node.rank)) + 1;
  const first = Math.max(BOX, 22 + 11 * [...data.prompt].length);
  const shift = Math.min(first, 320) - BOX;
  const room = root.clientWidth / scale() - LEFT * 2 - shift - BOX;
  // all in sight, if lines stay to be seen
  const wide = Math.min(WIDEST, Math.max(BOX + 12, Math.floor(room / Math.max(1, steps))));
  /** @type {(node: Node) => number} */
  const left = (node) => LEFT + (node.step ? shift + node.step * wide : 0);
  /** @type {(node: Node) => number} */
  const top = (node) => TOP + node.rank * TALL;
  const path = new Set(data.path);
  const at = new Map(data.nodes.map((node) => [node.index, node]));
  const width = LEFT * 2 + shift + steps * wide + BOX;
  const height = TOP + tallest * TALL + 4;
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  for (const [name, value] of Object.entries({
    viewBox: `0 0 ${width} ${height}`,
    style: `width:${onDesk(width)};height:${onDesk(height)}`,
    "aria-hidden": "true",
  }))
    svg.setAttribute(name, String(value));
  for (const node of data.nodes) {
    const parent = node.parent === null ? null : at.get(node.parent);
    if (!parent) continue;
    const x1 = left(parent) + (parent.step ? BOX : shift + BOX);
    const y1 = top(parent) + LOW / 2;
    const x2 = left(node);
    const y2 = top(node) + LOW / 2;
    const line = document.createElementNS("http://www.w3.org/2000/svg", "path");
    line.setAttribute("d", `M${x1},${y1} C${(x1 + x2) / 2},${y1} ${(x1 + x2) / 2},${y2} ${x2},${y2}`);
    line.setAttribute(
      "class",
      `edge ${["kept", "finished", "dead"].includes(node.fate) ? "on" : "off"} ${path.has(node.index) ? "path" : ""}`,
    );
    svg.append(line);
  }
  const boxes = data.nodes.map((node) =>
    h(
      "button",
      {
        class: `node ${node.fate} ${path.has(node.index) ? "path" : ""}`,
        style: `left:${onDesk(left(node))};top:${onDesk(top(node))};width:${onDesk(node.step ? BOX : shift + BOX)}`,
        title: node.title,
        "aria-pressed": String(node.index === data.looked),
        "data-node": node.index,
        disabled: node.step === 0,
        onclick: () => send({ type: "node", node: node.index }),
      },
      h("b", {}, node.step ? node.text : data.prompt),
      node.step ? h("small", {}, node.score) : null,
      SIGNS[node.fate] ? h("i", { "aria-hidden": "true" }, SIGNS[node.fate]) : null,
    ),
  );
  const heads = Array.from({ length: steps }, (_, i) =>
    h(
      "span",
      { class: "head", style: `left:${onDesk(LEFT + shift + (i + 1) * wide)};width:${onDesk(BOX)}` },
      String(i + 1),
    ),
  );
  root.replaceChildren(
    h(
      "div",
      { class: "tree", "data-scroll": "tree", tabindex: "0", style: `max-height:${data.height}px` },
      h("div", { class: "canvas", style: `width:${onDesk(width)};height:${onDesk(height)}` }, svg, heads, boxes),
    ),
    legendOf(data),
  );
};

/** @type {(data: Spoken) => HTMLElement} */
const legendOf = (data) =>
  h(
    "p",
    { class: "key" },
    ["kept", "finished", "outscored", "dead"].map((fate) =>
      h("span", {}, h("i", { class: fate }, SIGNS[fate] || "▢"), data.words[`generation.tree.${fate}`]),
    ),
  );

/** @type {(root: HTMLElement, data: Tree) => void} */
const settle = (root, data) => {
  const box = part(root, ".tree");
  const steps = Math.max(...data.nodes.map((node) => node.step));
  if (box.dataset.steps !== String(steps)) box.scrollLeft = box.scrollWidth;
  box.dataset.steps = String(steps);
};

export default drawn(draw, settle);
