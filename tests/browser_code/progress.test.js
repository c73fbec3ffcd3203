// What a browser keeps of the course, joined with what it is told.

import assert from "node:assert/strict";
import { test } from "node:test";

import { joinedProgress, marksOf } from "../../lmviz/ui/course/browser/kept.js";

test("what is done here or there is done", () => {
  assert.equal(joinedProgress("~guess.5~tokens.1", "~guess.2~wrong.3f"), "~guess.7~tokens.1~wrong.3f");
  assert.equal(joinedProgress("", ""), "");
});

test("what makes no sense is left out", () => {
  assert.deepEqual([...marksOf("~guess.x~Tokens.1~a.12345~b~<b>.1~writing.a")], [["writing", 10]]);
});
