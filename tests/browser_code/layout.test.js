// How large cells are.

import assert from "node:assert/strict";
import { test } from "node:test";

import { arrange, isCrowded, labelWidth, squeezed, titleHeight } from "../../lmviz/ui/browser/layout.js";
import { prepare } from "../../lmviz/ui/browser/window.js";
import { panel } from "./panels.js";

/** @import { Arrangement } from "../../lmviz/ui/browser/client.d.ts" */

/** @type {(way: Arrangement) => number} the widest line in pixels */
const widest = ({ lines, sizes }) =>
  Math.max(
    ...lines.map((line) => line.reduce((sum, one) => sum + labelWidth(one) + one.cols * (sizes.get(one)?.w ?? NaN), 0)),
  );

test("tensors take no more room than there is", () => {
  for (const [rows, cols] of [
    [1, 1],
    [4, 16],
    [16, 4],
    [40, 64],
  ]) {
    const given = [panel(rows, 8), panel(8, cols, { sign: "@" }), panel(rows, cols, { sign: "=", result: true })];
    const way = arrange(given.map(prepare), 900, 600);
    assert.ok(widest(way) <= 900, `${rows} × ${cols}: ${widest(way)}`);
    assert.equal(way.lines.flat().length, 3);
  }
});

test("a result gets the room first", () => {
  const [small, large] = [prepare(panel(8, 8)), prepare(panel(8, 8, { result: true, sign: "=" }))];
  const { sizes } = arrange([small, large], 700, 400);
  assert.ok((sizes.get(large)?.w ?? 0) >= (sizes.get(small)?.w ?? Infinity));
});

test("what is crowded is squeezed until it fits", () => {
  const given = Array.from({ length: 6 }, (_, i) => panel(64, 64, { result: i === 5 }));
  assert.ok(arrange(given.map(prepare), 360, 300).crowded);
  const way = squeezed(given, 360, 300);
  assert.ok(way.lines.flat().every((one) => one.rows < 64 && one.cols < 64));
});

test("a window that was moved does not change how large cells are", () => {
  const still = panel(2, 2, { size: [300, 300] });
  assert.equal(isCrowded([still], 60, 60), false);
  assert.equal(isCrowded([{ ...still, by_hand: true }], 60, 60), true);
});

test("words that are wider than their column stand upright, and get the room for it", () => {
  const words = prepare(panel(1, 3, { col_axis: "key", col_labels: ["a", "elephant", "b"] }));
  assert.ok(titleHeight(words, 12) > titleHeight(words, 90));
  assert.equal(titleHeight(prepare(panel(1, 3)), 12), titleHeight(words, 90));
});
