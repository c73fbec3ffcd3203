// The whole model in one picture: its lanes, ribbons and parts as shapes.

// @ts-check

/** @import { WholePart } from "./whole.d.ts" */
/** @import { Shape } from "./svg.js" */
/** @import { Lanes, Point, Slot } from "./whole_layout.js" */
/** @import { Model } from "./whole_model.js" */

import {
  almond,
  band,
  amongWidest,
  halfOf,
  laneOutline,
  MOST_RIBBONS,
  ribbonsOf,
  slotAt,
  swing,
  widestOf,
} from "./whole_layout.js";
import { laneOf, laneText, lengthText, numbersOf, ribbonText } from "./whole_model.js";
import { tellWish } from "./place.js";

/**
 * Where a drawing of the whole model is put.
 *
 * @typedef {object} Ground
 * @property {Point} at
 * @property {(from: number, to: number, low: number, high: number) => Record<string, number>} box as a rectangle
 * @property {Slot[]} slots
 * @property {Lanes} lanes
 * @property {number} from where lanes begin and end
 * @property {number} to
 */

/** @typedef {{ head: number, pos: number, tips: boolean, prefix: string }} Choice of a head, by its place; and a token */

const WIDEST = 44; // pixels of a ribbon that is all of the attention

/** @type {(space: number) => number} */
const unitOf = (space) => Math.min(WIDEST, space * 0.62);

/** @type {(space: number) => number} */
const thickest = (space) => Math.min(26, space * 0.5);

/** @type {(model: Model) => WholePart[]} */
const attending = (model) => model.data.parts.filter((part) => part.shares !== null);

// How many ribbons of each token are drawn, the followed one's apart, and the share of all attention that is not.
/** @type {(model: Model, heads: number[], pos: number) => { widest: number, lost: number }} */
export const leftOut = (model, heads, pos) => {
  const { n } = model;
  const all = attending(model).flatMap((part) => heads.flatMap((head) => numbersOf(model, part).shares[head] ?? []));
  const widest = widestOf(all, n, MOST_RIBBONS);
  if (widest >= n) return { widest, lost: 0 };
  const followed = laneOf(model, pos);
  let [whole, lost] = [0, 0];
  for (const shares of all)
    for (let lane = 0; lane < n; lane += 1) {
      const row = shares.subarray(lane * n, (lane + 1) * n);
      const shown = amongWidest(row, lane === followed ? n : widest);
      row.forEach((share, key) => {
        if (share > 0) whole += share;
        if (share > 0 && !shown[key]) lost += share;
      });
    }
  return { widest, lost: whole ? lost / whole : 0 };
};

// From where to where the ribbons of an attention run: over its scores too, where these are drawn. Behind it they are
// gathered, up to where they are added to the stream.
/** @type {(slots: Slot[], i: number) => { from: number, to: number, end: number }} */
export const reach = (slots, i) => {
  const { part, from, to } = slots[i];
  const begin = slots[i - 1]?.part.kind === "scores" ? slots[i - 1].from : from;
  const sum = slots.slice(i + 1).find((slot) => slot.part.kind === "residual" && slot.part.block === part.block);
  const mixes = slots[i + 1]?.part.kind === "mix";
  return mixes
    ? { from: begin, to, end: sum ? (sum.from + sum.to) / 2 : slots[i + 1].to }
    : { from: begin, to: to - (to - from) * 0.2, end: to };
};

