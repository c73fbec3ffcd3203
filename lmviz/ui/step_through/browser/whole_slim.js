// The whole model in a strip: lanes and ribbons without words. One strip above the debugger; or one for each head.

// @ts-check

/** @import { Shape } from "./svg.js" */
/** @import { Drawing } from "./whole_full.js" */
/** @import { Model } from "./whole_model.js" */
/** @import { Ground, Stop } from "./whole_shapes.js" */

import { across, fitting, lanesIn } from "./whole_layout.js";
import { filled } from "./whole_model.js";
import { flow, leftOut, present } from "./whole_shapes.js";

const NAMED = 84; // pixels of a head's name
const NARROW_GAP = 4; // pixels between blocks

/** @typedef {{ shapes: Shape[], present: (stage: number) => Shape[], asFull: Drawing }} Strips */

/** @type {Ground["box"]} */
const box = (from, to, low, high) => ({
  x: from,
  y: low,
  width: Math.max(0, to - from),
  height: Math.max(0, high - low),
});

/**
 * A strip for each of some heads, by their places, one below the other.
 *
 * @type {(model: Model, heads: number[], pos: number, width: number, height: number) => Strips}
 */
export const slimDrawing = (model, heads, pos, width, height) => {
  const isNamed = heads.length > 1 || height > 100;
  const [from, to] = [isNamed ? NAMED : 6, width - 6];
  const { slots } = fitting(model.data.parts, from, to, NARROW_GAP);
  const each = height / heads.length;
  const stops = stopsOf(model, slots, from, to);
  /** @type {Shape[]} */
  const back = [];
  const shapes = heads.flatMap((head, i) => {
    const low = i * each + (isNamed ? 5 : 1);
    const high = (i + 1) * each - (isNamed ? 5 : 1);
    if (isNamed) back.push(...named(model, head, low, high, width));
    const ground = { at: across, box, slots, lanes: lanesIn(model.n, low, high), from, to };
    const { least } = leftOut(model, head);
    return flow(model, ground, { head, pos, tips: isNamed, prefix: `h${head}` }, least);
  });
  /** @type {(stage: number) => Shape[]} */
  const here = (stage) => present(stops, stage, box, to, 0, height);
  const { least, lost } = leftOut(model, heads[0]);
  const asFull = { back, middle: shapes, front: [], stops, present: here, width, height, least, lost };
  return { shapes, present: here, asFull };
};

/** @type {(model: Model, slots: import("./whole_layout.js").Slot[], from: number, to: number) => Stop[]} */
const stopsOf = (model, slots, from, to) => {
  const stops = slots.map(({ part, from, to }) => ({ stage: part.stage, from, to }));
  const behind = model.data.parts.find(({ kind }) => kind === "probabilities" || kind === "loss");
  if (behind) stops.push({ stage: behind.stage, from: to - 6, to });
  return [{ stage: 0, from: Math.max(0, from - 6), to: from + 2 }, ...stops];
};

/** @type {(model: Model, head: number, low: number, high: number, width: number) => Shape[]} */
const named = ({ data }, head, low, high, width) => [
  {
    key: `b${head}`,
    tag: "rect",
    attributes: { class: "block", rx: 8, ...box(NAMED - 8, width, low, high) },
  },
  {
    key: `n${head}`,
    tag: "text",
    attributes: { class: "name", x: 6, y: (low + high) / 2 + 5 },
    text: filled(data.words["whole.head"], { head: data.heads[head] }),
  },
];
