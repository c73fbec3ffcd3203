// The keys of a debugger, and those of a clicker.

// @ts-check

/** @import { Move } from "./scene.d.ts" */
/** @import { State } from "./state.d.ts" */

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
const CLICKER = ["PageDown", "PageUp"]; // no field needs them
const FIELDS = ["INPUT", "TEXTAREA", "SELECT"];
const WIDGETS = "[role=listbox],[role=dialog],[role=radiogroup],[role=slider],[role=tablist]"; // have arrows of their own
const PRESSED = ["BUTTON", "SUMMARY"]; // by the space bar

// Whether a key means something else where it was pressed.
/** @type {(event: KeyboardEvent, target: HTMLElement) => boolean} */
export const isTaken = (event, target) => {
  if (event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented || target.isContentEditable) return true;
  if (CLICKER.includes(event.key)) return false;
  return FIELDS.includes(target.tagName) || !!target.closest?.(WIDGETS);
};

// The space bar stops what moves, else it starts the walk.
/** @type {(state: State) => void} */
const pause = (state) => (state.sum?.timer && !state.playing ? state.watch() : state.play());

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
  else if (event.key === "Escape" && state.data.present) state.send({ type: "present" });
  else if (move) {
    if (state.playing) state.play();
    state.move(move);
  } else return;
  event.preventDefault();
};
