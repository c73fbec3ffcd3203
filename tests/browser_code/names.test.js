// What a screen reader hears of Streamlit's own.

import assert from "node:assert/strict";
import { test } from "node:test";

import { ours } from "../../lmviz/ui/present/browser/names.js";

const NAMES = { Open: "Ouvrir", "Help for …": "Aide : …", "… icon": "icône" };

test("a name of Streamlit's is ours, with what it ends in, and no other is", () => {
  assert.equal(ours(NAMES, "Open"), "Ouvrir");
  assert.equal(ours(NAMES, "Help for $& Top-k"), "Aide : $& Top-k");
  assert.equal(ours(NAMES, "arrow_upward icon"), "icône");
  for (const name of ["Open it", "open", "", "Ouvrir", "constructor"]) assert.equal(ours(NAMES, name), undefined);
});
