// The bar at the bottom: the moves of a debugger.

// @ts-check

/** @import { Attributes } from "../../browser/client.d.ts" */
/** @import { ButtonMove, Grain } from "./scene.d.ts" */
/** @import { Draw, State } from "./state.d.ts" */

import { h } from "../../browser/dom.js";

/** @type {Record<ButtonMove, string>} */
const MOVES = { first: "Home", back: "←", over: "→", into: "↓", out: "↑", last: "End" }; // and the key for each

/** @type {Grain[]} */
const GRAINS = ["stage", "line", "op"];

const ICONS = {
  first: "M6 5v14M19 5 9 12l10 7z",
  back: "M20 12H5M12 5l-7 7 7 7",
  over: "M4 12h15M12 5l7 7-7 7",
  last: "M18 5v14M5 5l10 7-10 7z",
  into: "M5 6h6a4 4 0 0 1 4 4v8M10.500 14 15 19l4.500-5",
  out: "M5 18h6a4 4 0 0 0 4-4V6M10.500 10 15 5l4.500 5",
  run: "M3.500 12a3 3 0 1 0 6 0a3 3 0 1 0-6 0M12 5l9 7-9 7z",
  flag: "M6 21V4h11l-2.500 4 2.500 4H6",
  search: "M4 10.500a6.500 6.500 0 1 0 13 0a6.500 6.500 0 1 0-13 0M15.500 15.500 21 21",
  play: "M7 5l11 7-11 7z",
  pause: "M7 5v14M16 5v14",
};

/** @type {Map<string, Node>} */
const drawn = new Map(); // read once: it takes longer than all else of the bar

/** @type {(name: keyof typeof ICONS) => Node} */
const icon = (name) => {
  const known = drawn.get(name) ?? readIcon(name);
  drawn.set(name, known);
  return known.cloneNode(true);
};

/** @type {(name: keyof typeof ICONS) => Node} */
const readIcon = (name) => {
  const fill = ["back", "over", "into", "out", "search"].includes(name) ? "none" : "currentColor";
  const line = 'stroke="currentColor" stroke-width="2.200" stroke-linejoin="round" stroke-linecap="round"';
  const path = `<path d="${ICONS[name]}"/>`;
  const html = `<svg viewBox="0 0 24 24" width="22" height="22" fill="${fill}" ${line}>${path}</svg>`;
  return h("span", { class: "icon", "aria-hidden": "true", html });
};

/** @type {(move: string, label: string, key: string, name: keyof typeof ICONS, more: Attributes) => HTMLElement} */
const moveButton = (move, label, key, name, more) => {
  const title = key ? `${label} (${key})` : label;
  const look = move === "over" ? "move primary" : "move";
  const attributes = { class: look, "data-move": move, title, "aria-label": label, ...more };
  return h("button", attributes, icon(name), h("em", {}, label));
};

// At the end, in the place of the move that leads nowhere.
/** @type {(state: State) => HTMLElement} */
const whatNow = ({ words, send }) => {
  const label = words["bar.now"];
  const attributes = { class: "move primary", "data-move": "end", title: label };
  return h("button", { ...attributes, onclick: () => send({ type: "end" }) }, icon("flag"), h("em", {}, label));
};

/** @type {(state: State) => HTMLElement[]} */
const moves = (state) =>
  Object.entries(MOVES).map(([name, key]) => {
    const move = /** @type {ButtonMove} */ (name);
    if (move === "over" && !state.data.bar.moves.over) return whatNow(state);
    const more = { disabled: !state.data.bar.moves[move], onclick: () => state.move(move) };
    return moveButton(move, state.words[`bar.${move}`], key, move, more);
  });

/** @type {(state: State) => HTMLElement[]} */
const running = (state) => {
  const { words } = state;
  const playing = state.playing ? "pause" : "play";
  const pace = words[`bar.pace.${state.pace}`];
  const run = { disabled: !state.data.bar.breakpoints, onclick: () => state.send({ type: "run" }) };
  const play = { "aria-pressed": String(!!state.playing), onclick: () => state.play() };
  return [
    moveButton("run", words["bar.run"], "", "run", run),
    moveButton("play", words[`bar.${playing}`], "␣", playing, play),
    h(
      "button",
      {
        class: "move pace",
        "data-pace": state.pace,
        title: words["bar.pace"],
        "aria-label": `${words["bar.pace"]}: ${pace}`,
        onclick: state.setPace,
      },
      h("span", {}, pace),
    ),
  ];
};

// A choice of which one is on.
/** @type {(label: string, name: string, buttons: HTMLElement[]) => HTMLElement} */
const choice = (label, name, buttons) => h("div", { class: name, role: "group", "aria-label": label }, buttons);

/** @type {(state: State) => HTMLElement} */
const grains = ({ data, words, send }) =>
  choice(
    words["bar.grain"],
    "grain",
    GRAINS.map((grain) => {
      const pressed = String(data.bar.grain === grain);
      return h(
        "button",
        { "aria-pressed": pressed, onclick: () => send({ type: "grain", grain }) },
        words[`bar.grain.${grain}`],
      );
    }),
  );

/** @type {(state: State) => HTMLElement} */
const kinds = ({ data: { bar }, words, send }) => {
  /** @type {(name: string, grad: boolean) => HTMLElement} */
  const kind = (name, grad) => {
    const lacking = grad && !bar.can_grad;
    const state = { "aria-pressed": String(grad === bar.grad), disabled: lacking && !bar.grad };
    const title = lacking ? words["bar.needs_target"] : "";
    return h("button", { ...state, title, onclick: () => send({ type: "grad", grad }) }, words[`bar.${name}`]);
  };
  return choice(words["bar.kind"], "grain kind", [kind("value", false), kind("gradient", true)]);
};

/** @type {(state: State) => HTMLElement} */
const goTo = ({ words, send }) => {
  const attributes = { class: "move", "data-move": "search", title: `${words["search.go"]} (Ctrl+K)` };
  const onclick = () => send({ type: "search", text: "" });
  return h("button", { ...attributes, "aria-label": words["search.go"], onclick }, icon("search"));
};

/** @type {Draw} */
export const drawBar = (box, state) => {
  const { stopped, changed, index, count, at } = state.data.bar;
  const said = [stopped, changed].filter(Boolean).join(" · ");
  const halt = said ? h("b", { class: "halt" }, `${said} `) : null;
  box.replaceChildren(
    ...moves(state),
    ...running(state),
    kinds(state),
    grains(state),
    goTo(state),
    h("span", { class: "at", "aria-live": "polite", "data-short": `${index + 1}/${count}` }, halt, h("span", {}, at)),
  );
};
