// Colours as every program reads them: a browser says `color(srgb 0.1 0.2 0.3 / 0.5)`, and SVG a colour and how opaque.

// @ts-check

/** @typedef {{ colour: string, alpha: number }} Paint */

/** @type {(channels: number[]) => string} */
const hex = (channels) => `#${channels.map((one) => Math.round(one).toString(16).padStart(2, "0")).join("")}`;

/** @type {(written: string) => number} */
const shareIn = (written) => (written.endsWith("%") ? parseFloat(written) / 100 : parseFloat(written));

// What a computed colour is made of; null where it is none, as "none" or a shading.
/** @type {(written: string) => Paint | null} */
export const paintOf = (written) => {
  const [r = "0", g = "0", b = "0", alpha = "1"] = written.match(/-?[\d.]+(?:e-?\d+)?%?/g) ?? [];
  if (/^rgba?\(/.test(written)) return { colour: hex([r, g, b].map(Number)), alpha: shareIn(alpha) };
  if (/^color\(srgb /.test(written)) {
    const channels = [r, g, b].map((one) => Math.min(255, Math.max(0, 255 * shareIn(one))));
    return { colour: hex(channels), alpha: shareIn(alpha) };
  }
  return null;
};

// The colours of a plain shading from left to right, each with its place from 0 to 1; none for any other.
/** @type {(image: string) => { at: number, paint: Paint }[]} */
export const shadingOf = (image) => {
  if (!/^linear-gradient\((90deg|to right),/.test(image)) return [];
  const stops = image.match(/(?:rgba?|color)\([^)]*\)(?: [\d.]+%)?/g) ?? [];
  return stops.flatMap((stop, i) => {
    const paint = paintOf(stop.replace(/\)[^)]*$/, ")"));
    const told = /\) ([\d.]+%)$/.exec(stop);
    return paint ? [{ at: told ? shareIn(told[1]) : i / Math.max(1, stops.length - 1), paint }] : [];
  });
};
