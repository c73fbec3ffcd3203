// The update of one weight: its lines, or, when it is watched, one after another, with what each is made from lit up.

// @ts-check

/** @import { Spoken } from "../../browser/client.d.ts" */
/** @import { UpdateLine, UpdateSum } from "./pictures.d.ts" */

import { h, parts } from "../../browser/dom.js";
import { drawn } from "../../browser/drawn.js";

const PACE = { slow: 2200, fast: 700 }; // milliseconds that a line stays

/** @typedef {UpdateSum & Spoken} Given */
/** @typedef {{ of: string, at: number, pace: "slow" | "fast", timer?: ReturnType<typeof setTimeout> }} Watched */

/** @type {WeakMap<Element, Watched>} */
const watched = new WeakMap();

// x_y has a small y below, x^y one above.
/** @type {(text: string) => (string | Node)[]} */
const raised = (text) =>
  text
    .split(/([_^][\w−]+)/)
    .filter(Boolean)
    .map((one) => (one[0] === "_" ? h("sub", {}, one.slice(1)) : one[0] === "^" ? h("sup", {}, one.slice(1)) : one));

/** @type {(line: UpdateLine) => HTMLElement} */
const row = (line) => {
  const formula = line.formula ? h("span", { class: "formula" }, raised(line.formula)) : null;
  const numbers = line.numbers ? h("span", { class: "numbers" }, raised(line.numbers), ` ${line.sign} `) : null;
  return h(
    "tr",
    { "data-symbol": line.symbol },
    h("th", { scope: "row" }, raised(line.symbol)),
    h("td", { class: "say" }, line.say),
    h("td", {}, formula, numbers, h("b", {}, line.value)),
  );
};

// What is seen while it plays: the lines so far, the last of them and what it was made from lit up.
/** @type {(root: HTMLElement, data: Given) => void} */
const light = (root, data) => {
  const { at } = state(root, data);
  const last = at < data.lines.length || isPlaying(root) ? data.lines[at - 1] : null;
  parts(root, "tr[data-symbol]").forEach((element, i) => {
    element.classList.toggle("later", i >= at);
    element.classList.toggle("now", data.lines[i] === last);
    element.classList.toggle("used", !!last?.uses.includes(data.lines[i].symbol));
  });
};

/** @type {(root: HTMLElement, data: Given) => Watched} */
const state = (root, data) => {
  const known = watched.get(root);
  if (known && known.of === data.of) return known;
  clearTimeout(known?.timer);
  /** @type {Watched} */
  const fresh = { of: data.of, at: data.lines.length, pace: known?.pace ?? "slow" };
  watched.set(root, fresh);
  return fresh;
};

/** @type {(root: HTMLElement) => boolean} */
const isPlaying = (root) => !!watched.get(root)?.timer;

/** @type {(root: HTMLElement, data: Given) => void} */
const onward = (root, data) => {
  const now = state(root, data);
  now.timer = undefined;
  if (now.at < data.lines.length) {
    now.at += 1;
    now.timer = setTimeout(() => root.isConnected && onward(root, data), PACE[now.pace]);
  }
  draw(root, data);
};

/** @type {(root: HTMLElement, data: Given) => void} */
const toggle = (root, data) => {
  const now = state(root, data);
  if (now.timer) {
    clearTimeout(now.timer);
    now.timer = undefined;
    return draw(root, data);
  }
  const given = data.lines.findIndex((line) => line.formula);
  if (now.at >= data.lines.length) now.at = Math.max(0, given);
  if (window.matchMedia("(prefers-reduced-motion: reduce)").matches) now.at = data.lines.length;
  onward(root, data);
};

/** @type {(root: HTMLElement, data: Given) => HTMLElement} */
const player = (root, data) => {
  const now = state(root, data);
  /** @type {(name: string) => string} */
  const say = (name) => data.words[`training.update.${name}`];
  const all = () => {
    clearTimeout(now.timer);
    now.timer = undefined;
    now.at = data.lines.length;
    draw(root, data);
  };
  const pace = () => {
    now.pace = now.pace === "slow" ? "fast" : "slow";
    draw(root, data);
  };
  return h(
    "div",
    { class: "player" },
    h("button", { onclick: () => toggle(root, data) }, say(now.timer ? "pause" : "watch")),
    h("button", { onclick: all, disabled: now.at >= data.lines.length }, say("all")),
    h("button", { onclick: pace }, say(now.pace)),
  );
};

/** @type {(root: HTMLElement, data: Given) => void} */
const draw = (root, data) => {
  const held = parts(root, "button").findIndex((button) => button.matches(":focus"));
  root.replaceChildren(h("table", { class: "update" }, h("tbody", {}, data.lines.map(row))), player(root, data));
  light(root, data);
  if (held >= 0) parts(root, "button")[held]?.focus({ preventScroll: true });
};

export default drawn(draw);
