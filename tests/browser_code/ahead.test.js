// Places that are drawn before Python has answered.

import assert from "node:assert/strict";
import { test } from "node:test";

import { heldOf, learn, nothingKnown, onwards } from "../../lmviz/ui/step_through/browser/ahead.js";

/** @import { Event, Move, Scene } from "../../lmviz/ui/step_through/browser/scene.d.ts" */

const LAST = 20;

/** @type {(index: number) => string} */
const name = (index) => (index < 0 || index > LAST ? "" : `stage:${index}`);

/** @type {(index: number) => any} */
const bar = (index) => ({
  grain: "stage",
  index,
  moves: { over: name(index + 1), back: name(index - 1) },
  stopped: "",
  changed: "",
});

/** @type {(index: number, seq: number, ahead: number[], frame?: string) => Scene} */
const answer = (index, seq, ahead, frame = "a") =>
  /** @type {any} */ ({
    frame,
    seq,
    ahead: ahead.map((one) => ({ bar: bar(one), say: { text: `at ${one}` } })),
    bar: bar(index),
    say: { text: `at ${index}` },
    search: null,
  });

/** @type {(name: Move, times?: number) => Event} */
const move = (name, times = 1) => ({ type: "move", move: name, times });

/** @type {(scene: Scene) => [number, string, number]} */
const seen = ({ bar, say, seq }) => [bar.index, say.text, seq];

test("several moves are drawn before the first is answered, as far as it is known where they lead", () => {
  const known = nothingKnown();
  const first = answer(3, 10, [4, 2, 5]);
  learn(known, first);
  assert.deepEqual(seen(onwards(known, first, [])), [3, "at 3", 10]);
  assert.deepEqual(seen(onwards(known, first, [move("over")])), [4, "at 4", 11]);
  assert.deepEqual(seen(onwards(known, first, [move("over"), move("over")])), [5, "at 5", 12]);
  assert.deepEqual(seen(onwards(known, first, [move("over"), move("over", 3)])), [5, "at 5", 12]);
  assert.deepEqual(seen(onwards(known, first, [move("over", 2), move("back", 3)])), [2, "at 2", 15]);
});

test("nothing is guessed after what changes more than the place, and nothing of another frame is kept", () => {
  const known = nothingKnown();
  const first = answer(3, 10, [4, 2]);
  learn(known, first);
  const moves = [move("over"), /** @type {Event} */ ({ type: "focus", pos: 1 }), move("over")];
  assert.deepEqual(seen(onwards(known, first, moves)), [4, "at 4", 11]);
  const playing = /** @type {Event} */ ({ ...move("over"), play: true });
  assert.deepEqual(seen(onwards(known, first, [playing])), [3, "at 3", 10]);
  const other = answer(4, 11, [], "b");
  learn(known, other);
  assert.deepEqual(heldOf(known), { frame: "b", places: ["stage:4"] });
  assert.deepEqual(seen(onwards(known, other, [move("back")])), [4, "at 4", 11]);
  learn(known, answer(4, 12, [5], ""));
  assert.deepEqual(heldOf(known), { frame: "", places: [] });
});

test("what a run that stopped has said is not said again there", () => {
  const known = nothingKnown();
  const first = answer(3, 10, [4]);
  first.bar.stopped = "stopped";
  learn(known, first);
  assert.equal(onwards(known, first, []).bar.stopped, "stopped");
  assert.equal(onwards(known, first, [move("over"), move("back")]).bar.stopped, "");
});

test("so many places are kept, the newest", () => {
  const known = nothingKnown();
  for (let i = 0; i < 500; i++) learn(known, answer(i, i, []));
  const { places } = heldOf(known);
  assert.equal(places.length, 80);
  assert.equal(places.at(-1), "stage:499");
});
