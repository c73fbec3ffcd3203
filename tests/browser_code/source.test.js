// Which part of a listing is lit.

import assert from "node:assert/strict";
import { test } from "node:test";

import { litPart, piecesOf } from "../../lmviz/ui/step_through/browser/source.js";

const LINE = { text: "x = q @ k", marks: [] };

test("an expression of several lines is lit from its beginning to its end", () => {
  const lit = { lines: [4, 6], columns: [4, 5] };
  assert.deepEqual(
    [3, 4, 5, 6, 7].map((number) => litPart(LINE, number, lit)),
    [null, [4, 9], [0, 9], [0, 5], null],
  );
});

test("a line is cut where a colour or the light begins or ends, and nothing of it is lost", () => {
  /** @type {[number, number, string][]} */
  const marks = [
    [0, 1, "defined"],
    [4, 5, "number"],
  ];
  const pieces = piecesOf({ text: LINE.text, marks }, [4, 9]);
  assert.deepEqual(pieces, [
    [0, 1],
    [1, 4],
    [4, 5],
    [5, 9],
  ]);
  assert.equal(pieces.map(([start, end]) => LINE.text.slice(start, end)).join(""), LINE.text);
});

test("an empty line is no piece", () => {
  assert.deepEqual(piecesOf({ text: "", marks: [] }, null), []);
});
