// The whole model in one picture: where things are. Pure: numbers in, numbers and paths out.
//
// A picture has two directions: *along* runs from the text to the chances, *across* from token to token. On a wide
// screen along is to the right, on a phone it is down.

// @ts-check

/** @import { WholePart } from "./whole.d.ts" */

import { clamp } from "../../browser/numbers.js";

/** @typedef {{ part: WholePart, from: number, to: number }} Slot the room of a part along the picture */
/** @typedef {{ query: number, key: number, share: number, leaves: number, arrives: number }} Ribbon offsets from lanes */
/** @typedef {{ centre: (lane: number) => number, space: number }} Lanes */

/** @type {Record<string, number>} how much room a stage has, beside others */
const ROOM = {
  embeddings: 2,
  qkv: 1.15,
  scores: 1.3,
  softmax: 3.2,
  mix: 1.15,
  residual: 0.75,
  mlp: 2.6,
  logits: 2.2,
};
const LEAST_UNIT = 15; // pixels: with less, a block is drawn as attention and MLP only
export const MOST_RIBBONS = 1300; // that are drawn, beside those of the followed token
const FEW = ["softmax", "mlp"];

/** @type {(kind: string) => number} */
const roomOf = (kind) => ROOM[kind] ?? 1;

/** @type {(part: WholePart) => boolean} */
const isInside = ({ kind }) => kind !== "tokenizer" && kind !== "probabilities" && kind !== "loss";

// Of each block its attention and its MLP alone; of one that has neither, its last stage.
/** @type {(parts: WholePart[]) => WholePart[]} */
export const fewer = (parts) => {
  const blocks = new Set(parts.filter(({ kind }) => FEW.includes(kind)).map(({ block }) => block));
  const lasts = new Map(parts.map((part) => [part.block, part]));
  return parts.filter((part) => {
    if (part.block === null) return true;
    return blocks.has(part.block) ? FEW.includes(part.kind) : lasts.get(part.block) === part;
  });
};

/**
 * The room of each part between two ends.
 *
 * @type {(parts: WholePart[], from: number, to: number, gap: number) => { slots: Slot[], unit: number }}
 */
export const slotsOf = (parts, from, to, gap) => {
  const inside = parts.filter(isInside);
  const gaps = inside.filter((part, i) => i > 0 && part.block !== inside[i - 1].block).length;
  const sum = inside.reduce((total, part) => total + roomOf(part.kind), 0);
  const unit = Math.max(0, to - from - gaps * gap) / Math.max(sum, 1);
  let at = from;
  const slots = inside.map((part, i) => {
    if (i > 0 && part.block !== inside[i - 1].block) at += gap;
    const slot = { part, from: at, to: at + unit * roomOf(part.kind) };
    at = slot.to;
    return slot;
  });
  return { slots, unit };
};

// All parts where they have room, else fewer.
/** @type {(parts: WholePart[], from: number, to: number, gap: number) => { slots: Slot[], isWhole: boolean }} */
export const fitting = (parts, from, to, gap) => {
  const all = slotsOf(parts, from, to, gap);
  if (all.unit >= LEAST_UNIT) return { slots: all.slots, isWhole: true };
  return { slots: slotsOf(fewer(parts), from, to, gap).slots, isWhole: false };
};

const NAMED_FIRST = ["softmax", "attention", "mlp", "logits", "embeddings", "mix", "qkv", "scores", "residual"];

// The slots whose names have room beside each other, those first that say most.
/** @type {(slots: Slot[], letter: number) => Set<Slot>} */
export const namedSlots = (slots, letter) => {
  /** @type {(slot: Slot) => number} */
  const rank = ({ part }) => (NAMED_FIRST.includes(part.kind) ? NAMED_FIRST.indexOf(part.kind) : NAMED_FIRST.length);
  /** @type {(slot: Slot) => [number, number]} */
  const extent = ({ part, from, to }) => {
    const half = (part.label.length * letter) / 2 + 2;
    return [(from + to) / 2 - half, (from + to) / 2 + half];
  };
  /** @type {Set<Slot>} */
  const named = new Set();
  for (const slot of [...slots].sort((a, b) => rank(a) - rank(b))) {
    const [low, high] = extent(slot);
    const isFree = [...named].every((other) => extent(other)[1] <= low || high <= extent(other)[0]);
    if (isFree) named.add(slot);
  }
  return named;
};

/** @type {(n: number, from: number, to: number) => Lanes} */
export const lanesIn = (n, from, to) => {
  const space = (to - from) / n;
  return { centre: (lane) => from + (lane + 0.5) * space, space };
};

// The slot that a stage is drawn in: its own, else the last one that begins before it.
/** @type {(slots: Slot[], stage: number) => Slot | null} */
export const slotAt = (slots, stage) => {
  const before = slots.filter((slot) => slot.part.stage <= stage);
  return before.at(-1) ?? null;
};

// How many ribbons of a token are drawn, the widest, where only so many can be in all; `n` where all are.
/** @type {(all: Float32Array[], n: number, most: number) => number} */
export const widestOf = (all, n, most) => {
  const count = all.reduce((sum, shares) => sum + shares.filter((share) => share > 0).length, 0);
  return count <= most ? n : Math.max(1, Math.min(n, Math.floor(most / Math.max(1, n * all.length))));
};

// Whether each weight of a row is among its widest.
/** @type {(row: Float32Array, widest: number) => boolean[]} */
export const amongWidest = (row, widest) => {
  const order = [...row.keys()].filter((key) => row[key] > 0).sort((a, b) => row[b] - row[a]);
  const drawn = new Set(order.slice(0, widest));
  return [...row.keys()].map((key) => drawn.has(key));
};

