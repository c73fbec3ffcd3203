// The keys of a debugger, and those of a clicker.

// @ts-check

/** @import { Move } from "./scene.d.ts" */
/** @import { State } from "./state.d.ts" */

import { isTaken } from "../../browser/keys.js";

/** @type {Record<string, Move>} */
const KEYS = {
  ArrowRight: "over",
  ArrowLeft: "back",
  ArrowDown: "into",
  ArrowUp: "out",
  PageDown: "next_stage",
  PageUp: "previous_stage",
  Home: "first",
  End: "last",
  b: "next_block",
  B: "previous_block",
};
const PRESSED = ["BUTTON", "SUMMARY"]; // by the space bar

// The space bar stops what moves, else it starts the walk.
/** @type {(state: State) => void} */
const pause = (state) => (state.sum?.timer && !state.playing ? state.watch() : state.play());

// A click beside everything gives the focus to the whole page, which a key would then frame.
/** @type {(state: State) => void} */
const leavePage = (state) => {
  const active = /** @type {HTMLElement | null} */ (document.activeElement);
  const tree = state.root.getRootNode();
  const host = tree instanceof ShadowRoot ? tree.host : state.root;
  if (active && active !== document.body && active !== host && active.contains(host)) active.blur();
};

/** @type {(state: State, event: KeyboardEvent) => void} */
export const onKey = (state, event) => {
  const target = /** @type {HTMLElement} */ (event.composedPath()[0]);
  if ((event.ctrlKey || event.metaKey) && event.key.toLowerCase() === "k") {
    state.send({ type: "search", text: state.data.search ? null : "" });
    event.preventDefault();
    return;
  }
  if (isTaken(event, target)) return;
  const move = KEYS[event.key];
  if (event.key === " " && !PRESSED.includes(target.tagName)) pause(state);
  else if (event.key === "w") state.watch();
  else if (event.key === "W") state.skip();
  else if (move) {
    if (state.playing) state.play();
    state.move(move);
  } else return;
  leavePage(state);
  event.preventDefault();
};
