// Small helpers. Text only ever enters the page as text nodes, so nothing that a user typed can act as markup.

const h = (tag, attributes, ...children) => {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes || {})) {
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (name === "html") element.innerHTML = value; // drawings that Python made: formulas
    else if (value === true) element.setAttribute(name, "");
    else if (value !== false && value !== null && value !== undefined) element.setAttribute(name, value);
  }
  element.append(...children.flat(Infinity).filter((child) => child !== null && child !== undefined && child !== false));
  return element;
};

// A number in plain text, by the rule of lmviz/digits.py: so many decimals, and so many significant digits at least.
const rounded = (value, digits) => {
  const size = Math.abs(value), power = size ? Number(size.toExponential().split("e")[1]) : 0;
  const short = () => value.toExponential(Math.max(digits, 1) - 1).replace("e+", "e");
  if (size && (power >= 6 || power < -4)) return short();
  const plain = value.toFixed(size && digits ? Math.max(digits, digits - 1 - power) : digits);
  if (Math.abs(Number(plain)) >= 1e6) return short();
  return Number(plain) === 0 ? plain.replace("-", "") : plain;
};

// A complex number, which comes as its two parts: (1.50 − 2.00 i).
const complex = ({ re, im }, digits, lang) => {
  const size = written(Math.abs(Number(im)), digits, lang);
  return `(${written(re, digits, lang)} ${Number(im) < 0 ? "−" : "+"} ${size} i)`;
};

// The same as the reader's language writes it, with a true minus sign.
const written = (given, digits, lang) => {
  if (given && typeof given === "object") return complex(given, digits, lang);
  const value = Number(given); // JSON has no NaN and no infinity: they come as words
  if (Number.isNaN(value)) return "NaN";
  if (!Number.isFinite(value)) return value > 0 ? "∞" : "−∞";
  const plain = rounded(value, digits);
  return (lang === "fr" ? plain.replace(".", ",") : plain).replace(/-/g, "−");
};

// A share as a percentage: 24.4%, 24,4 %; never "0.0%" for what is not zero.
const percent = (share, lang) => {
  const value = Number(share), sign = lang === "fr" ? "\u202f%" : "%";
  return value > 0 && value < 0.0005 ? `<${lang === "fr" ? " 0,1" : "0.1"}${sign}` : `${written(100 * value, 1, lang)}${sign}`;
};

const decoded = (base64) => {
  const bytes = Uint8Array.from(atob(base64), (character) => character.charCodeAt(0));
  return new Float32Array(bytes.buffer);
};

const clamp = (value, low, high) => Math.max(low, Math.min(high, value));

// What reads the layout waits until all is written: one layout for a step, not one for each pane.
const later = (act) => requestAnimationFrame(act);