// What a token has read, gathered into what attention adds to its stream: as thick as that is long, where it is known.
/** @type {(model: Model, ground: Ground, choice: Choice) => Shape[]} */
const sheaves = (model, { at, slots, lanes }, { head, pos, prefix }) =>
  slots.flatMap((slot, i) => {
    const shares = numbersOf(model, slot.part).shares[head];
    if (!shares) return [];
    const { to, end } = reach(slots, i);
    const mixed = model.data.parts.find(({ kind, stage }) => kind === "mix" && stage > slot.part.stage);
    const lengths = mixed ? numbersOf(model, mixed).lengths : null;
    return model.data.lanes.map((_, lane) => {
      const row = shares.subarray(lane * model.n, (lane + 1) * model.n);
      const half = (row.reduce((sum, share) => sum + (share > 0 ? share : 0), 0) * unitOf(lanes.space)) / 2;
      const then = halfOf(lengths?.[lane] ?? 0, model.longest, thickest(lanes.space) * 1.6);
      const centre = lanes.centre(lane);
      return {
        key: `${prefix}g${slot.part.stage}.${lane}`,
        tag: "path",
        attributes: {
          class: lane === laneOf(model, pos) ? "sheaf followed" : "sheaf",
          d: band(at, { along: to, centre, half }, { along: end, centre, half: then }),
          fill: `url(#${prefix}sheaf${slot.part.stage})`,
        },
      };
    });
  });

// Ribbons begin in the colour of the stream and end in that of attention; what is gathered comes to that of values.
/** @type {(ground: Ground, prefix: string) => Shape[]} */
const shadings = ({ at, slots }, prefix) =>
  slots.flatMap(({ part }, i) => {
    if (part.shares === null) return [];
    const { from, to, end } = reach(slots, i);
    return [
      shading(at, `${prefix}ribbon${part.stage}`, "of-ribbon", from, to),
      shading(at, `${prefix}sheaf${part.stage}`, "of-sheaf", to, end),
    ];
  });

/** @type {(at: Point, id: string, name: string, from: number, to: number) => Shape} */
const shading = (at, id, name, from, to) => {
  const [x1, y1] = at(from, 0).split(",");
  const [x2, y2] = at(to, 0).split(",");
  const stops = [0, 40, 100].map((offset) => ({
    key: String(offset),
    tag: "stop",
    attributes: { offset: `${offset}%`, class: `${name} at-${offset}` },
  }));
  const attributes = { id, gradientUnits: "userSpaceOnUse", x1, y1, x2, y2 };
  return { key: id, tag: "linearGradient", attributes, inside: stops };
};

/** @type {(model: Model, ground: Ground, choice: Choice, widest: number) => Shape[]} */
const ribbons = (model, ground, { head, pos, tips, prefix }, widest) => {
  const { at, slots, lanes } = ground;
  const unit = unitOf(lanes.space);
  const followed = laneOf(model, pos);
  /** @type {Shape[]} */
  const front = [];
  const behind = slots.flatMap((slot, i) => {
    const shares = numbersOf(model, slot.part).shares[head];
    if (!shares) return [];
    const { from, to } = reach(slots, i);
    return ribbonsOf(shares, model.n, unit, lanes.space * 0.8, widest, followed).flatMap(
      ({ query, key, share, leaves, arrives }) => {
        const isFollowed = query === followed;
        /** @type {Shape} */
        const shape = {
          key: `${prefix}r${slot.part.stage}.${query}.${key}`,
          tag: "path",
          attributes: {
            class: isFollowed ? "ribbon followed" : "ribbon",
            d: swing(at, from, to, lanes.centre(key) + leaves, lanes.centre(query) + arrives),
            "stroke-width": (share * unit).toFixed(2),
            stroke: `url(#${prefix}ribbon${slot.part.stage})`,
            "data-query": query,
            "data-key": key,
            "data-stage": slot.part.stage,
          },
        };
        if (tips) {
          shape.tip = () => ribbonText(model, slot.part, query, key, share);
          shape.act = () => tellWish({ type: "stage", index: slot.part.stage });
        }
        if (!isFollowed) return [shape];
        front.push(shape);
        return [];
      },
    );
  });
  return [...behind, ...front];
};

/** @typedef {import("./whole_layout.js").Swell} Swell */