/**
 * The ribbons of one head in one place: those that arrive at a lane lie side by side, and so do those that leave it.
 * `room` is what those that leave a lane may take; of the `followed` lane all are drawn, of the others the widest.
 *
 * @type {(shares: Float32Array, n: number, unit: number, room: number, widest: number, followed: number) => Ribbon[]}
 */
export const ribbonsOf = (shares, n, unit, room, widest, followed) => {
  const drawn = Array.from({ length: n }, (_, query) => {
    const row = shares.subarray(query * n, (query + 1) * n);
    const shown = amongWidest(row, query === followed ? n : widest);
    return [...row.keys()].filter((key) => shown[key]).map((key) => ({ query, key, share: row[key] }));
  });
  const left = new Float64Array(n); // of each lane, what all ribbons that leave it take, and what they have taken so far
  const taken = new Float64Array(n);
  for (const { key, share } of drawn.flat()) left[key] += share;
  return drawn.flatMap((row) => {
    let arrived = -row.reduce((sum, { share }) => sum + share, 0) / 2;
    return row.map(({ query, key, share }) => {
      const squeezed = Math.min(1, room / (left[key] * unit)); // a lane that all read has no room for all of it
      const leaves = (taken[key] + share / 2 - left[key] / 2) * unit * squeezed;
      const arrives = (arrived + share / 2) * unit;
      arrived += share;
      taken[key] += share;
      return { query, key, share, leaves, arrives };
    });
  });
};

// Half the thickness of a lane whose vector has a length: as long, so thick.
/** @type {(length: number, longest: number, most: number) => number} */
export const halfOf = (length, longest, most) =>
  longest > 0 && Number.isFinite(length) ? Math.max(0.6, (clamp(length / longest, 0, 1) * most) / 2) : 0.6;

/** @typedef {(along: number, across: number) => string} Point writes a place as x and y */

/** @type {Point} */
export const across = (x, y) => `${x.toFixed(1)},${y.toFixed(1)}`;

/** @type {Point} */
export const down = (y, x) => `${x.toFixed(1)},${y.toFixed(1)}`;

// A line from lane to lane that leaves and arrives straight.
/** @type {(at: Point, from: number, to: number, a: number, b: number) => string} */
export const swing = (at, from, to, a, b) => {
  const middle = (from + to) / 2;
  return `M${at(from, a)}C${at(middle, a)} ${at(middle, b)} ${at(to, b)}`;
};

/** @typedef {{ at: number, half: number, upto: number }} Swell from where to where a lane comes to a thickness */

// The outline of a lane: as thick as its swells say, one after the other.
/** @type {(at: Point, centre: number, from: number, to: number, first: number, swells: Swell[]) => string} */
export const laneOutline = (at, centre, from, to, first, swells) => {
  /** @type {(side: number) => string[]} */
  const edge = (side) => {
    const points = [`${at(from, centre + side * first)}`];
    let half = first;
    for (const swell of swells) {
      const middle = (swell.at + swell.upto) / 2;
      points.push(`L${at(swell.at, centre + side * half)}`);
      points.push(
        `C${at(middle, centre + side * half)} ${at(middle, centre + side * swell.half)} ${at(swell.upto, centre + side * swell.half)}`,
      );
      half = swell.half;
    }
    points.push(`L${at(to, centre + side * half)}`);
    return points;
  };
  const last = swells.at(-1)?.half ?? first;
  // back along the other edge
  let back = `L${at(to, centre + last)}`;
  for (let i = swells.length - 1; i >= 0; i -= 1) {
    const { at: start, half, upto } = swells[i];
    const before = i > 0 ? swells[i - 1].half : first;
    const middle = (start + upto) / 2;
    back += `L${at(upto, centre + half)}C${at(middle, centre + half)} ${at(middle, centre + before)} ${at(start, centre + before)}`;
  }
  return `M${edge(-1).join("")}${back}L${at(from, centre + first)}Z`;
};

/** @typedef {{ along: number, centre: number, half: number }} End of a band: where it is, and half its thickness */

// A band from one place to another, each edge of which swings by itself: a thick line would fold where it is steep. Where
// it is, one edge turns before the other, so that it stays thick.
/** @type {(at: Point, from: End, to: End) => string} */
export const band = (at, from, to) => {
  const [length, rise] = [to.along - from.along, to.centre - from.centre];
  const apart = (Math.min(from.half + to.half, length / 3) * rise) / (Math.abs(rise) + length || 1);
  const middle = (from.along + to.along) / 2;
  const [up, low] = [from.centre - from.half, from.centre + from.half];
  const [upThen, lowThen] = [to.centre - to.half, to.centre + to.half];
  return (
    `M${at(from.along, up)}C${at(middle + apart, up)} ${at(middle + apart, upThen)} ${at(to.along, upThen)}` +
    `L${at(to.along, lowThen)}C${at(middle - apart, lowThen)} ${at(middle - apart, low)} ${at(from.along, low)}Z`
  );
};

// An almond around a lane: what an MLP adds.
/** @type {(at: Point, centre: number, from: number, to: number, half: number) => string} */
export const almond = (at, centre, from, to, half) => {
  const [a, b] = [from + (to - from) * 0.3, to - (to - from) * 0.3];
  const [up, low] = [centre - half, centre + half];
  return (
    `M${at(from, centre)}C${at((from + a) / 2, centre)} ${at((from + a) / 2, up)} ${at(a, up)}L${at(b, up)}` +
    `C${at((b + to) / 2, up)} ${at((b + to) / 2, centre)} ${at(to, centre)}` +
    `C${at((b + to) / 2, centre)} ${at((b + to) / 2, low)} ${at(b, low)}L${at(a, low)}` +
    `C${at((from + a) / 2, low)} ${at((from + a) / 2, centre)} ${at(from, centre)}Z`
  );
};
