// Numbers that are typed as a language writes them.

import assert from "node:assert/strict";
import { test } from "node:test";

import { asRead } from "../../lmviz/ui/present/browser/comma.js";

test("a comma is read as the point where the language writes one, and only there", () => {
  assert.equal(asRead(",", "fr"), ".");
  assert.equal(asRead("0,8", "fr-x-plain"), "0.8");
  assert.equal(asRead("0.8", "fr"), "0.8");
  assert.equal(asRead("1,000", "en"), "1,000");
});
