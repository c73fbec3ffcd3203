// The whole model in one picture: where things are.

import assert from "node:assert/strict";
import { test } from "node:test";

import {
  across,
  amongWidest,
  band,
  fewer,
  fitting,
  halfOf,
  lanesIn,
  laneOutline,
  namedSlots,
  ribbonsOf,
  widestOf,
} from "../../lmviz/ui/step_through/browser/whole_layout.js";
import { present } from "../../lmviz/ui/step_through/browser/whole_shapes.js";

/** @import { WholePart } from "../../lmviz/ui/step_through/browser/whole.d.ts" */

const BLOCK = ["norm", "qkv", "scores", "softmax", "mix", "residual", "norm", "mlp", "residual"];

/** @type {(kind: string, stage: number, block: number | null) => WholePart} */
const part = (kind, stage, block) => ({
  ...{ kind, stage, block, label: kind, is_stream: kind === "residual" },
  ...{ lengths: null, grades: null, peak: 0, shares: null },
});

/** @type {(n: number) => WholePart[]} */
const partsOf = (n) => {
  const kinds = [
    ...["tokenizer", "embeddings"].map((kind) => ({ kind, block: null })),
    ...Array.from({ length: n }, (_, block) => BLOCK.map((kind) => ({ kind, block }))).flat(),
    ...["final_norm", "logits", "probabilities", "loss"].map((kind) => ({ kind, block: null })),
  ];
  return kinds.map(({ kind, block }, stage) => part(kind, stage, block));
};

// Weights of a causal model with four tokens: each row sums to 1.
const SHARES = Float32Array.from([1, 0, 0, 0, 0.25, 0.75, 0, 0, 0.5, 0.125, 0.375, 0, 0.625, 0.25, 0.0625, 0.0625]);

test("parts lie one after the other and fill the room between the ends", () => {
  for (const n of [1, 3, 12]) {
    const { slots } = fitting(partsOf(n), 60, 1000, 10);
    slots.slice(1).forEach((slot, i) => assert.ok(slot.from >= slots[i].to - 1e-6 && slot.to > slot.from));
    assert.equal(slots[0].from, 60);
    assert.ok(Math.abs((slots.at(-1)?.to ?? 0) - 1000) < 1e-6);
  }
});

test("where there is no room for all stages, a block is its attention and its MLP", () => {
  assert.ok(fitting(partsOf(2), 60, 1000, 10).isWhole);
  const { slots, isWhole } = fitting(partsOf(10), 60, 1000, 10);
  assert.ok(!isWhole);
  assert.deepEqual(
    slots.filter((slot) => slot.part.block === 4).map((slot) => slot.part.kind),
    ["softmax", "mlp"],
  );
  const other = [part("other", 1, 0), part("other", 2, 0)]; // a block that has neither keeps its last stage
  assert.deepEqual(
    fewer(other).map(({ stage }) => stage),
    [2],
  );
});

test("a ribbon is as wide as its weight, and those that arrive at a token lie side by side", () => {
  const unit = 40;
  const ribbons = ribbonsOf(SHARES, 4, unit, 1000, 4, 3);
  assert.deepEqual(
    ribbons.map(({ query, key, share }) => [query, key, share]),
    [...SHARES].flatMap((share, i) => (share ? [[Math.floor(i / 4), i % 4, share]] : [])),
  );
  for (let query = 0; query < 4; query += 1) {
    const arriving = ribbons.filter((ribbon) => ribbon.query === query);
    assert.ok(Math.abs(arriving[0].arrives - (arriving[0].share / 2 - 0.5) * unit) < 1e-6);
    arriving.slice(1).forEach((ribbon, i) => {
      const apart = ((ribbon.share + arriving[i].share) / 2) * unit;
      assert.ok(Math.abs(ribbon.arrives - arriving[i].arrives - apart) < 1e-6);
    });
  }
});

test("ribbons leave a lane within the room that it has", () => {
  for (const room of [10, 30, 500])
    for (const { leaves } of ribbonsOf(SHARES, 4, 40, room, 4, 3)) assert.ok(Math.abs(leaves) <= room / 2 + 1e-6);
});

