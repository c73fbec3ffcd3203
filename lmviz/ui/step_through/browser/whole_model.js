// A recording as the picture of the whole model reads it: its numbers, and the sentences about them.

// @ts-check

/** @import { Here } from "./place.js" */
/** @import { Whole, WholePart } from "./whole.d.ts" */

import { bytesIn, decoded, lessThan, signs, written } from "../../browser/numbers.js";

/**
 * @typedef {object} Model
 * @property {Whole} data
 * @property {number} n lanes
 * @property {Map<WholePart, Numbers>} numbers
 * @property {number} longest of all vectors of the stream
 */

/** @typedef {{ lengths: Float32Array | null, cells: Int8Array | null, shares: Float32Array[] }} Numbers by head */

/** @type {(base64: string) => Int8Array} */
const gradesIn = (base64) => new Int8Array(bytesIn(base64).buffer);

/** @type {(data: Whole) => Model} */
export const readModel = (data) => {
  const n = data.lanes.length;
  /** @type {Model["numbers"]} */
  const numbers = new Map();
  for (const part of data.parts) {
    const all = part.shares === null ? null : decoded(part.shares);
    numbers.set(part, {
      lengths: part.lengths === null ? null : decoded(part.lengths),
      cells: part.grades === null ? null : gradesIn(part.grades),
      shares: all ? data.heads.map((_, i) => all.subarray(i * n * n, (i + 1) * n * n)) : [],
    });
  }
  const lengths = data.parts
    .filter((part) => part.is_stream)
    .flatMap((part) => [...(numbers.get(part)?.lengths ?? [])])
    .filter(Number.isFinite);
  return { data, n, numbers, longest: Math.max(0, ...lengths) };
};

/** @type {(model: Model, part: WholePart) => Numbers} */
export const numbersOf = (model, part) => model.numbers.get(part) ?? { lengths: null, cells: null, shares: [] };

/** @type {(text: string, details: Record<string, string | number>) => string} */
export const filled = (text, details) => text.replace(/\{(\w+)\}/g, (_, name) => String(details[name]));

// A share in hundredths of a percent: what is written is as exact as it looks.
/** @type {(share: number, lang: string) => string} */
export const exactPercent = (share, lang) => {
  if (share > 0 && share < 0.00005) return lessThan(0.01, 2, lang);
  const { decimal, percent } = signs(lang);
  return `${(100 * share).toFixed(2).replace(".", decimal)}${percent}`;
};

/** @type {(model: Model, part: WholePart) => string} */
export const whereOf = ({ data }, part) => {
  if (part.block === null) return part.label;
  return filled(data.words["whole.where"], { block: data.blocks[part.block].name, stage: part.label });
};

/** @type {(model: Model, lane: number) => string} */
export const laneText = ({ data }, lane) => `‹${data.lanes[lane].text}›`;

// The lane of a position; the last one for a position that is not known.
/** @type {(model: Model, pos: number) => number} */
export const laneOf = ({ data, n }, pos) => {
  const found = data.lanes.findIndex((lane) => lane.first <= pos && pos <= lane.last);
  return found < 0 ? n - 1 : found;
};

// What a ribbon says: who reads whom, and how much.
/** @type {(model: Model, part: WholePart, query: number, key: number, share: number) => string} */
export const ribbonText = (model, part, query, key, share) =>
  filled(model.data.words["whole.tip.ribbon"], {
    query: laneText(model, query),
    key: laneText(model, key),
    share: exactPercent(share, model.data.lang),
    where: whereOf(model, part),
  });

// What a stage has made for a token: the stream, or what is added to it.
/** @type {(model: Model, part: WholePart, lane: number) => string} */
export const lengthText = (model, part, lane) => {
  const { lengths } = numbersOf(model, part);
  if (!lengths) return `${laneText(model, lane)}, ${whereOf(model, part)}`;
  const details = {
    token: laneText(model, lane),
    where: whereOf(model, part),
    length: written(lengths[lane], 2, model.data.lang),
  };
  return filled(model.data.words[part.is_stream ? "whole.tip.stream" : "whole.tip.made"], details);
};

// Whom a token reads most, the strongest first.
/** @type {(model: Model, part: WholePart, head: number, lane: number, most: number) => string} */
export const readsText = (model, part, head, lane, most) => {
  const shares = numbersOf(model, part).shares[head];
  if (!shares) return "";
  const read = [...shares.subarray(lane * model.n, (lane + 1) * model.n)]
    .map((share, key) => ({ share, key }))
    .filter(({ share }) => share > 0)
    .sort((a, b) => b.share - a.share);
  const named = read
    .slice(0, most)
    .map(({ share, key }) => `${laneText(model, key)}\u00a0${exactPercent(share, model.data.lang)}`);
  return [...named, ...(read.length > most ? ["…"] : [])].join(", ");
};

// All of it, and the last token.
/** @type {(data: Whole, here: Here) => Here} */
export const atItsEnd = ({ parts: all, lanes }, { pos }) => ({
  stage: Math.max(...all.map((one) => one.stage)),
  pos: pos >= 0 && pos <= (lanes.at(-1)?.last ?? -1) ? pos : (lanes.at(-1)?.last ?? -1),
  playing: false,
});
