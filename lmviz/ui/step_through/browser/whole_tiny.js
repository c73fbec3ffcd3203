// A part of the whole model's picture has a tiny picture of what it made: real numbers, so many that they show its look.

// @ts-check

/** @import { Shades } from "../../browser/client.d.ts" */
/** @import { Shape } from "./svg.js" */
/** @import { WholePart } from "./whole.d.ts" */
/** @import { Wanted } from "./whole_full.js" */
/** @import { Model } from "./whole_model.js" */

import { mix } from "../../browser/colour.js";
import { h } from "../../browser/dom.js";
import { clamp } from "../../browser/numbers.js";
import { numbersOf } from "./whole_model.js";

/** @type {(grade: number, isShare: boolean, scale: Shades) => number[]} */
export const tinyColour = (grade, isShare, scale) => {
  if (grade === -128) return [128, 136, 148];
  if (isShare) return mix(scale.middle, scale.share, Math.max(0, grade) / 127);
  return mix(scale.middle, grade < 0 ? scale.low : scale.high, Math.abs(grade) / 127);
};

/** @type {(model: Model, part: WholePart, head: number) => { grades: number[], cols: number, isShare: boolean } | null} */
const tinyCells = (model, part, head) => {
  const { cells, shares } = numbersOf(model, part);
  if (shares[head])
    return { grades: [...shares[head]].map((share) => clamp(share, 0, 1) * 127), cols: model.n, isShare: true };
  if (!cells || !cells.length) return null;
  return { grades: [...cells], cols: cells.length / model.n, isShare: part.kind === "probabilities" };
};

/** @type {(model: Model, part: WholePart, wanted: Wanted) => string} */
export const tinyPicture = (model, part, { head, scale }) => {
  const found = tinyCells(model, part, head);
  if (!found) return "";
  const canvas = h("canvas", { width: found.cols, height: model.n });
  const g = canvas.getContext("2d");
  if (!g) return "";
  const image = g.createImageData(found.cols, model.n);
  found.grades.forEach((grade, i) => image.data.set([...tinyColour(grade, found.isShare, scale), 255], 4 * i));
  g.putImageData(image, 0, 0);
  return canvas.toDataURL();
};

/** @type {(href: string, x: number, y: number, size: number) => Shape[]} */
export const tiny = (href, x, y, size) => {
  if (!href || size < 6) return [];
  const place = { x, y, width: size, height: size };
  return [
    { key: "tiny", tag: "image", attributes: { class: "tiny", href, preserveAspectRatio: "none", ...place } },
    { key: "edge", tag: "rect", attributes: { class: "edge", ...place } },
  ];
};
