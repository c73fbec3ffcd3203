// The places that Python has sent: a move to one of them is drawn before it is answered, and so are several.

// @ts-check

/** @import { Event, Place, Scene } from "./scene.d.ts" */
/** @import { Known } from "./state.d.ts" */

const KEPT = 80; // places, of which each has some 25 KB in a small model

/** @type {() => Known} */
export const nothingKnown = () => ({ frame: "", places: new Map() });

/** @type {(place: Place) => string} */
const placeName = ({ bar }) => `${bar.grain}:${bar.index}`;

// Keep the places of an answer; those of another frame hold no longer.
/** @type {(known: Known, answer: Scene) => void} */
export const learn = (known, answer) => {
  const { ahead, frame, ...scene } = answer;
  if (known.frame !== frame) known.places.clear();
  known.frame = frame;
  if (!frame) return;
  const here = { ...scene, bar: { ...scene.bar, stopped: "", changed: "" } };
  for (const place of [...ahead.map((changes) => ({ ...here, ...changes })), here]) {
    known.places.delete(placeName(place)); // the newest stand last
    known.places.set(placeName(place), place);
  }
  const oldest = [...known.places.keys()].slice(0, -KEPT);
  for (const name of oldest) known.places.delete(name);
};

// What Python need not send again.
/** @type {(known: Known) => { frame: string, places: string[] }} */
export const heldOf = ({ frame, places }) => ({ frame, places: [...places.keys()] });

// Where moves lead that are not answered yet, as far as it is known. Each counts as an answer: the answer counts them too.
/** @type {(known: Known, from: Scene, events: Event[]) => Scene} */
export const onwards = ({ places }, from, events) => {
  let at = from;
  for (const event of events) {
    if (event.type !== "move" || event.play) return at;
    for (let i = 0; i < event.times; i++) {
      const there = places.get(at.bar.moves[/** @type {"over"} */ (event.move)]);
      if (!there) return at;
      at = { ...from, ...there, search: from.search, seq: at.seq + 1 };
    }
  }
  return at;
};
