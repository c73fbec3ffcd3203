// What one points at in front of a room, and the link that the room is given.

import assert from "node:assert/strict";
import { test } from "node:test";

import { roomScale } from "../../lmviz/ui/browser/scale.js";
import { clock } from "../../lmviz/ui/course/browser/follow.js";
import { shared, squares } from "../../lmviz/ui/present/browser/link.js";
import { crossAt, panelAmong } from "../../lmviz/ui/present/browser/under.js";

const AREA = { left: 100, top: 50, width: 300, height: 200 };
const GRID = [40, 20, 50, 30, 4, 5]; // left, top, width and height of a cell, rows, columns

test("a cell is found with its row and its column, which reach over their labels", () => {
  const found = crossAt(AREA, GRID, 100 + 40 + 2 * 50 + 1, 50 + 20 + 3 * 30 + 1);
  assert.deepEqual(found, {
    cell: { left: 240, top: 160, width: 50, height: 30 },
    row: { left: 100, top: 160, width: 290, height: 30 },
    column: { left: 240, top: 50, width: 50, height: 140 },
  });
});

test("beside the cells there is none", () => {
  assert.equal(crossAt(AREA, GRID, 130, 80), null); // on a label
  assert.equal(crossAt(AREA, GRID, 100 + 40 + 5 * 50 + 1, 80), null);
  assert.equal(crossAt(AREA, GRID, 200, 50 + 20 + 4 * 30 + 1), null);
});

test("a panel is neither a word nor the page", () => {
  const [word, card, page] = [
    { left: 0, top: 0, width: 50, height: 20 },
    { left: 0, top: 0, width: 500, height: 200 },
    { left: 0, top: 0, width: 1280, height: 700 },
  ];
  const window = { width: 1280, height: 720 };
  assert.equal(panelAmong([word, card, page], window), card);
  assert.equal(panelAmong([word, page], window), null);
});

test("letters take more than 3.5 % of the height of every usual window, and never less than on a desk", () => {
  for (const [width, height] of [
    [1280, 720],
    [1920, 1080],
    [3840, 2160],
    [1024, 768],
    [1280, 800],
  ])
    assert.ok((16 * roomScale(width, height)) / height >= 0.035, `${width}x${height}`);
  assert.equal(roomScale(390, 844), 1);
});

test("the room's link is the visitor's own address, without what is about this screen", () => {
  assert.equal(
    shared("https://school.example/lm/step_through?model=names&present=true&prompt=.%C3%A9"),
    "https://school.example/lm/step_through?model=names&prompt=.%C3%A9",
  );
});

test("a code's dark squares are drawn where they are", () => {
  assert.equal(squares(["0110", "0000", "1001"]), "M1,0h2v1h-2zM0,2h1v1h-1zM3,2h1v1h-1z");
});

test("seconds read as minutes", () => {
  assert.deepEqual([0, 59.9, 125, 600].map(clock), ["0:00", "0:59", "2:05", "10:00"]);
});
