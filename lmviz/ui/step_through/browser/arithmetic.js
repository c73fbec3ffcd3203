// A line of arithmetic, with every operand as a door to where it came from.

// @ts-check

/** @import { Child } from "../../browser/client.d.ts" */
/** @import { Piece } from "../../browser/arithmetic.d.ts" */
/** @import { State } from "./state.d.ts" */

import { flat, h } from "../../browser/dom.js";

// The pieces of a line; Python says which numbers stand in brackets, as in −1.87 × (−0.29).
/** @type {(pieces: Piece[], state: State) => Child[]} */
export const arithmetic = (pieces, state) =>
  pieces.map((piece) =>
    piece.held ? h("span", { class: "held" }, "(", operandOf(piece, state), ")") : operandOf(piece, state),
  );

/** @type {(piece: Piece, state: State) => string | HTMLElement} */
const operandOf = (piece, state) => {
  if (piece.text !== undefined) return piece.text;
  if (piece.terms) return sumOf(piece, state);
  const { name, address, cell = [], gradient, shown } = piece;
  if (!address) return h("span", { class: "plain" }, shown);
  const title = `${gradient ? "∂ " : ""}${name}[${cell.join(", ")}]`;
  return h(
    "button",
    { class: "num", title, onclick: () => state.send({ type: "walk", address, cell, gradient }) },
    shown,
  );
};

// A sum with its largest terms in order, and a button for what the others come to.
/** @type {(sum: Piece, state: State) => HTMLElement} */
const sumOf = ({ terms = [], short = [], rest = [] }, state) => {
  const span = h("span");
  /** @type {(all: boolean) => void} */
  const fill = (all) => {
    const { shown, held, n } = rest[all ? 1 : 0];
    const chosen = all ? [...terms.keys()] : short;
    const label = `${held ? `(${shown})` : shown} ${state.words["inspect.rest"].replace("{n}", String(n))}`;
    const more = n ? [" + ", h("button", { class: "rest", disabled: all, onclick: () => fill(true) }, label)] : [];
    const sum = chosen.map((index, i) => [i ? " + " : "", arithmetic(terms[index].pieces, state)]);
    span.replaceChildren(...flat([sum, more]));
  };
  fill(false);
  return span;
};
