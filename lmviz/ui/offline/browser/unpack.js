// What the page holds, unpacked: the walk, and the numbers behind it.

// @ts-check

/** @import { Stored, Walk } from "./walk.d.ts" */

import { bytesIn } from "../../browser/numbers.js";

/** @typedef {Float32Array | Float64Array | Int32Array | Uint8Array} Numbers */
/** @typedef {(place: number) => Numbers} Reader */

const LENGTH = 4; // bytes that say how long the walk is
const ALIGNED = 8;

/** @type {(base64: string) => Promise<{ walk: Walk, numbers: Reader }>} */
export const unpacked = async (base64) => {
  const stream = new Blob([bytesIn(base64)]).stream().pipeThrough(new DecompressionStream("gzip"));
  return readWalk(await new Response(stream).arrayBuffer());
};

/** @type {(all: ArrayBuffer) => { walk: Walk, numbers: Reader }} */
export const readWalk = (all) => {
  const length = new DataView(all).getUint32(0, true);
  const walk = JSON.parse(new TextDecoder().decode(new Uint8Array(all, LENGTH, length)));
  const start = Math.ceil((LENGTH + length) / ALIGNED) * ALIGNED;
  return { walk, numbers: reader(walk.arrays, all, start) };
};

/** @type {(stored: Stored[], all: ArrayBuffer, start: number) => Reader} */
const reader = (stored, all, start) => {
  /** @type {Map<number, Numbers>} */
  const known = new Map();
  return (place) => {
    const found = known.get(place) ?? read(stored[place], all, start);
    known.set(place, found);
    return found;
  };
};

/** @type {(stored: Stored, all: ArrayBuffer, start: number) => Numbers} */
const read = ([kind, first, n], all, start) => {
  const at = start + first;
  if (kind === "f4") return new Float32Array(all, at, n);
  if (kind === "f8") return new Float64Array(all, at, n);
  if (kind === "u1") return new Uint8Array(all, at, n);
  const whole = new Int32Array(all, at, n);
  return kind === "i4" ? whole : summed(whole);
};

// Each number is kept as its difference to the one before.
/** @type {(steps: Int32Array) => Int32Array} */
const summed = (steps) => {
  let sum = 0;
  return steps.map((step) => {
    sum += step;
    return sum;
  });
};
