// The arithmetic of one cell, put together from the form of its line: what `lmviz.explain` says of that cell.

// @ts-check

/** @import { Form, FormCells, FormPiece, KeptTensor, TermForm, Walk } from "./walk.d.ts" */
/** @import { Reader } from "./unpack.js" */

import { formulaOf } from "./formula.js";

/** @typedef {{ walk: Walk, numbers: Reader }} Page */
/** @typedef {{ value: number, name?: string, tensor?: KeptTensor, place?: number }} Given a number of a line */
/** @typedef {string | Given | null} LinePiece null stands for the sum of the terms */

/**
 * @typedef {object} Why
 * @property {LinePiece[]} written
 * @property {number} n terms
 * @property {(i: number) => LinePiece[]} term
 * @property {Float64Array} values of the terms
 * @property {number} value
 * @property {Form} form
 * @property {{ address: string, place: number } | null} follow the one operand whose arithmetic comes below
 */

export const TERMS = null; // in a line, the sum of its terms

// The place of an index in a tensor whose cells lie in a row, and back.
/** @type {(cell: number[], shape: number[]) => number} */
export const flatPlace = (cell, shape) => cell.reduce((place, index, axis) => place * shape[axis] + index, 0);

/** @type {(place: number, shape: number[]) => number[]} */
export const cellAt = (place, shape) => {
  const cell = new Array(shape.length);
  let left = place;
  for (let axis = shape.length - 1; axis >= 0; axis--) {
    cell[axis] = left % shape[axis];
    left = Math.floor(left / shape[axis]);
  }
  return cell;
};

// The form of a cell, and which of that form's cells it is.
/** @type {(page: Page, address: string, place: number) => { of: FormCells, at: number } | null} */
const formAt = ({ walk, numbers }, address, place) => {
  for (const of of walk.arithmetic[address] ?? []) {
    const at = of.cells === null ? place : numbers(of.cells).indexOf(place);
    if (at >= 0) return { of, at };
  }
  return null;
};

// What a cell's line is made of; null where the page has none.
/** @type {(page: Page, address: string, place: number) => Why | null} */
export const explained = (page, address, place) => {
  const found = formAt(page, address, place);
  if (!found) return null;
  const form = page.walk.forms[found.of.form];
  return form.known ? whyOf(page, form, found.of, found.at) : null;
};

/** @type {(page: Page, form: Form, of: FormCells, at: number) => Why} */
const whyOf = (page, form, of, at) => {
  const column = taken(page, of.operands, of.n_cells, at);
  const others = taken(page, of.numbers, of.n_cells, at);
  const tensors = tensorsIn(form);
  const operands = column.map((place, i) => ({ tensor: page.walk.tensors[tensors[i]], place }));
  const line = filling(page, operands, others);
  /** @type {LinePiece[][]} */
  let terms = [];
  let term = (/** @type {number} */ i) => terms[i];
  const written = form.pieces.flatMap((piece) => {
    if (!piece.terms) return [line.next(piece)];
    if (form.alike) term = inARow(page, form.alike, line.rest(form.alike));
    else terms = form.terms.map((pieces) => pieces.map((one) => line.next(one)));
    return [TERMS];
  });
  const n = form.alike ? form.alike.n : form.terms.length;
  const values = Float64Array.from({ length: n }, (_, i) => worth(term(i), null));
  const value = form.has_value ? others[others.length - 1] : worth(written, values);
  const followed = form.follow < 0 ? null : operands[form.follow];
  const follow = followed && { address: followed.tensor.address, place: followed.place };
  return { written, n, term, values, value, form, follow };
};

// One cell's column of a table that has a row for each operand.
/** @type {(page: Page, stored: number | null, n: number, at: number) => number[]} */
const taken = ({ numbers }, stored, n, at) => {
  if (stored === null) return [];
  const all = numbers(stored);
  return Array.from({ length: all.length / n }, (_, row) => all[row * n + at]);
};

// The tensors of a form's operands, in their order.
/** @type {(form: Form) => number[]} */
const tensorsIn = ({ pieces, alike, terms }) =>
  pieces
    .flatMap((piece) => (piece.terms ? (alike ? alike.pieces : terms.flat()) : [piece]))
    .flatMap((piece) => (piece.tensor === undefined ? [] : [piece.tensor]));

/** @typedef {{ tensor: KeptTensor, place: number }} OperandAt */

// Fills pieces with operands and numbers, one after the other.
/** @type {(page: Page, operands: OperandAt[], numbers: number[]) => { next: (piece: FormPiece) => LinePiece, rest: any }} */
const filling = (page, operands, numbers) => {
  let [operand, number] = [0, 0];
  return {
    next: (piece) => {
      if (piece.text !== undefined) return piece.text;
      if (piece.number) return { value: numbers[number++], name: piece.name };
      const { tensor, place } = operands[operand++];
      return { value: numberAt(page, tensor, place), name: piece.name, tensor, place };
    },
    // what belongs to the first of some terms that read alike
    rest: (/** @type {TermForm} */ { pieces, strides }) => {
      const n = pieces.filter((piece) => piece.number).length;
      const own = [operands.slice(operand, operand + strides.length), numbers.slice(number, number + n)];
      operand += strides.length;
      number += n;
      return own;
    },
  };
};

/** @type {(page: Page, alike: TermForm, first: [OperandAt[], number[]]) => (i: number) => LinePiece[]} */
const inARow = (page, { pieces, strides }, [operands, numbers]) => {
  return (i) => {
    const there = operands.map(({ tensor, place }, slot) => ({ tensor, place: place + i * strides[slot] }));
    const line = filling(page, there, numbers);
    return pieces.map((piece) => line.next(piece));
  };
};

/** @type {(page: Page, tensor: KeptTensor, place: number) => number} */
export const numberAt = ({ numbers }, tensor, place) =>
  tensor.array === null ? NaN : Number(numbers(tensor.array)[place]);

// What pieces come to, with the sum of the terms in its place.
/** @type {(pieces: LinePiece[], values: Float64Array | null) => number} */
const worth = (pieces, values) => {
  const text = pieces.map((piece) => (typeof piece === "string" ? piece : "\0")).join("");
  const formula = formulaOf(text);
  const given = pieces.filter((piece) => typeof piece !== "string");
  const total = () => (values ? values.reduce((sum, value) => sum + value, 0) : NaN);
  return formula ? formula(given.map((piece) => (piece === TERMS ? total() : piece.value))) : NaN;
};
