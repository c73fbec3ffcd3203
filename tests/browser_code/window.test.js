// Which part of a tensor is drawn, and under which labels.

import assert from "node:assert/strict";
import { test } from "node:test";

import { shapeText } from "../../lmviz/ui/browser/figure.js";
import { legible } from "../../lmviz/ui/browser/layout.js";
import { short } from "../../lmviz/ui/browser/tensor.js";
import { cropped, cut, prepare } from "../../lmviz/ui/browser/window.js";
import { panel } from "./panels.js";

test("a part of a window has the numbers and the labels of its own cells", () => {
  const part = cut(panel(4, 5), 1, 2, 2, 2);
  assert.deepEqual([...part.values], [7, 8, 12, 13]);
  assert.deepEqual(
    [part.row_labels, part.col_labels],
    [
      ["r1", "r2"],
      ["c2", "c3"],
    ],
  );
  assert.deepEqual([part.start, part.window, part.part_only], [[1, 2], [2, 2], true]);
});

test("a part ends where the window ends", () => {
  const part = cut(panel(4, 5), 3, 4, 9, 9);
  assert.deepEqual([[...part.values], part.window], [[19], [1, 1]]);
});

test("a part around a row never leaves the window", () => {
  assert.deepEqual(
    [0, 2, 9].map((focus) => cropped(panel(6, 2, { focus }), 3, 2).start[0]),
    [0, 1, 3],
  );
});

test("the pinned cell is in the part that is shown, and a click in it moves nothing", () => {
  const big = panel(20, 50, { start: [100, 200], focus: 110 });
  for (let row = 0; row < 20; row += 1)
    for (let col = 0; col < 50; col += 1) {
      const part = cropped({ ...big, pinned: [100 + row, 200 + col] }, 4, 22);
      const [first, left] = part.start;
      assert.ok(first <= 100 + row && 100 + row < first + part.window[0], `${row}`);
      assert.ok(left <= 200 + col && 200 + col < left + part.window[1], `${col}`);
    }
  const before = cropped(big, 4, 22).start;
  for (const row of [0, 3]) {
    const pinned = [before[0] + row, before[1] + 21];
    assert.deepEqual(cropped({ ...big, pinned }, 4, 22).start, before);
  }
  const elsewhere = { ...big, pinned: [119, 249], by_hand: true };
  assert.deepEqual(cropped(elsewhere, 4, 22).start, [100, 200]);
  assert.deepEqual(cropped({ ...big, pinned: [3, 3] }, 4, 22).start, before); // of another part of the tensor
});

test("a cell keeps its address when its tensor is turned", () => {
  const straight = prepare(panel(2, 3, { start: [10, 20], lead: [0, 1], shape: [1, 2, 30, 30] }));
  const turned = prepare(panel(2, 3, { start: [10, 20], lead: [0, 1], shape: [1, 2, 30, 30], turned: true }));
  assert.deepEqual([straight.rows, straight.cols], [2, 3]);
  assert.deepEqual([turned.rows, turned.cols], [3, 2]);
  for (const row of [0, 1]) {
    for (const col of [0, 1, 2]) {
      assert.equal(turned.at(col, row), straight.at(row, col));
      assert.deepEqual(straight.cell(row, col), [0, 1, 10 + row, 20 + col]);
      assert.deepEqual(turned.cell(col, row), straight.cell(row, col));
      assert.deepEqual(turned.local([10 + row, 20 + col]), [col, row]);
    }
  }
  assert.deepEqual([turned.rowLabels, turned.colLabels], [straight.colLabels, straight.rowLabels]);
});

test("the cell of a vector or of a number has as many indices as it has axes", () => {
  assert.deepEqual(prepare(panel(1, 3, { shape: [3] })).cell(0, 2), [2]);
  assert.deepEqual(prepare(panel(1, 1, { shape: [] })).cell(0, 0), []);
});

test("the row that is followed is outlined in its window only", () => {
  const rows = [9, 10, 11, 12].map((focus) => prepare(panel(2, 2, { start: [10, 0], focus })).focusLocal);
  assert.deepEqual(rows, [null, 0, 1, null]);
});

test("as many cells are shown as their numbers have room for, the pinned one among them", () => {
  const wide = panel(4, 40, { pinned: [2, 33] });
  const part = legible(wide, 400, 400);
  assert.ok(part.window[1] < 40 && part.window[1] >= 5);
  assert.ok(part.start[1] <= 33 && 33 < part.start[1] + part.window[1]);
  const small = panel(2, 3);
  assert.equal(legible(small, 900, 400), small);
});

test("a shape says which axis runs down and which runs right", () => {
  const scores = panel(4, 4, { axes: ["batch", "head", "query", "key"], shape: [1, 2, 4, 4] });
  assert.equal(shapeText(scores, true), "batch 1 × head 2 × query 4↓ × key 4→");
  assert.equal(shapeText(scores, false), "head 2 × query 4↓ × key 4→");
  assert.equal(shapeText({ ...scores, turned: true }, false), "head 2 × key 4↓ × query 4→");
  assert.equal(shapeText(panel(1, 3, { axes: ["d_model"], shape: [3] }), true), "d_model 3→");
});

test("a long label is cut by its letters, not by its bytes", () => {
  assert.equal(short("abcdef", 4), "abc…");
  assert.equal(short("🐢🐢", 2), "🐢🐢");
  assert.equal(short("🐢🐢🐢", 2), "🐢…");
});
