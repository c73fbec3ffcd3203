// What is said of the pinned cell: its number, and the arithmetic behind it, as lmviz/ui/step_through/inspector.py says it.

// @ts-check

/** @import { Line, Piece } from "../../browser/arithmetic.d.ts" */
/** @import { AnyNumber, Real } from "../../browser/panel.d.ts" */
/** @import { Arithmetic, Inspection } from "../../step_through/browser/scene.d.ts" */
/** @import { KeptTensor } from "./walk.d.ts" */
/** @import { Page, Why } from "./explained.js" */
/** @import { View } from "./view.js" */

import { cellAt, explained, flatPlace, numberAt } from "./explained.js";
import { lineOf } from "./written_line.js";

const LINES = 4; // how far a number is followed through steps that have only one activation to follow
const FOLLOWED = 8;
/** @type {Record<string, number>} */
const PRECISE = { float64: 1e-9, float32: 2e-5 };

/** @type {(value: number) => Real} */
export const sendable = (value) =>
  Number.isFinite(value) ? value : Number.isNaN(value) ? "NaN" : value > 0 ? "Infinity" : "-Infinity";

// The number in a cell; of a tensor that is here in part, or not at all, null.
/** @type {(page: Page, tensor: KeptTensor, cell: number[]) => AnyNumber | null} */
export const valueIn = (page, tensor, cell) => {
  const place = flatPlace(cell, tensor.shape);
  if (tensor.two) {
    const [re, im] = tensor.two.map((stored) => sendable(page.numbers(stored)[place]));
    return { re, im };
  }
  if (tensor.array !== null) return sendable(numberAt(page, tensor, place));
  return tensor.part && inPart(page, tensor, cell);
};

/** @type {(page: Page, tensor: KeptTensor, cell: number[]) => Real | null} */
const inPart = ({ numbers }, { part }, cell) => {
  const stored = part?.leads[cell.slice(0, -2).join(",")];
  if (!part || stored === undefined) return null;
  const [row, col] = [0, 0, ...cell].slice(-2).map((index, axis) => index - part.start[axis]);
  const isInside = row >= 0 && col >= 0 && row < part.size[0] && col < part.size[1];
  return isInside ? sendable(numbers(stored)[row * part.size[1] + col]) : null;
};

// Whether an independent result is the recorded number, to the precision of its type.
/** @type {(recomputed: number, recorded: number, dtype: string) => boolean} */
const agrees = (recomputed, recorded, dtype) => {
  if (recomputed === recorded || (Number.isNaN(recomputed) && Number.isNaN(recorded))) return true;
  const size = Math.max(Math.abs(recomputed), Math.abs(recorded));
  return Math.abs(recomputed - recorded) <= (PRECISE[dtype] ?? 2e-2) * size + 1e-6;
};

/** @type {(page: Page, view: View, names: Map<string, string>) => Inspection | null} */
export const inspectionOf = (page, view, names) => {
  if (!view.cell) return null;
  const [address, cell] = view.cell;
  const tensor = page.walk.tensors[page.walk.by_address[address]];
  const value = tensor && valueIn(page, tensor, cell);
  if (value === null || value === undefined) return null;
  const written = arithmeticOf(page, view, tensor, cell);
  return {
    address,
    name: names.get(address) ?? (tensor.name || address),
    cell,
    shape: tensor.shape,
    axes: tensor.axes,
    value,
    whole: !/^(float|bfloat|complex)/.test(tensor.dtype),
    gradient: false,
    role: written ? roleOf(tensor) : "left_out",
    trail: view.trail.map(([at, there]) => ({ cell: there, name: at.split(".").at(-1) ?? at })),
    ...(written ?? NOTHING),
    lines: (written ?? NOTHING).lines.map((line) => ({
      ...line,
      pieces: line.pieces.map((one) => placed(page, one, names)),
    })),
    other: null,
    change: null,
    edited: wasEdited(page, address, cell),
    fixed: true,
  };
};