// Where the stream of a lane comes to another thickness: where something is added to it.
/** @type {(model: Model, ground: Ground, lane: number) => { first: number, swells: Swell[] }} */
const streamOf = (model, { slots, lanes }, lane) => {
  const most = thickest(lanes.space);
  const found = model.data.parts.filter((part) => part.is_stream && numbersOf(model, part).lengths);
  const halves = found.map((part) => halfOf(numbersOf(model, part).lengths?.[lane] ?? 0, model.longest, most));
  const swells = found.map((part, i) => {
    const own = slots.find((slot) => slot.part === part);
    const near = own ?? slotAt(slots, part.stage) ?? slots[0];
    const from = own ? own.from : near.to - Math.min(8, (near.to - near.from) / 3);
    return { at: from, upto: near.to, half: halves[i] };
  });
  return { first: halves[0] ?? 0.6, swells: swells.slice(1) };
};

/** @type {(model: Model, ground: Ground, choice: Choice) => Shape[]} */
const streams = (model, ground, { pos, tips, prefix }) => {
  const followed = laneOf(model, pos);
  return model.data.lanes.map((_, lane) => {
    const { first, swells } = streamOf(model, ground, lane);
    /** @type {Shape} */
    const shape = {
      key: `${prefix}s${lane}`,
      tag: "path",
      attributes: {
        class: lane === followed ? "stream followed" : "stream",
        d: laneOutline(ground.at, ground.lanes.centre(lane), ground.from, ground.to, first, swells),
        "data-lane": lane,
      },
    };
    if (tips) {
      shape.tip = () => laneText(model, lane);
      shape.act = () => tellWish({ type: "focus", pos: model.data.lanes[lane].last });
    }
    return shape;
  });
};

// What an MLP adds to each token, as thick as the stream would be if it were that alone.
/** @type {(model: Model, ground: Ground, choice: Choice) => Shape[]} */
const almonds = (model, { at, slots, lanes }, { tips, prefix }) =>
  slots.flatMap(({ part, from, to }) => {
    const { lengths } = numbersOf(model, part);
    if (part.kind !== "mlp" || !lengths) return [];
    return model.data.lanes.map((_, lane) => {
      const half = halfOf(lengths[lane], model.longest, thickest(lanes.space) * 1.6);
      /** @type {Shape} */
      const shape = {
        key: `${prefix}m${part.stage}.${lane}`,
        tag: "path",
        attributes: {
          class: "added",
          d: almond(at, lanes.centre(lane), from, to, half),
          "data-lane": lane,
          "data-stage": part.stage,
        },
      };
      if (tips) {
        shape.tip = () => lengthText(model, part, lane);
        shape.act = () => tellWish({ type: "stage", index: part.stage });
      }
      return shape;
    });
  });

// Lanes with their ribbons and what MLPs add: the picture itself, without words.
/** @type {(model: Model, ground: Ground, choice: Choice, widest: number) => Shape[]} */
export const flow = (model, ground, choice, widest) => [
  ...shadings(ground, choice.prefix),
  ...streams(model, ground, choice),
  ...sheaves(model, ground, choice),
  ...ribbons(model, ground, choice, widest),
  ...almonds(model, ground, choice),
];

/** @typedef {{ stage: number, from: number, to: number, isEnd?: boolean }} Stop where a stage is drawn: a slot, or an end */

// The last stop that begins with a stage or before it.
/** @type {(stops: Stop[], stage: number) => Stop} */
export const stopAt = (stops, stage) => stops.filter((stop) => stop.stage <= stage).at(-1) ?? stops[0];

// A veil over what is still to come, and a frame around the present part.
/** @typedef {{ first: number, low: number, high: number }} Extent across; `first` is where an end begins */

/** @type {(stops: Stop[], stage: number, box: Ground["box"], end: number, extent: Extent) => Shape[]} */
export const present = (stops, stage, box, end, { first, low, high }) => {
  const { from, to, isEnd } = stopAt(stops, stage);
  const last = stops.at(-1);
  const wider = last?.isEnd && !isEnd && first < low ? box(last.from, end, first, low) : null;
  return [
    { key: "veil", tag: "rect", attributes: { class: "veil", ...box(to, Math.max(end, to), low, high) } },
    ...(wider ? [{ key: "wider", tag: "rect", attributes: { class: "veil", ...wider } }] : []),
    { key: "here", tag: "rect", attributes: { class: "here", rx: 6, ...box(from, to, isEnd ? first : low, high) } },
  ];
};
