// Numbers as text, by the rule of lmviz/digits.py, and numbers that came as text.

// @ts-check

/** @import { AnyNumber, Complex, Real } from "./panel.d.ts" */

const LARGE = 6; // the power of ten from where on a number is written with one, or, if it is plain, without decimals
const PLAIN = "-x-plain"; // after a language: its numbers are written without powers of ten
const THOUSAND = /(?<=^-?\d+)(?=(?:\d{3})+$)/g; // where a mark of thousands stands
const RAISED = "⁰¹²³⁴⁵⁶⁷⁸⁹";

/** @type {(digits: number, power: number, plain: boolean) => number} */
const decimals = (digits, power, plain) => {
  if (digits === 0 || (plain && power >= LARGE)) return 0;
  return Math.max(digits, plain ? -power : digits - 1 - power);
};

// A number in plain text, by the rule of lmviz/digits.py: so many decimals, and so many significant digits at least.
/** @type {(value: number, digits: number, plain?: boolean) => string} */
export const rounded = (value, digits, plain = false) => {
  const size = Math.abs(value);
  const [small, large] = plain ? [-9, 15] : [-4, LARGE];
  const power = size ? Number(size.toExponential().split("e")[1]) : 0;
  const short = () => value.toExponential(Math.max(digits, 1) - 1).replace("e+", "e");
  if (size && (power >= large || power < small)) return short();
  const shown = value.toFixed(size ? decimals(digits, power, plain) : digits);
  if (Math.abs(Number(shown)) >= 10 ** large) return short();
  return Number(shown) === 0 ? shown.replace("-", "") : shown;
};

// 1.2e-12 as it is written where nobody is to know what the e means: 1.2 × 10⁻¹².
/** @type {(shown: string) => string} */
const withoutE = (shown) => {
  const [mantissa, power] = shown.split("e");
  if (power === undefined) return shown;
  return `${mantissa} × 10${power.replace("-", "⁻").replace(/\d/g, (digit) => RAISED[Number(digit)])}`;
};

// A complex number, which comes as its two parts: (1.50 − 2.00 i).
/** @type {(value: Complex, digits: number, lang: string) => string} */
export const complex = ({ re, im }, digits, lang) => {
  const size = written(Math.abs(Number(im)), digits, lang);
  return `(${written(re, digits, lang)} ${Number(im) < 0 ? "−" : "+"} ${size} i)`;
};

// The same as the reader's language writes it, with a true minus sign.
/** @type {(given: AnyNumber | string, digits: number, lang: string) => string} */
export const written = (given, digits, lang) => {
  if (given && typeof given === "object") return complex(given, digits, lang);
  const value = Number(given); // JSON has no NaN and no infinity: they come as words
  if (Number.isNaN(value)) return "NaN";
  if (!Number.isFinite(value)) return value > 0 ? "∞" : "−∞";
  return localised(rounded(value, digits, isPlain(lang)), lang);
};

// Whether numbers are written without powers of ten.
/** @type {(lang: string) => boolean} */
export const isPlain = (lang) => lang.endsWith(PLAIN);

// A number in plain text, as `rounded` gives it, as the language writes it: 1,295.2, 1 295,2.
/** @type {(shown: string, lang: string) => string} */
export const localised = (shown, lang) => {
  const { decimal, thousands } = signs(lang);
  const [whole = "", ...rest] = (isPlain(lang) ? withoutE(shown) : shown).split(".");
  return [whole.replace(THOUSAND, thousands), ...rest].join(decimal).replace(/-/g, "−");
};

// A share as a percentage: 24.4%, 24,4 %; never "0.0%" for what is not zero.
/** @type {(share: Real, lang: string) => string} */
export const percent = (share, lang) => {
  const value = Number(share);
  return value > 0 && value < 0.0005
    ? lessThan(0.1, 1, lang)
    : `${written(100 * value, 1, lang)}${signs(lang).percent}`;
};

// A percentage that is too small to be written: <0.1%, < 0,1 %.
/** @type {(percentage: number, digits: number, lang: string) => string} */
export const lessThan = (percentage, digits, lang) => {
  const { percent } = signs(lang);
  return `<${percent.length > 1 ? " " : ""}${percentage.toFixed(digits).replace(".", signs(lang).decimal)}${percent}`;
};

/** @typedef {{ decimal: string, thousands: string, percent: string }} Signs */

/** @type {Map<string, Signs>} */
const known = new Map();

// A language's decimal sign, its mark of thousands, and its percent sign with the narrow space before it where the language has one.
/** @type {(lang: string) => Signs} */
export const signs = (lang) => {
  const found = known.get(lang);
  if (found) return found;
  const parts = new Intl.NumberFormat(lang, { style: "percent", minimumFractionDigits: 1 }).formatToParts(0.5);
  const decimal = parts.find((part) => part.type === "decimal")?.value ?? ".";
  const isApart = parts.some((part) => part.type === "literal");
  const thousands = new Intl.NumberFormat(lang).formatToParts(12345).find((part) => part.type === "group")?.value ?? "";
  const made = { decimal, thousands, percent: isApart ? "\u202f%" : "%" };
  known.set(lang, made);
  return made;
};

// Base64 as bytes, by a plain loop: going through a text letter by letter with a function takes ten times as long.
/** @type {(base64: string) => Uint8Array<ArrayBuffer>} */
export const bytesIn = (base64) => {
  const text = atob(base64);
  const bytes = new Uint8Array(text.length);
  for (let i = 0; i < text.length; i++) bytes[i] = text.charCodeAt(i);
  return bytes;
};

/** @type {(base64: string) => Float32Array} */
export const decoded = (base64) => {
  const bytes = bytesIn(base64);
  return new Float32Array(bytes.buffer);
};

/** @type {(value: number, low: number, high: number) => number} */
export const clamp = (value, low, high) => Math.max(low, Math.min(high, value));
