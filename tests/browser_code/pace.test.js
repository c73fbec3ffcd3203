// How long a place stays while the walk plays.

import assert from "node:assert/strict";
import { test } from "node:test";

import { nextPace, readingTime, wordsOn } from "../../lmviz/ui/step_through/browser/pace.js";

const said = { title: "Who matters · block 0", under: "", text: "Deux flèches : une seule !", hint: "", opened: "" };

test("words are counted, and no signs between them", () => {
  assert.equal(wordsOn(said), 8);
  assert.equal(wordsOn({ ...said, hint: "and − three = more" }), 11);
});

test("a longer text stays longer, at each of three paces", () => {
  const paces = /** @type {const} */ (["slow", "normal", "fast"]);
  const times = paces.map((pace) => readingTime(said, pace));
  assert.ok(times[0] > times[1] && times[1] > times[2]);
  for (const pace of paces)
    assert.ok(readingTime({ ...said, text: `${said.text} once more` }, pace) > readingTime(said, pace));
  assert.deepEqual(paces.map(nextPace), ["normal", "fast", "slow"]);
});
