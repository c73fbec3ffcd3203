import assert from "node:assert/strict";
import { test } from "node:test";

import { SCALES, colourOf, inkOn } from "../../lmviz/ui/browser/colour.js";

/** @type {("light" | "dark")[]} */
const THEMES = ["light", "dark"];

test("a signed number's colour says its sign, and zero is in the middle", () => {
  for (const theme of THEMES) {
    const look = SCALES[theme];
    const colours = [-2, 0, 2].map((value) => colourOf(value, { scale: "signed", peak: 2 }, look));
    assert.deepEqual(colours, [look.low, look.middle, look.high]);
  }
});

test("a share has one hue, from nothing to 1", () => {
  for (const theme of THEMES) {
    const look = SCALES[theme];
    const colours = [0, 1].map((value) => colourOf(value, { scale: "share", peak: 1 }, look));
    assert.deepEqual(colours, [look.middle, look.share]);
  }
});

test("what is beyond the scale has the colour of its end", () => {
  assert.deepEqual(colourOf(9, { scale: "signed", peak: 2 }, SCALES.light), SCALES.light.high);
  assert.deepEqual(colourOf(-9, { scale: "signed", peak: 2 }, SCALES.light), SCALES.light.low);
});

test("ids are names: each has a colour, and none is more than another", () => {
  for (const theme of THEMES) {
    /** @type {(id: number, peak?: number) => number[]} */
    const colour = (id, peak = 0) => colourOf(id, { scale: "name", peak }, SCALES[theme]);
    assert.deepEqual(colour(7), colour(7, 100));
    assert.notDeepEqual(colour(7), colour(8));
    const lightness = [0, 3, 26, 5000, 50256].map((id) => colour(id).reduce((sum, channel) => sum + channel, 0));
    assert.ok(Math.max(...lightness) - Math.min(...lightness) < 12, `${theme}: ${lightness}`);
    for (const id of [0, 3, 26, 5000]) assert.ok(contrast(inkOn(colour(id)), colour(id)) >= 4.5);
  }
});

test("a tensor of zeros has no division by its peak", () => {
  assert.deepEqual(colourOf(0, { scale: "signed", peak: 0 }, SCALES.light), SCALES.light.middle);
});

/** @type {(colour: number[]) => number} WCAG 2.2's relative luminance */
const luminance = (colour) => {
  const [r, g, b] = colour.map((part) =>
    part / 255 <= 0.04045 ? part / 255 / 12.92 : ((part / 255 + 0.055) / 1.055) ** 2.4,
  );
  return 0.2126 * r + 0.7152 * g + 0.0722 * b;
};

/** @type {(ink: string, paper: number[]) => number} */
const contrast = (ink, paper) => {
  const inked = [1, 3, 5].map((i) => parseInt(ink.slice(i, i + 2), 16));
  const [high, low] = [luminance(inked), luminance(paper)].sort((a, b) => b - a);
  return (high + 0.05) / (low + 0.05);
};

test("a number can be read on every colour of both scales", () => {
  for (const theme of THEMES) {
    for (let share = -1; share <= 1; share += 0.05) {
      for (const scale of /** @type {("signed" | "share")[]} */ (["signed", "share"])) {
        const colour = colourOf(share, { scale, peak: 1 }, SCALES[theme]);
        assert.ok(contrast(inkOn(colour), colour) >= 3, `${theme} ${scale} ${share}: ${colour}`);
      }
    }
  }
});
