// The whole model in one picture, full: its parts with their names and tiny pictures, its lanes, and the chances.

// @ts-check

/** @import { WholePart } from "./whole.d.ts" */
/** @import { Shades } from "../../browser/client.d.ts" */
/** @import { Shape } from "./svg.js" */
/** @import { Slot } from "./whole_layout.js" */
/** @import { Model } from "./whole_model.js" */
/** @import { Ground, Stop } from "./whole_shapes.js" */

import { clamp } from "../../browser/numbers.js";
import { tellWish } from "./place.js";
import { chances } from "./whole_chances.js";
import { across, down, fitting, lanesIn, namedSlots } from "./whole_layout.js";
import { filled, laneOf, laneText, lengthText, numbersOf, whereOf } from "./whole_model.js";
import { flow, leftOut, present } from "./whole_shapes.js";
import { tiny, tinyColour, tinyPicture } from "./whole_tiny.js";

/**
 * @typedef {object} Wanted
 * @property {number} width pixels
 * @property {number} height
 * @property {boolean} isDown whether it runs down
 * @property {number} head by its place among the heads
 * @property {number} pos the followed token's
 * @property {Shades} scale
 * @property {boolean} isDark
 * @property {number} letter the width of one in a part's name
 */

/**
 * @typedef {object} Drawing
 * @property {Shape[]} back
 * @property {Shape[]} middle
 * @property {Shape[]} front
 * @property {Stop[]} stops
 * @property {(stage: number) => Shape[]} present
 * @property {number} width
 * @property {number} height
 * @property {number} widest how many ribbons of a token are drawn
 * @property {number} lost the share of all attention that is not
 */

const HEADER = 66; // pixels of names and tiny pictures above the lanes
const SIDE = 92; // the same beside them, where the picture runs down
const TAIL = 216; // of the chances
const FAN = 56; // from a lane's end to the chances
const GAP = 10; // between blocks
const GAP_DOWN = 28; // the same where the picture runs down: their names stand there
const UNIT_DOWN = 26; // pixels of an ordinary part where the picture runs down
const TINY = 22; // the side of a tiny picture
const MOST_LANES_WITH_CELLS = 20;

/** @type {(isDown: boolean) => Ground["box"]} */
const boxIn = (isDown) => (from, to, low, high) =>
  isDown
    ? { x: low, y: from, width: Math.max(0, high - low), height: Math.max(0, to - from) }
    : { x: from, y: low, width: Math.max(0, to - from), height: Math.max(0, high - low) };

// -- parts, each a door to its stage ---------------------------------------------------------------------------------

/** @type {(model: Model, wanted: Wanted, ground: Ground, slot: Slot, fits: boolean) => Shape} */
const door = (model, wanted, { box }, { part, from, to }, fits) => {
  const { isDown, width, height } = wanted;
  const size = Math.min(TINY, to - from - 4);
  const middle = (from + to) / 2;
  const [x, y] = isDown ? [SIDE - size - 8, middle - size / 2] : [middle - size / 2, 22];
  const label = isDown
    ? { x: SIDE - size - 14, y: middle + 4, "text-anchor": "end" }
    : { x: middle, y: 60, "text-anchor": "middle" };
  const where = whereOf(model, part);
  return {
    key: `d${part.stage}`,
    tag: "g",
    attributes: {
      class: fits ? "door" : "door tight",
      role: "button",
      "data-stage": part.stage,
      "aria-label": filled(model.data.words["whole.go"], { where }),
    },
    act: () => tellWish({ type: "stage", index: part.stage }),
    tip: () => where,
    inside: [
      {
        key: "hit",
        tag: "rect",
        attributes: { class: "hit", rx: 6, ...box(from, to, isDown ? 0 : 20, isDown ? width : height) },
      },
      ...tiny(tinyPicture(model, part, wanted), x, y, size),
      { key: "label", tag: "text", attributes: { class: "part", ...label }, text: part.label },
    ],
  };
};

/** @type {(model: Model, wanted: Wanted, ground: Ground) => Shape[]} */
const blocks = (model, { isDown, width, height, letter }, { slots, box }) =>
  model.data.blocks.flatMap((block, i) => {
    const own = slots.filter(({ part }) => part.block === i);
    if (!own.length) return [];
    const [from, to] = [own[0].from - (isDown ? 21 : 3), own[own.length - 1].to + 3];
    const name = `${model.data.words["whole.block"]} ${block.name}`;
    const fits = isDown || name.length * letter < to - from;
    const place = isDown ? { x: 8, y: from + 15 } : { x: from + 8, y: 14 };
    return [
      {
        key: `b${i}`,
        tag: "rect",
        attributes: { class: "block", rx: 10, ...box(from, to, 0, isDown ? width : height) },
      },
      { key: `n${i}`, tag: "text", attributes: { class: "name", ...place }, text: fits ? name : block.name },
    ];
  });

