// The running source, with the current expression lit, and the calls around it.

// @ts-check

/** @import { Draw, State } from "./state.d.ts" */
/** @import { Call, Lit, Source, SourceLine } from "./scene.d.ts" */

import { h, later, maybe, part } from "../../browser/dom.js";

// A module's name, without that of the call around it.
/** @type {(module: string, around: string | undefined) => string} */
const shortened = (module, around) =>
  around !== undefined && module.startsWith(`${around}.`) ? module.slice(around.length + 1) : module;

/** @type {(stack: Call[], state: State) => HTMLElement} */
const callStack = (stack, { words, send }) => {
  const calls = stack.map((call, i) => {
    const name = shortened(call.module, stack[i - 1]?.module);
    const onclick = () => send({ type: "call", last: call.last });
    return h("span", {}, i ? " › " : "", h("button", { title: call.class, onclick }, name));
  });
  return h("nav", { class: "stack", "aria-label": words["source.stack"] }, calls);
};

// The numbers of the lines are one stop of the Tab key; up and down lead from one to the next.
/** @type {(event: KeyboardEvent) => void} */
const toNextNumber = (event) => {
  const row = /** @type {HTMLElement} */ (event.target).closest(".row");
  const step = { ArrowUp: "previousElementSibling", ArrowDown: "nextElementSibling" }[event.key];
  if (!row || !step) return;
  const next = /** @type {Element | null} */ (row[/** @type {"nextElementSibling"} */ (step)]);
  event.preventDefault();
  event.stopPropagation();
  if (next) part(next, ".no").focus();
};

/** @type {(source: Source, lit: Lit, state: State) => HTMLElement} */
const codeBox = (source, lit, state) => {
  const indent = Math.min(...source.lines.filter((line) => line.text.trim()).map((line) => line.text.search(/\S/)));
  const label = `${source.file}: ${source.function}`;
  const onkeydown = (/** @type {KeyboardEvent} */ event) => toNextNumber(event);
  const attributes = { class: "code", style: `--indent:${indent}ch`, role: "region", "aria-label": label, onkeydown };
  return h(
    "div",
    attributes,
    source.lines.map((line, i) => codeLine(line, source.first + i, lit, source, state)),
  );
};

/** @type {Draw} */
export const drawSource = (box, state) => {
  const { source } = state.data;
  const { words } = state;
  if (!source) return box.replaceChildren(h("p", { class: "empty" }, words["source.before"]));
  const stack = callStack(source.stack, state);
  if (!source.lit) return box.replaceChildren(stack, h("p", { class: "empty" }, source.why || words["source.none"]));
  const code = codeBox(source, source.lit, state);
  box.replaceChildren(stack, h("div", { class: "file" }, `${source.file} · ${source.function}`), code);
  const lit = maybe(code, ".lit");
  if (lit)
    later(() => {
      code.scrollTop = Math.max(0, lit.offsetTop - code.clientHeight / 3);
    });
};

// Where the expression that is lit begins and ends in a line; null if no part of it is there.
/** @type {(line: SourceLine, number: number, lit: Lit) => [number, number] | null} */
export const litPart = ({ text }, number, { lines: [first, last], columns: [from, to] }) => {
  if (number < first || number > last) return null;
  return [number === first ? from : 0, number === last ? to : text.length];
};

// A line cut where a colour or the light begins or ends: [start, end] of each piece.
/** @type {(line: SourceLine, lit: [number, number] | null) => [number, number][]} */
export const piecesOf = ({ text, marks }, lit) => {
  const cuts = [0, text.length, ...marks.flatMap(([start, end]) => [start, end]), ...(lit ?? [])];
  const inside = cuts.filter((cut) => cut >= 0 && cut <= text.length);
  const edges = [...new Set(inside)].sort((a, b) => a - b);
  return edges.slice(0, -1).map((edge, i) => [edge, edges[i + 1]]);
};

/** @type {(line: SourceLine, number: number, light: Lit, source: Source, state: State) => HTMLElement} */
const codeLine = (line, number, light, source, state) => {
  const lit = litPart(line, number, light);
  const stop = source.stops.includes(number);
  const pieces = piecesOf(line, lit).map(([start, end]) => {
    const kind = line.marks.find(([from, to]) => start >= from && end <= to);
    const inside = lit && start >= lit[0] && end <= lit[1] && line.text.slice(lit[0], end).trim();
    return h(inside ? "mark" : "span", { class: kind ? kind[2] : null }, line.text.slice(start, end));
  });
  const look = { class: stop ? "no stop-here" : "no", title: state.words["source.break"] };
  const onclick = () => state.send({ type: "stop", stop: `line ${source.file}:${number}` });
  const label = `${state.words["source.break"]}: ${number}`;
  const reached = {
    tabindex: number === light.lines[0] ? "0" : "-1",
    "aria-label": label,
    "aria-pressed": String(stop),
  };
  const button = h("button", { ...look, ...reached, onclick }, String(number));
  const row = { class: lit ? "row lit" : "row", "aria-current": lit ? "true" : null };
  return h("div", row, button, h("code", {}, pieces));
};
