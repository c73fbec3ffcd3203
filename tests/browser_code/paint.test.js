import assert from "node:assert/strict";
import { test } from "node:test";

import { paintOf, shadingOf } from "../../lmviz/ui/browser/paint.js";

test("a colour of the browser's is one that every program reads", () => {
  assert.deepEqual(paintOf("rgb(28, 36, 48)"), { colour: "#1c2430", alpha: 1 });
  assert.deepEqual(paintOf("rgba(0, 0, 0, 0)"), { colour: "#000000", alpha: 0 });
  assert.deepEqual(paintOf("color(srgb 1 0.5 0 / 0.25)"), { colour: "#ff8000", alpha: 0.25 });
  assert.deepEqual(paintOf("color(srgb 1.2 -0.1 4.2e-3)"), { colour: "#ff0001", alpha: 1 });
  for (const other of ["none", 'url("#a1")', "currentcolor"]) assert.equal(paintOf(other), null);
});

test("a scale from left to right keeps its stops", () => {
  const found = shadingOf("linear-gradient(90deg, rgb(0, 0, 0), rgb(255, 255, 255) 30%, color(srgb 1 0 0))");
  assert.deepEqual(
    found.map(({ at, paint }) => [at, paint.colour]),
    [
      [0, "#000000"],
      [0.3, "#ffffff"],
      [1, "#ff0000"],
    ],
  );
  assert.deepEqual(shadingOf("repeating-linear-gradient(45deg, rgb(0, 0, 0) 0px)"), []);
  assert.deepEqual(shadingOf("none"), []);
});