// -- tokens, and what a vector looks like ----------------------------------------------------------------------------

/** @type {(model: Model, wanted: Wanted, ground: Ground) => Shape[]} */
const tokens = (model, { pos, isDown }, { lanes, from }) => {
  const followed = laneOf(model, pos);
  const every = Math.max(1, Math.ceil((isDown ? 12 : 13) / lanes.space)); // where there is no room for all of them
  return model.data.lanes.flatMap(({ text, last }, lane) => {
    const away = Math.abs(lane - followed);
    if (away && (away < every || (model.n - 1 - lane) % every)) return [];
    const middle = lanes.centre(lane);
    const size = clamp(lanes.space * every * (isDown ? 0.5 : 0.8), 8, 16);
    const most = isDown ? Math.max(1, Math.floor((lanes.space * every) / (size * 0.62))) : 12;
    const short = text.length > most ? `${text.slice(0, most - 1)}…` : text;
    const place = isDown
      ? { x: middle, y: from - 10, "text-anchor": "middle" }
      : { x: from - 10, y: middle + 5, "text-anchor": "end" };
    return {
      key: `t${lane}`,
      tag: "text",
      attributes: {
        class: lane === followed ? "token followed" : "token",
        "font-size": size.toFixed(1),
        "data-lane": lane,
        ...place,
      },
      text: short,
      tip: () => laneText(model, lane),
      act: () => tellWish({ type: "focus", pos: last }),
    };
  });
};

// Some numbers of each token's vector, in the slot of the stage that made it.
/** @type {(model: Model, wanted: Wanted, ground: Ground) => Shape[]} */
const cells = (model, { scale }, { slots, lanes, box }) => {
  if (model.n > MOST_LANES_WITH_CELLS) return [];
  return slots
    .filter(({ part }) => ["embeddings", "mlp", "logits"].includes(part.kind))
    .flatMap(({ part, from, to }) => {
      const found = numbersOf(model, part).cells;
      if (!found) return [];
      const cols = found.length / model.n;
      const [inset, half] = [(to - from) * (part.kind === "mlp" ? 0.2 : 0.08), Math.min(7, lanes.space * 0.16)];
      const step = (to - from - 2 * inset) / cols;
      const frames = model.data.lanes.map((_, lane) => ({
        key: `k${part.stage}.${lane}`,
        tag: "rect",
        attributes: {
          class: "strand",
          ...box(from + inset, to - inset, lanes.centre(lane) - half, lanes.centre(lane) + half),
        },
      }));
      const drawn = [...found].map((grade, i) => {
        const middle = lanes.centre(Math.floor(i / cols));
        const start = from + inset + (i % cols) * step;
        return {
          key: `c${part.stage}.${i}`,
          tag: "rect",
          attributes: {
            class: "cell",
            fill: `rgb(${tinyColour(grade, false, scale)})`,
            ...box(start, start + step, middle - half, middle + half),
          },
        };
      });
      return [...drawn, ...frames];
    });
};

// Where something is added to the stream: as large as what is added.
/** @type {(model: Model, ground: Ground) => Shape[]} */
const sums = (model, { slots, lanes, at }) =>
  slots
    .filter(({ part }) => part.kind === "residual")
    .flatMap(({ part, from, to }) =>
      model.data.lanes.map((_, lane) => {
        const [cx, cy] = at((from + to) / 2, lanes.centre(lane)).split(",");
        const r = clamp(Math.min((to - from) / 2, lanes.space * 0.2), 1.5, 8);
        return {
          key: `p${part.stage}.${lane}`,
          tag: "g",
          attributes: { class: "sum", "data-lane": lane, transform: `translate(${cx} ${cy})` },
          tip: () => lengthText(model, part, lane),
          act: () => tellWish({ type: "stage", index: part.stage }),
          inside: [
            { key: "o", tag: "circle", attributes: { r } },
            { key: "+", tag: "path", attributes: { d: `M${-r * 0.55},0H${r * 0.55}M0,${-r * 0.55}V${r * 0.55}` } },
          ],
        };
      }),
    );

// -- all together ----------------------------------------------------------------------------------------------------

/** @type {(model: Model, wanted: Wanted) => Drawing} */
export const fullDrawing = (model, wanted) => (wanted.isDown ? drawnDown(model, wanted) : drawnAcross(model, wanted));

/** @type {(model: Model) => number} */
const longestText = ({ data }) => Math.max(...data.lanes.map(({ text }) => Math.min(12, text.length)));