test("of too many ribbons the widest of each token are drawn, and all of the followed one's", () => {
  assert.equal(widestOf([SHARES], 4, 10), 4);
  assert.equal(widestOf([SHARES], 4, 9), 2);
  assert.equal(widestOf([SHARES, SHARES], 4, 1), 1);
  assert.deepEqual(amongWidest(SHARES.subarray(8, 12), 2), [true, false, true, false]);
  const drawn = ribbonsOf(SHARES, 4, 40, 1000, 1, 3).map(({ query, key }) => `${query}${key}`);
  assert.deepEqual(drawn, ["00", "11", "20", "30", "31", "32", "33"]);
});

test("a weight that is negative or no number has no ribbon", () => {
  const ribbons = ribbonsOf(Float32Array.from([NaN, -1, 0.5, Infinity * 0]), 2, 40, 100, 2, 1);
  assert.deepEqual(
    ribbons.map(({ query, key }) => [query, key]),
    [[1, 0]],
  );
});

test("a lane is as thick as its vector is long", () => {
  assert.equal(halfOf(5, 10, 20), 5);
  assert.equal(halfOf(10, 10, 20), 10);
  assert.equal(halfOf(NaN, 10, 20), halfOf(0, 10, 20));
  const outline = laneOutline(across, 50, 0, 100, 2, [{ at: 40, half: 8, upto: 60 }]);
  assert.match(outline, /^M0\.0,48\.0L40\.0,48\.0C/);
  assert.match(outline, /L100\.0,42\.0L100\.0,58\.0/);
  assert.match(outline, /L0\.0,52\.0Z$/);
});

test("lanes share the room evenly", () => {
  const { centre, space } = lanesIn(4, 100, 300);
  assert.deepEqual([0, 1, 2, 3].map(centre), [125, 175, 225, 275]);
  assert.equal(space, 50);
});

test("names of stages that are shown never lie on each other, and that of the softmax is shown", () => {
  for (const width of [500, 700, 1000, 1900]) {
    const { slots } = fitting(partsOf(3), 60, width, 10);
    const named = [...namedSlots(slots, 6)].sort((a, b) => a.from - b.from);
    named.slice(1).forEach((slot, i) => {
      const [before, after] = [named[i], slot].map(({ part: { label }, from, to }) => {
        const middle = (from + to) / 2;
        return [middle - label.length * 3, middle + label.length * 3];
      });
      assert.ok(before[1] <= after[0]);
    });
    assert.equal(named.filter((slot) => slot.part.kind === "softmax").length, 3);
  }
});

test("a band stays within its ends, and thick where it is steep", () => {
  /** @type {(d: string) => number[][]} */
  const corners = (d) => (d.match(/-?[\d.]+,-?[\d.]+/g) ?? []).map((place) => place.split(",").map(Number));
  for (const rise of [-300, 0, 20, 300]) {
    const ends = [0, rise].map((centre, i) => ({ along: 50 * i, centre, half: 20 - 10 * i }));
    const [, up, upThen, topEnd, lowEnd, lowThen] = corners(band(across, ends[0], ends[1]));
    assert.deepEqual(
      [topEnd, lowEnd],
      [
        [50, rise - 10],
        [50, rise + 10],
      ],
    );
    for (const [x] of [up, upThen, lowThen]) assert.ok(x >= 0 && x <= 50);
    const thick = Math.abs(up[0] - lowThen[0]) * 1.5; // where both edges are steepest
    assert.ok(Math.abs(rise) < 300 ? thick < 15 : thick > 20 && thick <= 60, `${rise}: ${thick}`);
  }
});

test("what is still to come is veiled over all of its width, also where its end begins further left", () => {
  const stops = [
    { stage: 0, from: 0, to: 50 },
    { stage: 5, from: 60, to: 90, isEnd: true },
  ];
  /** @type {import("../../lmviz/ui/step_through/browser/whole_shapes.js").Ground["box"]} */
  const box = (from, to, low, high) => ({ x: low, y: from, width: high - low, height: to - from });
  /** @type {(stage: number, low: number) => unknown[]} */
  const veils = (stage, low) =>
    present(stops, stage, box, 90, { first: 2, low, high: 300 })
      .filter(({ attributes }) => attributes.class === "veil" && Number(attributes.height) > 0)
      .map(({ attributes: { x, y, width, height } }) => [x, y, width, height]);
  assert.deepEqual(veils(0, 92), [
    [92, 50, 208, 40],
    [2, 60, 90, 30],
  ]);
  assert.deepEqual([veils(5, 92), veils(0, 2)], [[], [[2, 50, 298, 40]]]);
});
