// The whole model in a strip: lanes and ribbons without words. One strip above the debugger; or one for each head.

// @ts-check

/** @import { Shape } from "./svg.js" */
/** @import { Drawing } from "./whole_full.js" */
/** @import { Slot } from "./whole_layout.js" */
/** @import { Model } from "./whole_model.js" */
/** @import { Ground, Stop } from "./whole_shapes.js" */

import { tellWish } from "./place.js";
import { across, fitting, lanesIn, namedSlots } from "./whole_layout.js";
import { filled, whereOf } from "./whole_model.js";
import { flow, leftOut, present } from "./whole_shapes.js";

const NAMED = 84; // pixels of a head's name
const NARROW_GAP = 4; // pixels between blocks
const STRIP = 60; // pixels of height up to which there is no room for words
const HEADER_OF_ALL = 44; // pixels of the names of stages above the strips of all heads

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
 * @type {(model: Model, heads: number[], pos: number, width: number, height: number, letter?: number) => Strips}
 */
export const slimDrawing = (model, heads, pos, width, height, letter = 0) => {
  const isNamed = height > STRIP;
  const head = isNamed ? HEADER_OF_ALL : 0;
  const [from, to] = [isNamed ? NAMED : 6, width - 6];
  const { slots } = fitting(model.data.parts, from, to, NARROW_GAP);
  const each = (height - head) / heads.length;
  const stops = stopsOf(model, slots, from, to);
  /** @type {Shape[]} */
  const back = [];
  const { widest, lost } = leftOut(model, heads, pos);
  const shapes = heads.flatMap((one, i) => {
    const low = head + i * each + (isNamed ? 5 : 1);
    const high = head + (i + 1) * each - (isNamed ? 5 : 1);
    if (isNamed) back.push(...named(model, one, low, high, width));
    const ground = { at: across, box, slots, lanes: lanesIn(model.n, low, high), from, to };
    return flow(model, ground, { head: one, pos, tips: isNamed, prefix: `h${one}` }, widest);
  });
  /** @type {(stage: number) => Shape[]} */
  const here = (stage) => present(stops, stage, box, to, { first: head, low: head, high: height });
  if (isNamed) back.push(...columns(model, slots, height, letter));
  const asFull = { back, middle: shapes, front: [], stops, present: here, width, height, widest, lost };
  return { shapes, present: here, asFull };
};

/** @type {(model: Model, slots: Slot[], from: number, to: number) => Stop[]} */
const stopsOf = (model, slots, from, to) => {
  const stops = slots.map(({ part, from, to }) => ({ stage: part.stage, from, to }));
  const behind = model.data.parts.find(({ kind }) => kind === "probabilities" || kind === "loss");
  if (behind) stops.push({ stage: behind.stage, from: to - 6, to });
  return [{ stage: 0, from: Math.max(0, from - 6), to: from + 2 }, ...stops];
};

// The names of stages and blocks over all strips; each stage's column is the door to it.
/** @type {(model: Model, slots: Slot[], height: number, letter: number) => Shape[]} */
const columns = (model, slots, height, letter) => {
  const shown = namedSlots(slots, letter);
  const names = model.data.blocks.flatMap((block, i) => {
    const own = slots.find(({ part }) => part.block === i);
    const text = `${model.data.words["whole.block"]} ${block.name}`;
    return own ? [{ key: `o${i}`, tag: "text", attributes: { class: "name", x: own.from, y: 14 }, text }] : [];
  });
  const doors = slots.map((slot) => {
    const where = whereOf(model, slot.part);
    return {
      key: `d${slot.part.stage}`,
      tag: "g",
      attributes: {
        class: shown.has(slot) ? "door" : "door tight",
        role: "button",
        "data-stage": slot.part.stage,
        "aria-label": filled(model.data.words["whole.go"], { where }),
      },
      act: () => tellWish({ type: "stage", index: slot.part.stage }),
      tip: () => where,
      inside: [
        { key: "hit", tag: "rect", attributes: { class: "hit", rx: 6, ...box(slot.from, slot.to, 18, height) } },
        {
          key: "label",
          tag: "text",
          attributes: { class: "part", x: (slot.from + slot.to) / 2, y: 34, "text-anchor": "middle" },
          text: slot.part.label,
        },
      ],
    };
  });
  return [...names, ...doors];
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
