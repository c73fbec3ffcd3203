// The arithmetic of a pinned cell as it is played: each line as it is written.

import assert from "node:assert/strict";
import { test } from "node:test";

import { partsOf } from "../../lmviz/ui/step_through/browser/sums.js";

/** @import { Inspection } from "../../lmviz/ui/step_through/browser/scene.d.ts" */
/** @import { Piece } from "../../lmviz/ui/browser/arithmetic.d.ts" */

/** @type {(value: string, pieces: Piece[]) => string[]} */
const played = (value, pieces) => {
  const found = /** @type {Inspection} */ (/** @type {unknown} */ ({ lines: [{ value, sign: "=", pieces }] }));
  return partsOf(found, "({n} more)").map(({ text }) => text);
};

test("what is looked up, or only moved, is not said twice", () => {
  assert.deepEqual(played("−0.10", [{ text: "weight[13, 32] = " }, { shown: "−0.10" }]), ["weight[13, 32] = −0.10"]);
  assert.deepEqual(played("0.74", [{ shown: "0.74" }]), ["0.74"]);
  assert.deepEqual(played("0.5", [{ shown: "1.0" }, { text: " × " }, { shown: "0.5" }]), ["1.0 × 0.5 = 0.5"]);
});
