// Written arithmetic, read back: as lmviz/explain/arithmetic.py reads it, and a test compares the two.

// @ts-check

/** @typedef {(numbers: number[]) => number} Formula */

const NUMBER = "\0"; // the place of a number that is given later
const TOKEN = /\s*(\0|\d+\.?\d*(?:e[-−]?\d+)?|[A-Za-z√Φ][A-Za-z0-9]*|⌊|⌋|⌈|⌉|[|()[\],+−×÷/^²<>=≤≥≠∧∨¬%-])/y;
const FOUND = /^.*(?:→|\]\s*=(?!.*\])|:\s)/; // before that stands where a number was found, not how it was made

// -- functions -------------------------------------------------------------------------------------------------------

/** @type {(x: number) => number} */
const erfc = (x) => {
  if (x < 0) return 2 - erfc(-x);
  if (x < 3) return 1 - erfSeries(x);
  let fraction = 0;
  for (let k = 60; k > 0; k--) fraction = k / 2 / (x + fraction);
  return Math.exp(-x * x) / Math.sqrt(Math.PI) / (x + fraction);
};

/** @type {(x: number) => number} */
const erfSeries = (x) => {
  let term = x;
  let sum = x;
  for (let n = 1; Math.abs(term) > 1e-17 * Math.abs(sum) && n < 200; n++) {
    term *= (-x * x) / n;
    sum += term / (2 * n + 1);
  }
  return (2 / Math.sqrt(Math.PI)) * sum;
};

/** @type {(x: number) => number} */
const erf = (x) => (Math.abs(x) < 3 ? erfSeries(x) : 1 - erfc(x));

// Ties go to the even neighbour.
/** @type {(x: number) => number} */
const even = (x) => {
  const low = Math.floor(x);
  if (x - low !== 0.5) return Math.round(x);
  return low % 2 === 0 ? low : low + 1;
};

// A number as a float of so many bits behind its first one holds it.
/** @type {(bits: number, least: number, most: number) => (x: number) => number} */
const narrow = (bits, least, most) => (x) => {
  if (!x || !Number.isFinite(x)) return x;
  const step = 2 ** (Math.max(Math.floor(Math.log2(Math.abs(x))), least) - bits);
  const found = even(x / step) * step;
  return Math.abs(found) > most ? Math.sign(x) * Infinity : found;
};

/** @type {(bits: number, signed: boolean) => (x: number) => number} */
const wrapped = (bits, signed) => (x) => {
  if (!Number.isFinite(x)) return NaN;
  const whole = BigInt(Math.trunc(x));
  return Number(signed ? BigInt.asIntN(bits, whole) : BigInt.asUintN(bits, whole));
};

/** @type {(x: number, y: number) => number} */
const logaddexp = (x, y) => {
  const most = Math.max(x, y);
  return Number.isFinite(most) ? most + Math.log(Math.exp(x - most) + Math.exp(y - most)) : most;
};

/** @type {(x: number, y: number, least: boolean) => number} */
const notNaN = (x, y, least) => (Number.isNaN(x) ? y : Number.isNaN(y) ? x : least ? Math.min(x, y) : Math.max(x, y));

/** @type {Record<string, (...values: number[]) => number>} */
const CALLED = {
  exp: Math.exp,
  sin: Math.sin,
  cos: Math.cos,
  tan: Math.tan,
  sinh: Math.sinh,
  cosh: Math.cosh,
  tanh: Math.tanh,
  asin: Math.asin,
  acos: Math.acos,
  atan: Math.atan,
  asinh: Math.asinh,
  acosh: Math.acosh,
  atanh: Math.atanh,
  erf,
  erfc,
  trunc: Math.trunc,
  ceil: Math.ceil,
  floor: Math.floor,
  ln: Math.log,
  log2: Math.log2,
  log10: Math.log10,
  log1p: Math.log1p,
  expm1: Math.expm1,
  "√": Math.sqrt,
  sqrt: Math.sqrt,
  max: Math.max,
  min: Math.min,
  abs: Math.abs,
  atan2: Math.atan2,
  Φ: (x) => erfc(-x / Math.SQRT2) / 2,
  sgn: Math.sign,
  round: (x, decimals = 0) => even(x * 10 ** decimals) / 10 ** decimals,
  softplus: (x) => logaddexp(0, x),
  logaddexp,
  xlogy: (x, y) => (x === 0 ? 0 : x * Math.log(y)),
  heaviside: (x, there) => (x === 0 ? there : Number(x > 0)),
  fmod: (x, y) => x % y,
  fmax: (x, y) => notNaN(x, y, false),
  fmin: (x, y) => notNaN(x, y, true),
  copysign: (x, y) => Math.abs(x) * (Object.is(Math.sign(y), -0) || y < 0 ? -1 : 1),
  arg: (x) => (Number.isNaN(x) ? NaN : x < 0 || Object.is(x, -0) ? Math.PI : 0),
  conj: (x) => x,
  bitand: (x, y) => Number(BigInt(Math.trunc(x)) & BigInt(Math.trunc(y))),
  bitor: (x, y) => Number(BigInt(Math.trunc(x)) | BigInt(Math.trunc(y))),
  bitxor: (x, y) => Number(BigInt(Math.trunc(x)) ^ BigInt(Math.trunc(y))),
  bool: (x) => (x ? 1 : 0),
  float16: narrow(10, -14, 65504),
  bfloat16: narrow(7, -126, 3.3895313892515355e38),
  float32: Math.fround,
  ...Object.fromEntries([8, 16, 32, 64].map((bits) => [`int${bits}`, wrapped(bits, true)])),
  ...Object.fromEntries([8, 16, 32, 64].map((bits) => [`uint${bits}`, wrapped(bits, false)])),
};