/** @type {(model: Model, wanted: Wanted) => Drawing} */
const drawnAcross = (model, wanted) => {
  const { width, height } = wanted;
  const tail = model.data.chances.length ? TAIL + FAN : 24;
  const from = clamp(24 + longestText(model) * 9, 64, 140);
  const to = width - tail;
  const { slots } = fitting(model.data.parts, from, to, GAP);
  const ground = { at: across, box: boxIn(false), slots, lanes: lanesIn(model.n, HEADER, height - 6), from, to };
  const row = clamp((height - HEADER - 60) / 7, 18, 34);
  const top = HEADER + (height - HEADER) / 2 - row * 3;
  const place = { x: to + FAN, y: top, width: TAIL - 10, row };
  return assembled(model, wanted, ground, chances(model, wanted, ground, place), {
    width,
    height,
    end: width,
    below: top + row * 6,
  });
};

/** @type {(model: Model, wanted: Wanted) => Drawing} */
const drawnDown = (model, wanted) => {
  const { width } = wanted;
  const from = 40;
  const length = Math.max(wanted.height - 300, downLength(model));
  const to = from + length;
  const { slots } = fitting(model.data.parts, from, to, GAP_DOWN);
  const ground = { at: down, box: boxIn(true), slots, lanes: lanesIn(model.n, SIDE, width - 4), from, to };
  const place = { x: 8, y: to + 48, width: width - 20, row: 30 };
  const end = model.data.chances.length ? to + 48 + 6 * 30 + 30 : to + 10;
  return assembled(model, wanted, ground, chances(model, wanted, ground, place), {
    width,
    height: end,
    end,
    below: end - 8,
  });
};

/** @type {(model: Model) => number} */
const downLength = ({ data }) => data.parts.length * UNIT_DOWN * 1.35 + data.blocks.length * GAP_DOWN;

/** @typedef {{ width: number, height: number, end: number, below: number }} Extent in pixels; where the loss is named */

/** @type {(model: Model, wanted: Wanted, ground: Ground, told: Shape[], extent: Extent) => Drawing} */
const assembled = (model, wanted, ground, told, { width, height, end, below }) => {
  const { slots, box, from, to } = ground;
  const { widest, lost } = leftOut(model, [wanted.head], wanted.pos);
  const choice = { head: wanted.head, pos: wanted.pos, tips: true, prefix: "f" };
  /** @type {Stop[]} */
  const stops = model.data.parts.flatMap(({ kind, stage }) => {
    if (kind === "tokenizer") return [{ stage, from: 0, to: from - 2, isEnd: true }];
    const slot = slots.find(({ part }) => part.stage === stage);
    return slot ? [{ stage, from: slot.from, to: slot.to }] : [];
  });
  const behind = model.data.parts.filter(({ kind }) => kind === "probabilities" || kind === "loss");
  if (behind.length) stops.push({ stage: behind[0].stage, from: to + 2, to: end - 2, isEnd: true });
  const side = wanted.isDown ? width : height;
  const low = wanted.isDown ? SIDE - 4 : HEADER - 2;
  const first = wanted.isDown ? 2 : low;
  const named = wanted.isDown ? new Set(slots) : namedSlots(slots, wanted.letter);
  return {
    back: [
      ...blocks(model, wanted, ground),
      ...slots.map((slot) => door(model, wanted, ground, slot, named.has(slot))),
    ],
    middle: [...flow(model, ground, choice, widest), ...cells(model, wanted, ground), ...sums(model, ground), ...told],
    front: [...tokens(model, wanted, ground), ...ends(model, wanted, ground, behind, below)],
    stops,
    present: (stage) => present(stops, stage, box, end, { first, low, high: side }),
    width,
    height,
    widest,
    lost,
  };
};

// The doors at both ends: the text, the chances and the loss.
/** @type {(model: Model, wanted: Wanted, ground: Ground, behind: WholePart[], below: number) => Shape[]} */
const ends = (model, wanted, ground, behind, below) => {
  const { isDown, width } = wanted;
  const first = model.data.parts.find(({ kind }) => kind === "tokenizer");
  /** @type {(part: WholePart, x: number, y: number) => Shape} */
  const named = (part, x, y) => ({
    key: `e${part.stage}`,
    tag: "g",
    attributes: {
      class: "door end",
      role: "button",
      "data-stage": part.stage,
      "aria-label": filled(model.data.words["whole.go"], { where: whereOf(model, part) }),
    },
    act: () => tellWish({ type: "stage", index: part.stage }),
    inside: [
      { key: "hit", tag: "rect", attributes: { class: "hit", rx: 6, x: x - 34, y: y - 16, width: 68, height: 24 } },
      { key: "label", tag: "text", attributes: { class: "part", x, y, "text-anchor": "middle" }, text: part.label },
    ],
  });
  const start = isDown ? { x: 42, y: 22 } : { x: ground.from / 2 + 2, y: 60 };
  const shapes = first ? [named(first, start.x, start.y)] : [];
  behind.forEach((part, i) => {
    const x = isDown ? width / 2 - 40 + i * 80 : ground.to + FAN + 110 + i * 76;
    shapes.push(named(part, x, isDown ? below : 60));
  });
  return shapes;
};
