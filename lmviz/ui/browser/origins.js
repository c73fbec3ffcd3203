// What a cell was made from, in the tensors beside it: rows, columns, cells. Python says how the indices go together.

// @ts-check

/** @import { Grid, Panel, ReadPanel } from "./client.d.ts" */
/** @import { Along, IndexAt, Origin } from "./panel.d.ts" */

import { h } from "./dom.js";
import { clamp } from "./numbers.js";
import { prepare } from "./window.js";

/**
 * @typedef {object} Drawn a tensor as it lies on screen
 * @property {Panel} panel
 * @property {HTMLCanvasElement} canvas
 * @property {Grid} grid
 */

/** @typedef {[number, number]} Range from a first index to a last one, both included */
/** @typedef {{ rows: Range, cols: Range }} Area of what one sees of a tensor */

/** @type {(along: Along | undefined, at: number) => number | null} */
const added = (along, at) => {
  if (!along) return 0;
  return along.each ? (along.each[at - along.start] ?? null) : along.start + along.by * at;
};

// The index on one axis; NaN where nothing was read.
/** @type {(index: IndexAt, place: number[]) => number} */
const indexOf = (index, [row, col]) => {
  const parts = [added(index.row, row), added(index.col, col)];
  return parts.includes(null) ? NaN : index.start + Number(parts[0]) + Number(parts[1]);
};

// The cells of another tensor behind a place of a whole slice, as far as they are in sight.
/** @type {(origin: Origin, other: Panel, place: number[]) => Area | null} */
export const areaOf = (origin, other, place) => {
  const indices = origin.at.map((index) => (index ? indexOf(index, place) : null));
  if (indices.some((index) => index !== null && !(index >= 0))) return null;
  const lead = indices.slice(0, -2);
  if (lead.some((index, axis) => index !== null && index !== other.lead[axis])) return null;
  const [row, col] = [0, 0, ...indices].slice(-2);
  return inSight(other, [row ?? 0, col ?? 0], [row ?? other.size[0] - 1, col ?? other.size[1] - 1]);
};

// From one cell of the whole slice to another, cut to the window; null where none of it is shown.
/** @type {(panel: Panel, first: number[], last: number[]) => Area | null} */
export const inSight = (panel, first, last) => {
  const [from, to] = [panel.local(first), panel.local(last)];
  if (to[0] < 0 || to[1] < 0 || from[0] >= panel.rows || from[1] >= panel.cols) return null;
  return {
    rows: [clamp(from[0], 0, panel.rows - 1), clamp(to[0], 0, panel.rows - 1)],
    cols: [clamp(from[1], 0, panel.cols - 1), clamp(to[1], 0, panel.cols - 1)],
  };
};

// A cell of any tensor on screen, by its address and index.
/** @type {(shown: Drawn[], address: string, cell: number[]) => [Drawn, Area][]} */
export const whereIs = (shown, address, cell) =>
  shown.flatMap((drawn) => {
    const { panel } = drawn;
    if (panel.address !== address || panel.lead.some((index, axis) => index !== cell[axis])) return [];
    const place = [0, 0, ...cell].slice(-2);
    const area = inSight(panel, place, place);
    return area ? [/** @type {[Drawn, Area]} */ ([drawn, area])] : [];
  });

/** @type {(shown: Drawn[], panel: Panel, place: number[]) => [Drawn, Area][]} */
export const behind = (shown, panel, place) =>
  panel.origins.flatMap((origin) =>
    shown.flatMap((drawn) => {
      const area = drawn.panel.address === origin.address ? areaOf(origin, drawn.panel, place) : null;
      return area ? [/** @type {[Drawn, Area]} */ ([drawn, area])] : [];
    }),
  );

// The tensors of a picture, each with the place that the pinned cell was made from, so that it can be brought into sight.
/** @type {(raws: ReadPanel[]) => ReadPanel[]} */
export const withBehind = (raws) => {
  const made = raws.find((raw) => raw.pinned && raw.origins.length);
  if (!made?.pinned) return raws;
  const { pinned, origins } = made;
  return raws.map((raw) => {
    const panel = prepare(raw);
    const areas = origins.filter((one) => one.address === raw.address).map((one) => areaOf(one, panel, pinned));
    const area = areas.find((one) => one !== null);
    return area ? { ...raw, behind: panel.source(area.rows[0], area.cols[0]) } : raw;
  });
};

/** @type {(drawn: Drawn, area: Area, look?: string) => HTMLElement} */
export const mark = ({ canvas, grid }, { rows, cols }, look = "") => {
  const style = [
    `left:${canvas.offsetLeft + grid.left + cols[0] * grid.w - 1}px`,
    `top:${canvas.offsetTop + grid.top + rows[0] * grid.h - 1}px`,
    `width:${(cols[1] - cols[0] + 1) * grid.w}px`,
    `height:${(rows[1] - rows[0] + 1) * grid.h}px`,
  ];
  const made = h("i", { class: `origin ${look}`, style: style.join(";"), "aria-hidden": "true" });
  canvas.after(made);
  return made;
};

/** @type {(root: ParentNode) => void} */
export const clearMarks = (root) => {
  for (const one of root.querySelectorAll(".origin")) one.remove();
};

// A cell, the same cell in the tensors that are compared with it, and all that it was made from.
/** @type {(root: ParentNode, shown: Drawn[], panel: Panel, place: number[]) => void} */
export const lightCell = (root, shown, panel, place) => {
  clearMarks(root);
  for (const [drawn, area] of behind(shown, panel, place)) mark(drawn, area);
  for (const drawn of shown) {
    const area = drawn.panel.address === panel.address ? inSight(drawn.panel, place, place) : null;
    if (area) mark(drawn, area, "made");
  }
};

// A token's row in every result, and what the row was made from: all of its cells together.
/** @type {(root: ParentNode, shown: Drawn[], pos: number) => void} */
export const lightToken = (root, shown, pos) => {
  clearMarks(root);
  for (const drawn of shown) {
    const { panel } = drawn;
    if (!["pos", "query"].includes(panel.row_axis)) continue;
    const row = inSight(panel, [pos, 0], [pos, panel.size[1] - 1]);
    if (!row) continue;
    mark(drawn, row, "made");
    const { start, window } = panel;
    const all = Array.from({ length: window[1] }, (_, i) => behind(shown, panel, [pos, start[1] + i])).flat();
    for (const [other, area] of together(all)) mark(other, area);
  }
};

// For each tensor one area that has all of its areas in it.
/** @type {(areas: [Drawn, Area][]) => Map<Drawn, Area>} */
const together = (areas) => {
  /** @type {Map<Drawn, Area>} */
  const found = new Map();
  for (const [drawn, area] of areas) {
    const known = found.get(drawn) ?? area;
    found.set(drawn, { rows: spanned(known.rows, area.rows), cols: spanned(known.cols, area.cols) });
  }
  return found;
};

/** @type {(one: Range, other: Range) => Range} */
const spanned = (one, other) => [Math.min(one[0], other[0]), Math.max(one[1], other[1])];