/** @type {Record<string, [string, ((x: number) => number) | null]>} */
const AROUND = {
  "(": [")", null],
  "[": ["]", null],
  "|": ["|", Math.abs],
  "⌊": ["⌋", Math.floor],
  "⌈": ["⌉", Math.ceil],
};

/** @type {(a: number, b: number) => number} */
const remainder = (a, b) => a - b * Math.floor(a / b);

/** @type {Record<string, (a: number, b: number) => number>} */
const OPERATORS = {
  "+": (a, b) => a + b,
  "−": (a, b) => a - b,
  "-": (a, b) => a - b,
  "×": (a, b) => a * b,
  "/": (a, b) => a / b,
  "÷": (a, b) => a / b,
  mod: remainder,
  "%": remainder,
  "^": (a, b) => a ** b,
  "<": (a, b) => Number(a < b),
  ">": (a, b) => Number(a > b),
  "≤": (a, b) => Number(a <= b),
  "≥": (a, b) => Number(a >= b),
  "=": (a, b) => Number(a === b),
  "≠": (a, b) => Number(a !== b),
  "∧": (a, b) => Number(!!a && !!b),
  "∨": (a, b) => Number(!!a || !!b),
};

// -- reading ---------------------------------------------------------------------------------------------------------

class NotArithmetic extends Error {}

// Recursive descent; each method reads one level of precedence and returns what works it out.
class FormulaReader {
  /** @param {string} text */
  constructor(text) {
    const before = FOUND.exec(text)?.[0].length ?? 0;
    this.place = text.slice(0, before).split(NUMBER).length - 1;
    /** @type {string[]} */
    this.tokens = [];
    this.at = 0;
    const rest = text.slice(before).trimEnd();
    for (TOKEN.lastIndex = 0; TOKEN.lastIndex < rest.length;) {
      const match = TOKEN.exec(rest);
      if (!match) throw new NotArithmetic(text);
      this.tokens.push(match[1]);
    }
  }

  get kind() {
    return this.tokens[this.at];
  }

  /** @param {...string} wanted */
  take(...wanted) {
    if (!wanted.includes(this.kind)) return undefined;
    this.at += 1;
    return this.tokens[this.at - 1];
  }

  /** @param {string} wanted */
  need(wanted) {
    if (!this.take(wanted)) throw new NotArithmetic(wanted);
  }

  /** @type {(read: () => Formula, ...signs: string[]) => Formula} */
  chain(read, ...signs) {
    let left = read();
    for (let sign = this.take(...signs); sign; sign = this.take(...signs)) left = joined(sign, left, read());
    return left;
  }

  /** @returns {Formula} */
  comparison() {
    return this.chain(() => this.sum(), "<", ">", "≤", "≥", "=", "≠", "∧", "∨");
  }

  sum() {
    return this.chain(() => this.product(), "+", "−", "-");
  }

  product() {
    return this.chain(() => this.signed(), "×", "/", "÷", "mod", "%");
  }

  /** @returns {Formula} */
  signed() {
    if (this.take("−", "-")) {
      const of = this.signed();
      return (numbers) => -of(numbers);
    }
    if (this.take("¬")) {
      const of = this.signed();
      return (numbers) => Number(of(numbers) === 0);
    }
    return this.power();
  }

  power() {
    let base = this.atom();
    for (let sign = this.take("^", "²"); sign; sign = this.take("^", "²"))
      base = joined("^", base, sign === "^" ? this.signed() : () => 2);
    return base;
  }

  /** @returns {Formula} */
  atom() {
    const token = this.kind;
    if (token === undefined) throw new NotArithmetic("the end came too soon");
    this.at += 1;
    if (token === NUMBER) {
      const place = this.place;
      this.place += 1;
      return (numbers) => numbers[place];
    }
    if (/^\d/.test(token)) {
      const number = Number(token.replace("−", "-"));
      return () => number;
    }
    if (AROUND[token]) {
      const [closing, act] = AROUND[token];
      const inside = this.comparison();
      this.need(closing);
      return act ? (numbers) => act(inside(numbers)) : inside;
    }
    return this.call(token);
  }

  /** @type {(name: string) => Formula} */
  call(name) {
    const act = CALLED[name];
    if (!act) throw new NotArithmetic(name);
    this.need("(");
    const given = [this.comparison()];
    while (this.take(",")) given.push(this.comparison());
    this.need(")");
    return (numbers) => act(...given.map((one) => one(numbers)));
  }
}

/** @type {(sign: string, left: Formula, right: Formula) => Formula} */
const joined = (sign, left, right) => (numbers) => OPERATORS[sign](left(numbers), right(numbers));

/** @type {Map<string, Formula | null>} */
const formulas = new Map();
const MOST_KNOWN = 2000;

// What a text works out to; null if it has a sign, a name or an order that is not known.
/** @type {(text: string) => Formula | null} */
export const formulaOf = (text) => {
  const known = formulas.get(text);
  if (known !== undefined) return known;
  if (formulas.size > MOST_KNOWN) formulas.clear();
  const found = formulaIn(text);
  formulas.set(text, found);
  return found;
};

/** @type {(text: string) => Formula | null} */
const formulaIn = (text) => {
  try {
    const reader = new FormulaReader(text);
    const formula = reader.comparison();
    return reader.kind === undefined ? formula : null;
  } catch (error) {
    if (error instanceof NotArithmetic) return null;
    throw error;
  }
};
