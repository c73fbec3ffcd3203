// Which terms of the glossary are found in a text, and by a search.

import assert from "node:assert/strict";
import { test } from "node:test";

import { finder, matching } from "../../lmviz/ui/glossary/browser/finding.js";

const TERMS = [
  { forms: ["causal mask", "mask"], says: "Hides the future." },
  { forms: ["clé", "clés"], says: "Ce à quoi on reconnaît un token." },
  { forms: ["key"], says: "What a token offers." },
];
/** @type {(text: string) => string[]} */
const found = (text) => finder(TERMS)(text).map(({ start, end }) => text.slice(start, end));

test("whole words alone, the longest of several, and each term once", () => {
  assert.deepEqual(found("The causal mask, a mask and a Key"), ["causal mask", "Key"]);
  assert.deepEqual(found("keys, monkey, key_cache, blocks.key"), []);
  assert.deepEqual(found("Les clés"), ["clés"]);
  assert.deepEqual(finder([])("key"), []);
});

test("a search knows no accents and no capitals, and finds names before meanings", () => {
  /** @type {(asked: string) => string[]} */
  const names = (asked) => matching(TERMS, asked).map((term) => term.forms[0]);
  assert.deepEqual(names("CLE"), ["clé"]);
  assert.deepEqual(names("token"), ["clé", "key"]);
  assert.deepEqual(names(" "), ["causal mask", "clé", "key"]);
  assert.deepEqual(names("xyz"), []);
});