/** @type {(page: Page, address: string, cell: number[]) => boolean} */
const wasEdited = ({ walk }, address, cell) =>
  walk.edited.some(
    (one) => one.address === address && one.at.every((index, axis) => index === null || index === cell[axis]),
  );

/** @type {(tensor: KeptTensor) => string} */
const roleOf = ({ buffer, role }) => (buffer ? "constant" : role);

/** @type {Arithmetic} */
const NOTHING = { lines: [], recomputed: null, agrees: null, by_torch: false };

// The number written out; null where that is left out of the page.
/** @type {(page: Page, view: View, tensor: KeptTensor, cell: number[]) => Arithmetic | null} */
const arithmeticOf = (page, view, tensor, cell) => {
  const { address, shape, dtype } = tensor;
  if (page.walk.steps[address] === undefined) return NOTHING;
  if (!page.walk.arithmetic[address]) return null;
  const place = flatPlace(cell, shape);
  const why = explained(page, address, place);
  if (!why) return NOTHING;
  const recorded = numberAt(page, tensor, place);
  return {
    lines: unrolled(page, why, address).map(([one, at]) => lineFor(page, view, one, at)),
    recomputed: sendable(why.value),
    agrees: agrees(why.value, recorded, dtype),
    by_torch: why.form.by_torch,
  };
};

/** @type {(page: Page, view: View, why: Why, address: string) => Line} */
const lineFor = ({ walk }, view, why, address) => {
  const line = lineOf(why, view.digits, numbersIn(walk, view));
  const say = walk.languages[view.lang].sums[address];
  return say ? { ...line, say } : line;
};

/** @type {(walk: Page["walk"], view: View) => string} */
export const numbersIn = ({ parts, spoken }, { lang, depth }) => {
  const isPlain = !parts[depth].includes("powers");
  return isPlain && spoken[`${lang}-x-plain`] ? `${lang}-x-plain` : lang;
};

// An explanation, and those of the numbers behind it as long as there is just one to follow. A step that passes its
// number on unchanged is left out.
/** @type {(page: Page, why: Why, address: string) => [Why, string][]} */
const unrolled = (page, why, address) => {
  /** @type {[Why, string][]} */
  const lines = [[why, address]];
  for (let i = 0; i < FOLLOWED; i++) {
    const last = lines[lines.length - 1][0];
    const behind = last.follow && explained(page, last.follow.address, last.follow.place);
    if (!behind || !last.follow || lines.length === LINES) break;
    if (isClose(behind.value, last.value)) lines.pop();
    lines.push([behind, last.follow.address]);
  }
  return lines;
};

/** @type {(a: number, b: number) => boolean} */
const isClose = (a, b) => a === b || Math.abs(a - b) <= 1e-5 * Math.abs(b);

// A piece that says where in the picture its number is, where that is not at its own address.
/** @type {(page: Page, piece: Piece, shown: Map<string, string>) => Piece} */
const placed = (page, piece, shown) => {
  if (piece.terms)
    return {
      ...piece,
      terms: piece.terms.map(({ pieces }) => ({ pieces: pieces.map((one) => placed(page, one, shown)) })),
    };
  if (!piece.address || !piece.cell || shown.has(piece.address)) return piece;
  const seen = movedFrom(page, piece.address, piece.cell, shown);
  return seen ? { ...piece, seen } : piece;
};

// Where, among the tensors that are shown, the number of a cell stands that was only moved: k, where kᵀ is read.
/** @type {(page: Page, address: string, cell: number[], shown: Map<string, string>) => { address: string, cell: number[] } | null} */
const movedFrom = ({ walk, numbers }, address, cell, shown) => {
  let tensor = walk.tensors[walk.by_address[address]];
  let place = flatPlace(cell, tensor.shape);
  while (!shown.has(tensor.address)) {
    const before = (walk.moved[tensor.address] ?? [])
      .map((one) => ({ tensor: walk.tensors[one.tensor], place: numbers(one.places)[place] }))
      .filter((one) => one.place >= 0);
    if (before.length !== 1) return null;
    ({ tensor, place } = before[0]);
  }
  return { address: tensor.address, cell: cellAt(place, tensor.shape) };
};
