// How numbers are written. That Python writes them in the same way is for tests/browser/test_numbers.py to say.

import assert from "node:assert/strict";
import { test } from "node:test";

import { decoded, percent, written } from "../../lmviz/ui/browser/numbers.js";
import { shareText } from "../../lmviz/ui/generation/browser/step.js";

test("a number has so many decimals, and so many significant digits at least", () => {
  assert.equal(written(12.3456, 2, "en"), "12.35");
  assert.equal(written(0.00291, 2, "en"), "0.0029");
  assert.equal(written(0.0004, 2, "en"), "0.00040");
  assert.equal(written(0, 2, "en"), "0.00");
});

test("what is very small or very large has a power of ten", () => {
  assert.equal(written(1.234e-7, 2, "en"), "1.2e−7");
  assert.equal(written(999999.999, 2, "en"), "1.0e6");
});

test("French has a decimal comma, and both have a true minus sign", () => {
  assert.equal(written(-0.5, 2, "fr"), "−0,50");
  assert.equal(written(-0.5, 2, "en"), "−0.50");
});

test("thousands are set apart as the language does", () => {
  assert.equal(written(1295.24, 1, "en"), "1,295.2");
  assert.equal(written(-123456, 1, "fr"), "−123\u202f456,0");
  assert.equal(written(1e12, 2, "fr-x-plain"), "1\u202f000\u202f000\u202f000\u202f000");
});

test("nothing is written as minus zero", () => {
  assert.equal(written(-0, 2, "en"), "0.00");
});

test("a whole number, as an id is, has no decimals", () => {
  assert.equal(written(12345, 0, "en"), "12,345");
  assert.equal(written(0.5, 0, "en"), "1");
});

test("what JSON lacks comes as words and goes as signs", () => {
  assert.equal(written("NaN", 2, "en"), "NaN");
  assert.equal(written("Infinity", 2, "en"), "∞");
  assert.equal(written("-Infinity", 2, "fr"), "−∞");
});

test("a complex number has both its parts", () => {
  assert.equal(written({ re: 1.5, im: -2 }, 2, "en"), "(1.50 − 2.00 i)");
  assert.equal(written({ re: 1.5, im: "NaN" }, 2, "fr"), "(1,50 + NaN i)");
});

test("a share that is not zero is never written as zero", () => {
  assert.equal(percent(0.244, "en"), "24.4%");
  assert.equal(percent(0.0001, "en"), "<0.1%");
  assert.equal(percent(0.0001, "fr"), "< 0,1\u202f%");
  assert.equal(percent(0, "en"), "0.0%");
  assert.equal(shareText(1e-9, "en"), "<0.001%");
  assert.equal(shareText(1e-9, "fr"), "< 0,001\u202f%");
  assert.equal(shareText(0.00042, "en"), "0.0420%");
});

test("cells come as float32 in base64", () => {
  assert.deepEqual([...decoded("AACAPwAAAMA=")], [1, -2]);
});
