// The link to what one sees, for a room: copied, or as a code that a phone reads.

// @ts-check

/** @import { Code } from "./present.d.ts" */

const SVG = "http://www.w3.org/2000/svg";

// The visitor's own address, without what is about this screen alone.
/** @type {(address: string) => string} */
export const shared = (address) => {
  const url = new URL(address);
  url.searchParams.delete("present");
  return url.href;
};

/** @type {(address: string) => Promise<boolean>} whether it could be copied: over plain http, no browser lets a page */
export const copied = async (address) => {
  try {
    await navigator.clipboard.writeText(address);
    return true;
  } catch {
    return false;
  }
};

// The dark squares as one path, a row at a time.
/** @type {(rows: string[]) => string} */
export const squares = (rows) =>
  rows
    .flatMap((row, y) =>
      [...row.matchAll(/1+/g)].map(({ 0: run, index }) => `M${index},${y}h${run.length}v1h-${run.length}z`),
    )
    .join("");

// Black on white in every theme: a camera expects it.
/** @type {(code: Code, label: string) => SVGSVGElement} */
export const drawnCode = ({ rows }, label) => {
  const svg = document.createElementNS(SVG, "svg");
  const size = rows.length;
  const named = { viewBox: `0 0 ${size} ${size}`, role: "img", "aria-label": label, "shape-rendering": "crispEdges" };
  for (const [name, value] of Object.entries(named)) svg.setAttribute(name, value);
  for (const [fill, d] of [
    ["#ffffff", `M0,0h${size}v${size}h-${size}z`],
    ["#000000", squares(rows)],
  ]) {
    const path = document.createElementNS(SVG, "path");
    path.setAttribute("fill", fill);
    path.setAttribute("d", d);
    svg.append(path);
  }
  return svg;
};
