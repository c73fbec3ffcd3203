// Two scales, safe for colour-blind eyes: blue – neutral – orange for signed numbers, one hue for shares.

// @ts-check

/** @import { Shades } from "./client.d.ts" */
/** @import { TensorPanel } from "./panel.d.ts" */

import { clamp } from "./numbers.js";

/** @type {{ light: Shades, dark: Shades }} */
export const SCALES = {
  light: {
    low: [33, 94, 168],
    middle: [250, 250, 248],
    high: [214, 96, 12],
    share: [92, 36, 132],
    ink: "#1c2430",
    faint: "#8a93a0",
  },
  dark: {
    low: [96, 165, 250],
    middle: [28, 32, 40],
    high: [251, 146, 60],
    share: [196, 148, 255],
    ink: "#eef1f5",
    faint: "#8c95a3",
  },
};

/** @type {(element: Element) => boolean} */
export const isDark = (element) => {
  const channels = (getComputedStyle(element).getPropertyValue("--st-background-color") || "#fff").trim();
  const hex = channels.startsWith("#") ? channels.slice(1).replace(/^(.)(.)(.)$/, "$1$1$2$2$3$3") : null;
  const [r, g, b] = hex
    ? [0, 2, 4].map((i) => parseInt(hex.slice(i, i + 2), 16))
    : (channels.match(/\d+/g) ?? []).map(Number);
  return 0.299 * r + 0.587 * g + 0.114 * b < 128;
};

/**
 * Calls back whenever the theme has changed: an element's outline takes the colour of the page, and changing it is a
 * transition (tensor.css). Streamlit changes variables by a style sheet, which no observer sees.
 *
 * @type {(root: HTMLElement, changed: () => void) => () => void} returns what ends it
 */
export const onTheme = (root, changed) => {
  /** @type {(event: TransitionEvent) => void} */
  const heard = (event) => {
    if (event.target === root && event.propertyName === "outline-color") changed();
  };
  root.addEventListener("transitionend", heard);
  return () => root.removeEventListener("transitionend", heard);
};

/** @type {(a: number[], b: number[], share: number) => number[]} */
export const mix = (a, b, share) => a.map((channel, i) => Math.round(channel + (b[i] - channel) * share));

const GOLDEN = 0.618034; // of a turn of the colour wheel between neighbours, so that they look unlike
const TINT = 0.34;

// A name has a colour of its own, which is neither more nor less than another's.
/** @type {(name: number, paper: number[]) => number[]} */
const nameColour = (name, paper) => {
  const hue = [0, 1, 2].map((channel) => 128 + 127 * Math.cos(2 * Math.PI * (name * GOLDEN + channel / 3)));
  return mix(paper, hue, TINT);
};

/** @type {(value: number, panel: Pick<TensorPanel, "scale" | "peak">, scale: Shades) => number[]} */
export const colourOf = (value, panel, scale) => {
  if (panel.scale === "share") return mix(scale.middle, scale.share, clamp(value, 0, 1));
  if (panel.scale === "name") return nameColour(value, scale.middle);
  const share = panel.peak > 0 ? clamp(value / panel.peak, -1, 1) : 0;
  return share < 0 ? mix(scale.middle, scale.low, -share) : mix(scale.middle, scale.high, share);
};

/** @type {(colour: number[]) => string} */
export const inkOn = ([r, g, b]) => (0.299 * r + 0.587 * g + 0.114 * b > 140 ? "#10161f" : "#ffffff");
