// How large cells are.

import assert from "node:assert/strict";
import { test } from "node:test";

import {
  arrange,
  dealt,
  isCrowded,
  labelWidth,
  labelledEvery,
  squeezed,
  titleHeight,
} from "../../lmviz/ui/browser/layout.js";
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

test("a crowded picture shows as much of each tensor as there is room for", () => {
  // an MLP that reads 15 tokens: three tensors beside each other would have 3 × 11 cells each
  const sheet = [64, 256, 256, 64].map((width, i) => panel(15, 64, { size: [15, width], result: i > 0, sign: "→" }));
  const way = squeezed(sheet, 550, 320);
  for (const one of way.lines.flat()) assert.ok(one.rows * one.cols >= 80, `${one.rows} × ${one.cols}`);
  const tall = squeezed(sheet, 550, 720);
  for (const one of tall.lines.flat()) assert.ok(one.rows * one.cols >= 300, `${one.rows} × ${one.cols}`);
});

test("a room is dealt out: what wants little leaves the rest to the others", () => {
  assert.deepEqual(dealt([10, 90, 90], 100), [10, 45, 45]);
  assert.deepEqual(dealt([10, 20], 100), [10, 20]);
});

test("height that one line does not need is given to the rows of another", () => {
  const sum = [panel(4, 64), panel(4, 64, { sign: "+" }), panel(4, 64, { sign: "=", result: true })].map(prepare);
  const { sizes } = arrange(sum, 550, 320);
  for (const one of sum) assert.ok((sizes.get(one)?.h ?? 0) >= 14, `${sizes.get(one)?.h} pixels a row`);
});

test("every row has its label where a label has room", () => {
  assert.deepEqual([30, 12, 10, 9, 4].map(labelledEvery), [1, 1, 1, 2, 3]);
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
