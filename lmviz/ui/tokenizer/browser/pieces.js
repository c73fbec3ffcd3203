// A text as pieces: each in a box of its own, blanks visible, what is special marked by a sign and not by its colour alone.

// @ts-check

/** @import { Pieces } from "./pictures.d.ts" */
/** @import { Send, Spoken } from "../../browser/client.d.ts" */

import { h, maybe, part, parts } from "../../browser/dom.js";
import { drawn } from "../../browser/drawn.js";

/** @type {(root: HTMLElement, data: Pieces & Spoken, send: Send) => void} */
const draw = (root, data, send) => {
  const box = h("div", {
    class: `pieces ${data.roomy ? "roomy" : ""}`,
    "data-scroll": "pieces",
    style: data.height ? `max-height:${data.height}px` : null,
    tabindex: data.height ? "0" : null,
  });
  for (const piece of data.pieces) {
    const classes = ["piece", ...(piece.marks || [])];
    const chosen = piece.key === data.chosen && data.chosen !== null && data.chosen !== undefined;
    if (piece.hue !== undefined) classes.push(`hue${piece.hue % 6}`);
    const inside = [
      piece.sign ? h("i", { class: "mark", "aria-hidden": "true" }, piece.sign) : null,
      h("span", { class: "said" }, piece.text),
      piece.below === undefined ? null : h("small", {}, String(piece.below)),
    ];
    const attributes = {
      class: classes.join(" "),
      title: piece.title || null,
      style: piece.share === undefined ? null : `--share:${piece.share}`,
    };
    box.append(
      data.clicks && piece.key !== undefined
        ? h(
            "button",
            {
              ...attributes,
              "aria-pressed": String(chosen),
              "data-key": piece.key,
              onclick: () => send({ type: "piece", key: piece.key }),
            },
            inside,
          )
        : h("span", attributes, inside),
    );
    if (piece.breaks) box.append(h("b", { class: "break" }));
  }
  if (!data.pieces.length) box.append(h("p", { class: "empty" }, data.empty || ""));
  root.replaceChildren(box);
};

// The box ends after a whole row: what is cut through looks like a fault, and what is just a little more is shown.
/** @type {(box: HTMLElement) => void} */
const endAfterARow = (box) => {
  const limit = parseFloat(box.style.maxHeight);
  const pieces = parts(box, ".piece");
  if (!limit || !pieces.length || box.scrollHeight <= limit) return;
  if (box.scrollHeight - limit < 1.5 * pieces[0].offsetHeight) {
    box.style.maxHeight = "none";
    return;
  }
  const bottoms = pieces.map((piece) => piece.offsetTop + piece.offsetHeight).filter((bottom) => bottom <= limit);
  if (bottoms.length) box.style.maxHeight = `${Math.max(...bottoms) + 3}px`;
};

/** @type {(root: HTMLElement) => void} */
const settle = (root) => {
  const box = part(root, ".pieces");
  endAfterARow(box);
  const now = maybe(root, "[aria-pressed='true']");
  if (now && (now.offsetTop < box.scrollTop || now.offsetTop + now.offsetHeight > box.scrollTop + box.clientHeight))
    box.scrollTop = now.offsetTop - 8;
};

export default drawn(draw, settle);
