// The arithmetic of the pinned cell, watched: term by term over the very cells, then the sum, then what is done with it.

// @ts-check

/** @import { Child } from "../../browser/client.d.ts" */
/** @import { Line, Piece } from "../../browser/arithmetic.d.ts" */
/** @import { Inspection } from "./scene.d.ts" */
/** @import { State } from "./state.d.ts" */

import { h, later, maybe } from "../../browser/dom.js";
import { clearMarks, lightCell, mark, whereIs } from "../../browser/origins.js";
import { svgArrow } from "./arrows.js";

const PACE = { slow: 2200, fast: 700 }; // milliseconds that a part stays

/** @typedef {{ address: string, cell: number[] }} Named */
/** @typedef {{ text: string, cells: Named[], say?: string, whole: boolean }} Part of the arithmetic, as it is played */

/** @type {(piece: Piece, all?: boolean) => string} */
const pieceText = (piece, all = false) => {
  if (piece.text !== undefined) return piece.text;
  if (!piece.terms) return piece.held ? `(${piece.shown})` : `${piece.shown}`;
  const { terms, short = [], rest = [] } = piece;
  const chosen = all ? [...terms.keys()] : short;
  const sum = chosen.map((index) => linePieces(terms[index].pieces)).join(" + ");
  const { shown, held, n } = rest[all ? 1 : 0] ?? { shown: "", held: false, n: 0 };
  return n ? `${sum} + ${held ? `(${shown})` : shown}` : sum;
};

/** @type {(pieces: Piece[]) => string} */
const linePieces = (pieces) => pieces.map((piece) => pieceText(piece)).join("");

/** @type {(pieces: Piece[]) => Named[]} */
const cellsOf = (pieces) =>
  pieces.flatMap(({ address, cell, gradient, terms, seen }) => {
    if (terms) return terms.flatMap((term) => cellsOf(term.pieces));
    if (seen) return [{ address: seen.address, cell: seen.cell }];
    return address && cell && !gradient ? [{ address, cell }] : [];
  });

// With what comes out, unless it ends with that: what is looked up, or moved, is what it was.
/** @type {(line: Line) => string} */
const wholeLine = ({ pieces, sign, value }) => {
  const isCopied = pieces.at(-1)?.shown === value && (pieces.at(-2)?.text ?? "= ").endsWith("= ");
  return isCopied ? linePieces(pieces) : `${linePieces(pieces)} ${sign} ${value}`;
};

/** @type {(line: Line, more: string) => Part[]} */
const partsOfLine = (line, more) => {
  const sum = line.pieces.find((piece) => piece.terms);
  const products = sum?.terms ? (sum.short ?? []).map((index) => sum.terms?.[index].pieces ?? []) : [];
  const shown = products.length > 1 ? products : [];
  const { n = 0 } = sum?.rest?.[0] ?? {};
  const others = n && sum?.rest ? [{ text: `+ ${restText(sum.rest[0], more)}`, cells: [], whole: false }] : [];
  return [
    ...shown.map((pieces, i) => ({
      text: `${i ? "+ " : ""}${linePieces(pieces)}`,
      cells: cellsOf(pieces),
      whole: false,
    })),
    ...(shown.length ? others : []),
    {
      text: wholeLine(line),
      cells: cellsOf(line.pieces),
      say: line.say,
      whole: true,
    },
  ];
};

/** @type {(rest: { shown: string, held: boolean, n: number }, more: string) => string} */
const restText = ({ shown, held, n }, more) => `${held ? `(${shown})` : shown} ${more.replace("{n}", String(n))}`;

// From the numbers furthest behind to the pinned one.
/** @type {(found: Inspection, more: string) => Part[]} */
export const partsOf = (found, more) => [...found.lines].reverse().flatMap((line) => partsOfLine(line, more));

/** @type {(found: Inspection) => string} */
const pinnedName = ({ address, cell, gradient }) => `${address}[${cell}]${gradient}`;

const isStill = () => window.matchMedia("(prefers-reduced-motion: reduce)").matches;

/** @type {(state: State) => void} */
const redrawPlayer = (state) => {
  const box = maybe(state.boxes.inspect, ".watching");
  const found = state.data.inspector;
  const again = box && found && sumPlayer(found, state);
  if (!again) return;
  const held = [...box.querySelectorAll("button")].findIndex((button) => button.matches(":focus"));
  box.replaceWith(again);
  again.scrollIntoView({ block: "nearest" });
  const last = maybe(again, ".played");
  if (last) last.scrollTop = last.scrollHeight;
  if (held >= 0) again.querySelectorAll("button")[held].focus({ preventScroll: true });
};

/** @type {(state: State) => void} */
export const stopSum = (state) => {
  clearTimeout(state.sum?.timer);
  state.sum = undefined;
  state.root.querySelector(".over-cells")?.remove();
};

/** @type {(state: State) => void} */
const nextPart = (state) => {
  const { sum } = state;
  if (!sum) return;
  clearTimeout(sum.timer);
  sum.timer = undefined;
  if (sum.at < sum.parts.length) {
    sum.at += 1;
    sum.timer = setTimeout(() => nextPart(state), PACE[state.sumPace ?? "slow"]);
  }
  redrawPlayer(state);
  showPart(state);
};

// Play, or pause; from the beginning where it was at its end.
/** @type {(state: State) => void} */
export const toggleSum = (state) => {
  const found = state.data.inspector;
  if (!found?.lines.length || found.edited) return;
  const { sum } = state;
  if (sum?.timer) {
    clearTimeout(sum.timer);
    sum.timer = undefined;
    return redrawPlayer(state);
  }
  if (!sum || sum.at >= sum.parts.length)
    state.sum = { of: pinnedName(found), parts: partsOf(found, state.words["inspect.rest"]), at: 0 };
  if (isStill()) skipSum(state);
  else nextPart(state);
};

