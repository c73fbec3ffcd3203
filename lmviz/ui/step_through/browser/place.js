// The debugger and the picture of the whole model are two components of one page: what they tell each other.

// @ts-check

/** @import { Event as Sent, Scene } from "./scene.d.ts" */

/** @typedef {{ stage: number, pos: number, playing: boolean }} Here where the debugger stands, and the followed token */
/** @typedef {Sent | { type: "play" }} Wish */

const PLACE = "lmviz:place";
const ASK = "lmviz:ask";
const WISH = "lmviz:wish";

/** @type {(name: string, detail?: unknown) => void} */
const announce = (name, detail) => {
  document.dispatchEvent(new CustomEvent(name, { detail }));
};

/** @type {(name: string, act: (detail: any) => void) => () => void} */
const hear = (name, act) => {
  /** @type {(event: Event) => void} */
  const heard = (event) => act(/** @type {CustomEvent} */ (event).detail);
  document.addEventListener(name, heard);
  return () => document.removeEventListener(name, heard);
};

// What the debugger says after each step, and when it is asked.
/** @type {(data: Scene, playing: boolean) => void} */
export const tellPlace = (data, playing) => {
  const stage = data.map.find((stop) => stop.here)?.index ?? 0;
  announce(PLACE, { stage, pos: data.tokens.findIndex((token) => token.here), playing });
};

/** @type {(act: (here: Here) => void) => () => void} */
export const onPlace = (act) => hear(PLACE, act);

export const askPlace = () => announce(ASK);

/** @type {(act: () => void) => () => void} */
export const onAsk = (act) => hear(ASK, act);

// What a visitor does in the picture, and the debugger carries out.
/** @type {(wish: Wish) => void} */
export const tellWish = (wish) => announce(WISH, wish);

/** @type {(act: (wish: Wish) => void) => () => void} */
export const onWish = (act) => hear(WISH, act);
