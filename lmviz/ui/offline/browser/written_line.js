// A line of arithmetic that is true as it stands: by the rules of lmviz/explain/line.py and lmviz/ui/arithmetic.py.

// @ts-check

/** @import { Line, Piece, Rest } from "../../browser/arithmetic.d.ts" */
/** @import { LinePiece, Why } from "./explained.js" */

import { isPlain, localised, rounded } from "../../browser/numbers.js";
import { TERMS, cellAt } from "./explained.js";
import { formulaOf } from "./formula.js";

const SHOWN = 6; // terms of a longer sum, the largest, until all are asked for
const SENT = 64; // that are shown then
const FEW = 4; // numbers of a line that may become long
const [MORE, MOST] = [3, 9]; // how many lengths of the operands are tried, in a line of many numbers and of few
const SHORT = 8; // characters of a number that is written as it is
const SIGN = /[+−×÷/*^-]\s*$/;

// A number of a line in plain text: whole and short ones as they are, others rounded.
/** @type {(value: number, digits: number, plain: boolean) => string} */
export const lineNumber = (value, digits, plain) => {
  if (Number.isNaN(value)) return "nan";
  if (!Number.isFinite(value)) return value > 0 ? "inf" : "-inf";
  if (Number.isInteger(value) && Math.abs(value) < 1e6) return String(value + 0).replace(/^-0$/, "0");
  const exact = String(value);
  const isWithoutPower = !exact.includes("e") && (value === 0 || Math.abs(value) >= 1e-4);
  return exact.length <= SHORT && isWithoutPower ? exact : rounded(value, digits, plain);
};

/** @type {(shown: string, lang: string) => string} */
const spoken = (shown, lang) => ({ nan: "NaN", inf: "∞", "-inf": "−∞" })[shown] ?? localised(shown, lang);

/** @type {(shown: string) => number} */
const readBack = (shown) => ({ nan: NaN, inf: Infinity, "-inf": -Infinity })[shown] ?? Number(shown);

/** @type {(value: number, digits: number, plain: boolean) => string} */
const roundedText = (value, digits, plain) =>
  Number.isFinite(value) ? rounded(value, digits, plain) : lineNumber(value, digits, plain);

// Of the terms of a sum the largest, in their order; all, where hardly more would be left out.
/** @type {(values: Float64Array, most: number) => number[]} */
const shortest = (values, most) => {
  const all = Array.from(values, (_, i) => i);
  if (values.length <= most + 2) return all;
  const size = (/** @type {number} */ i) => (Number.isNaN(values[i]) ? -Infinity : Math.abs(values[i]));
  return all
    .sort((a, b) => size(b) - size(a) || a - b)
    .slice(0, most)
    .sort((a, b) => a - b);
};

/** @type {(values: Float64Array, chosen: number[]) => number} */
const restOf = (values, chosen) => {
  const left = new Set(chosen);
  return values.reduce((sum, value, i) => (left.has(i) ? sum : sum + value), 0);
};

// The line as it is written: text, and numbers between.
/** @type {(why: Why, chosen: number[]) => (string | number)[]} */
const flatLine = (why, chosen) =>
  why.written.flatMap((piece) => (piece === TERMS ? sumLine(why, chosen) : [plainPiece(piece)]));

/** @type {(piece: LinePiece) => string | number} */
const plainPiece = (piece) => (typeof piece === "string" ? piece : (piece?.value ?? NaN));

/** @type {(why: Why, chosen: number[]) => (string | number)[]} */
const sumLine = (why, chosen) => {
  const terms = chosen.flatMap((index, i) => [...(i ? [" + "] : []), ...why.term(index).map(plainPiece)]);
  if (chosen.length < why.n) return [...terms, " + ", restOf(why.values, chosen)];
  return chosen.length ? terms : ["0"];
};

/** @typedef {{ digits: number, result: string, exact: boolean }} Digits */

// As few digits for the operands as make a line true, in each of the ways in which it may be written.
/** @type {(why: Why, choices: number[][], digits: number, plain: boolean) => Digits} */
const digitsFor = (why, choices, digits, plain) => {
  const result = lineNumber(why.value, digits, plain);
  const lines = choices.map((chosen) => flatLine(why, chosen));
  const numbers = lines.map((line) => line.filter((piece) => typeof piece === "number"));
  const formulas = lines.map((line) =>
    why.form.has_value ? null : formulaOf(line.map((piece) => (typeof piece === "number" ? "\0" : piece)).join("")),
  );
  /** @type {(more: number) => boolean} */
  const holds = (more) =>
    formulas.every((formula, i) => {
      if (!formula) return false;
      const found = formula(numbers[i].map((number) => readBack(lineNumber(number, digits + more, plain))));
      return [roundedText(found, digits, plain), lineNumber(found, digits, plain)].includes(result);
    });
  const most = numbers.every((given) => given.length <= FEW) ? MOST : MORE;
  for (let more = 0; more < most; more++) if (holds(more)) return { digits: digits + more, result, exact: true };
  return { digits, result, exact: false };
};

// Whether a number stands in brackets: a negative one that follows a sign, or is squared.
/** @type {(before: string, shown: string, after: string) => boolean} */
export const isHeld = (before, shown, after) => shown.startsWith("−") && (SIGN.test(before) || after.startsWith("²"));

/** @type {(why: Why, digits: number, lang: string) => Line} */
export const lineOf = (why, digits, lang) => {
  const plain = isPlain(lang);
  const [short, sent] = [shortest(why.values, SHOWN), shortest(why.values, SENT)];
  const found = digitsFor(why, [short, sent], digits, plain);
  /** @type {(value: number) => string} */
  const number = (value) => spoken(lineNumber(value, found.digits, plain), lang);

  /** @type {(given: LinePiece[], before?: string) => Piece[]} */
  const pieces = (given, before = "") => {
    const around = [before, ...given.map((piece) => (typeof piece === "string" ? piece : "")), ""];
    return given.map((piece, i) => pieceOf(piece, around[i], around[i + 2]));
  };
  /** @type {(piece: LinePiece, before: string, after: string) => Piece} */
  const pieceOf = (piece, before, after) => {
    if (typeof piece === "string") return { text: piece };
    if (piece === TERMS) return total(before);
    const shown = number(piece.value);
    const held = isHeld(before, shown, after) ? { held: true } : {};
    if (!piece.tensor) return { shown, ...held };
    const cell = cellAt(piece.place ?? 0, piece.tensor.shape);
    return { shown, ...held, name: piece.name, address: piece.tensor.address, cell, gradient: false };
  };
  /** @type {(before: string) => Piece} */
  const total = (before) => ({
    terms: sent.map((index, place) => ({ pieces: pieces(why.term(index), place ? " + " : before) })),
    short: short.map((index) => sent.indexOf(index)),
    rest: [rest(short), rest(sent)],
  });
  /** @type {(chosen: number[]) => Rest} */
  const rest = (chosen) => {
    const shown = number(restOf(why.values, chosen));
    return { shown, held: isHeld(" + ", shown, ""), n: why.n - chosen.length };
  };
  return { value: spoken(found.result, lang), sign: found.exact ? "=" : "≈", pieces: pieces(why.written) };
};