// Play the pinned cell's sum where its tensor is in the picture, once at each place; tells whether it does.
/** @type {(state: State) => boolean} */
export const playsHere = (state) => {
  const found = state.data.inspector;
  const { grain, index } = state.data.bar;
  const here = `${grain}:${index}`;
  if (!found || state.played === here || !whereIs(state.shown ?? [], found.address, found.cell).length) return false;
  state.played = here;
  stopSum(state);
  toggleSum(state);
  return !!state.sum;
};

/** @type {(state: State) => void} */
export const skipSum = (state) => {
  const found = state.data.inspector;
  if (!found?.lines.length || found.edited) return;
  const parts = state.sum?.parts ?? partsOf(found, state.words["inspect.rest"]);
  clearTimeout(state.sum?.timer);
  state.sum = { of: pinnedName(found), parts, at: parts.length };
  redrawPlayer(state);
  showPart(state);
};

// The cells of the present part, with its text over them; of a line without a sum, an arrow from each to the result.
/** @type {(state: State) => void} */
const showPart = (state) => {
  const { sum, root } = state;
  root.querySelector(".over-cells")?.remove();
  if (!sum || !sum.timer) return light(state);
  const now = sum.parts[sum.at - 1];
  clearMarks(root);
  const shown = state.shown ?? [];
  const found = now.cells.flatMap(({ address, cell }) => whereIs(shown, address, cell));
  const marks = found.map(([drawn, area]) => mark(drawn, area));
  const pinned = state.data.inspector;
  const result = pinned
    ? whereIs(shown, pinned.address, pinned.cell).map(([drawn, area]) => mark(drawn, area, "made"))
    : [];
  const beside = marks.at(-1) ?? result[0];
  if (!beside) return;
  const area = root.getBoundingClientRect();
  /** @type {(element: Element) => number[]} */
  const middle = (element) => {
    const { left, top, width, height } = element.getBoundingClientRect();
    return [left - area.left + width / 2, top - area.top + height / 2];
  };
  const [x, y] = middle(beside);
  const label = h("div", { class: "said" }, now.text);
  const arrows =
    now.whole && marks.length <= 3 ? marks.flatMap((one) => result.map((to) => [middle(one), middle(to)])) : [];
  root.append(h("div", { class: "over-cells", "aria-hidden": "true" }, svgArrow(arrows, area), label));
  label.style.left = `${Math.min(Math.max(4, x - label.offsetWidth / 2), area.width - label.offsetWidth - 4)}px`;
  label.style.top = `${Math.max(4, y - label.offsetHeight - 18)}px`;
};

// What the pinned cell was made from, while nothing else is pointed at.
/** @type {(state: State) => void} */
export const light = (state) => {
  const { inspector } = state.data;
  clearMarks(state.root);
  if (!inspector || inspector.gradient) return;
  const [at] = whereIs(state.shown ?? [], inspector.address, inspector.cell);
  if (at) lightCell(state.root, state.shown ?? [], at[0].panel, [0, 0, ...inspector.cell].slice(-2));
};

/** @type {(state: State) => void} */
export const lightLater = (state) => {
  if (state.data.inspector) later(() => (state.sum?.timer ? showPart(state) : light(state)));
};

/** @type {(state: State) => NonNullable<State["pointed"]>} */
export const pointing = (state) => (panel, place) => {
  if (state.sum?.timer) return;
  const name = panel && `${panel.address}[${place}]`;
  if (name === state.lit) return;
  state.lit = name;
  if (panel) lightCell(state.root, state.shown ?? [], panel, place);
  else light(state);
};

// The buttons, and the parts that have been played so far.
/** @type {(found: Inspection, state: State) => HTMLElement | null} */
export const sumPlayer = (found, state) => {
  const { words } = state;
  if (!found.lines.length || found.edited) return null;
  if (state.sum && state.sum.of !== pinnedName(found)) stopSum(state);
  const { sum } = state;
  const playing = !!sum?.timer;
  const pace = state.sumPace ?? "slow";
  /** @type {(label: string, key: string, sign: string, onclick: () => void, pressed?: boolean) => HTMLElement} */
  const button = (label, key, sign, onclick, pressed) =>
    h("button", { type: "button", title: key ? `${label} (${key})` : label, "aria-pressed": pressed, onclick }, sign);
  const name = words[playing ? "player.pause" : "player.play"];
  return h(
    "div",
    { class: "watching", role: "group", "aria-label": words["player.title"] },
    h(
      "div",
      { class: "player" },
      button(name, "w", `${playing ? "❚❚" : "▶"} ${name}`, () => toggleSum(state)),
      button(words["player.skip"], "W", `» ${words["player.skip"]}`, () => skipSum(state)),
      button(words["player.pace"], "", words[`player.${pace}`], () => {
        state.sumPace = pace === "slow" ? "fast" : "slow";
        redrawPlayer(state);
      }),
    ),
    sum
      ? h(
          "ol",
          { class: "played", tabindex: "0", "aria-label": words["player.title"], "aria-live": "polite" },
          playedParts(sum.parts.slice(0, sum.at), playing),
        )
      : null,
  );
};

/** @type {(parts: Part[], playing: boolean) => Child[]} */
const playedParts = (parts, playing) =>
  parts.map(({ text, say, whole }, i) =>
    h(
      "li",
      { class: whole ? "whole-line" : "", "aria-current": playing && i === parts.length - 1 ? "step" : null },
      text,
      say ? h("small", {}, say) : null,
    ),
  );
