// How large cells are, so that the tensors of a picture fill the space they have.

// @ts-check

/** @import { Arrangement, Panel, ReadPanel, Size, Sizes } from "./client.d.ts" */

import { clamp } from "./numbers.js";
import { cropped, cut, prepare } from "./window.js";

const CAPTION = () => 44 * display.room; // pixels above the canvas, for the name, the scale and the shape
const MARGIN = 12; // pixels around it
const PAGING = () => 26 * display.room * (display.room > 1 || display.phone ? 2 : 1); // pixels below a part of a tensor
const CAPTION_WIDTH = 138; // pixels that a caption takes at least
export const minNumber = () => 42 * display.room; // cell width from which numbers fit
const LOW = () => 17 * display.room; // cell height at which they are still read

// Pixels that the label of a row takes at least.
export const leastLabel = () => (display.room > 1 ? 11 * display.room : 10 * display.zoom);

const MOST = { w: 64, h: 38 }; // the largest cell, where the picture is not wider than 900 pixels

// How much larger labels are drawn than on a desk; how much larger all is, in front of a room; whether it is a phone.
export const display = { zoom: 1, room: 1, phone: false };

/** @type {(axis: string) => boolean} */
export const tokenAxis = (axis) => ["pos", "query", "key", "d_vocab", "id"].includes(axis);

// Pixels above the grid, for the labels of the columns: words that are wider than their column stand upright.
/** @type {(panel: Panel, w: number) => boolean} */
export const stands = (panel, w) =>
  tokenAxis(panel.colAxis) &&
  w * 1.1 < 9 * display.zoom * Math.min(7, Math.max(0, ...panel.colLabels.map((label) => [...label].length)));

/** @type {(panel: Panel, w: number) => number} */
export const titleHeight = (panel, w) =>
  stands(panel, w)
    ? 9 + 9 * display.zoom * Math.min(7, Math.max(...panel.colLabels.map((label) => [...label].length)))
    : 20 * display.zoom;

// Every so-manyth row has its label: all of them, where they have room.
/** @type {(tall: number) => number} */
export const labelledEvery = (tall) => Math.max(1, Math.ceil(leastLabel() / tall));

// Pixels for the choice of a head, and for paging.
/** @type {(panel: Panel) => number} */
const belowHeight = (panel) =>
  (panel.overview || panel.part_only ? PAGING() : 0) +
  (panel.heads && panel.result ? HEADS() * (panel.tight ? 2 : 1) : 0) +
  (panel.tight ? SCALE() : 0);

/** @type {(panel: Panel) => number} */
export const labelWidth = (panel) => {
  const longest = Math.max(0, ...panel.rowLabels.map((label) => [...label].length));
  return panel.rowAxis ? clamp(longest * 9 * display.zoom + 12, 24, 92 * display.zoom) : 10;
};

// As many cells as their numbers have room for: the page of them that has the pinned cell in it, so that a click moves
// nothing.
/** @type {(raw: ReadPanel, width: number, height: number) => ReadPanel} */
export const legible = (raw, width, height) => {
  const panel = prepare(raw);
  const [rows, cols] = raw.window;
  const m = Math.min(cols, Math.max(1, Math.floor((width - labelWidth(panel) - 16) / minNumber())));
  const n = Math.min(
    rows,
    Math.max(1, Math.floor((height - CAPTION() - MARGIN - PAGING() - titleHeight(panel, minNumber())) / LOW())),
  );
  if (n === rows && m === cols) return raw;
  const place = raw.pinned && !raw.by_hand ? panel.local(raw.pinned) : [0, 0];
  const inside = place[0] >= 0 && place[1] >= 0 && place[0] < rows && place[1] < cols ? place : [0, 0];
  return cut(raw, Math.floor(inside[0] / n) * n, Math.floor(inside[1] / m) * m, n, m);
};

const FEW = 3; // rows that are shown at least, however crowded it is
const NARROW = 9; // pixels across a cell in a crowded picture
const FRAME = () => 20 * display.room + CAPTION() + MARGIN + PAGING(); // pixels above and below the cells there
const BESIDE = 74; // and to their left and right
const HEADS = () => 26 * display.room; // of the choice of a head
const SCALE = () => 16 * display.room; // of a scale below its name
const SIGN = () => Math.max(28, 23 * display.room); // of what stands before a tensor
const OVERFLOW = 0.05; // what a pixel too many costs

// Parts of a room: what wants less than an equal part leaves the rest to the others.
/** @type {(wants: number[], room: number) => number[]} */
export const dealt = (wants, room) => {
  const order = wants.map((_, i) => i).sort((i, j) => wants[i] - wants[j]);
  const found = wants.map(() => 0);
  let left = room;
  order.forEach((i, n) => {
    found[i] = Math.min(wants[i], left / (order.length - n));
    left -= found[i];
  });
  return found;
};

/** @type {(raw: ReadPanel) => [number, number]} rows and columns as they are drawn */
const drawnSize = ({ turned, window: [rows, cols] }) => (turned ? [cols, rows] : [rows, cols]);

/** @type {(numbers: number[]) => number} */
const sum = (numbers) => numbers.reduce((all, one) => all + one, 0);

// The part of each tensor that there is room for in some lines, around the focus token or the pinned cell.
/** @type {(lines: ReadPanel[][], width: number, height: number) => { lines: Panel[][], heights: number[] }} */
const cutInLines = (lines, width, height) => {
  const around = lines.map((line) => FRAME() + (line.some((raw) => raw.heads && raw.result) ? HEADS() : 0));
  const wanted = lines.map((line) => Math.max(...line.map((raw) => drawnSize(raw)[0])) * leastLabel());
  const tall = dealt(wanted, Math.max(0, height - sum(around)));
  const cutLines = lines.map((line, i) => {
    const down = Math.max(FEW, Math.floor(tall[i] / leastLabel()));
    const columns = line.map((raw) => drawnSize(raw)[1] * NARROW);
    const wide = dealt(columns, Math.max(0, width - BESIDE * line.length));
    return line.map((raw, j) => {
      const across = Math.max(FEW + 1, Math.floor(wide[j] / NARROW));
      return prepare(raw.turned ? cropped(raw, across, down) : cropped(raw, down, across));
    });
  });
  return { lines: cutLines, heights: around.map((one, i) => one + Math.max(FEW * leastLabel(), tall[i])) };
};

/** @type {(line: Panel[]) => number} pixels that a line takes at least; a caption is wider than a narrow picture */
const leastWidth = (line) =>
  sum(
    line.map((panel) => {
      const picture = labelWidth(panel) + panel.cols * NARROW + 8;
      return Math.max(captionWidth(panel), picture) + (panel.sign ? SIGN() : 0);
    }),
  );

// How much of the tensors is seen: many cells of one do not make up for few of another.
/** @type {(lines: Panel[][], heights: number[], width: number, height: number) => number} */
const cellsSeen = (lines, heights, width, height) =>
  sum(lines.flat().map((panel) => (panel.result ? 2 : 1) * Math.log(panel.rows * panel.cols))) -
  OVERFLOW * (Math.max(0, sum(heights) - height) + Math.max(0, Math.max(...lines.map(leastWidth)) - width));

// Too many tensors: as much of each as fits, in the lines in which most is seen.
/** @type {(raws: ReadPanel[], width: number, height: number) => Arrangement} */
export const squeezed = (raws, width, height) => {
  const ways = waysOf(raws).map((lines) => cutInLines(lines, width, height));
  const scores = ways.map((way) => cellsSeen(way.lines, way.heights, width, height));
  const { lines, heights } = ways[scores.indexOf(Math.max(...scores))];
  const spare = Math.max(0, height - sum(heights)) / lines.length;
  const given = heights.map((one) => one + spare);
  return { lines, ...sized(lines, width, given, 1) };
};

// In one line, inputs above results, one by one, or in pairs.
/** @type {<T extends { result: boolean }>(panels: T[]) => T[][][]} */
const waysOf = (panels) => {
  const results = panels.filter((panel) => panel.result);
  const inputs = panels.filter((panel) => !panel.result);
  return [
    [panels],
    ...(inputs.length && results.length ? [[inputs, results]] : []),
    ...(panels.length > 2 ? [panels.map((panel) => [panel])] : []),
    ...(panels.length > 3 ? [[panels.slice(0, 2), panels.slice(2)]] : []),
  ];
};

const ROWS = 12; // of a tensor, at most, where they lie one below the other in front of a room
const WORDY = 1.5; // captions that the choice of a head takes beside them
const TIGHT = 105; // pixels that a caption takes at least whose parts lie one below the other

/** @type {(panel: Panel) => number} */
export const captionWidth = (panel) =>
  panel.tight
    ? TIGHT * display.zoom
    : CAPTION_WIDTH * display.zoom * (display.room > 1 && panel.heads && panel.result ? WORDY : 1);

// The width that a tensor is read at: that of its caption, or of its cells with their numbers, if they have the room.
/** @type {(panel: Panel, width: number) => number} */
const readable = (panel, width) => {
  const cells = labelWidth(panel) + 16 + panel.cols * minNumber() + (panel.sign ? SIGN() : 0);
  return Math.max(captionWidth(panel), Math.min(cells, width));
};

// The height of a row there: numbers have room in it, unless there are so many that what comes below would be out of sight.
/** @type {(rows: number) => number} */
const readRow = (rows) => (rows > ROWS ? leastLabel() : 1.4 * LOW());

// As many lines as it takes for each tensor to be read.
/** @type {(panels: Panel[], width: number) => Panel[][]} */
const linesOf = (panels, width) => {
  /** @type {Panel[][]} */
  const lines = [];
  let left = 0;
  for (const panel of panels) {
    const taken = readable(panel, width);
    if (!lines.length || taken > left) {
      lines.push([]);
      left = width;
    }
    lines[lines.length - 1].push(panel);
    left -= taken;
  }
  return lines;
};

/** @type {(line: Panel[], tall: (rows: number) => number) => number} */
const heightOf = (line, tall) =>
  Math.max(
    ...line.map(
      (panel) => CAPTION() + MARGIN + belowHeight(panel) + titleHeight(panel, minNumber()) + tall(panel.rows),
    ),
  );

// A line is not higher than what one sees at once, unless that is too low for a few rows.
/** @type {(line: Panel[], height: number) => number} */
const readHeight = (line, height) =>
  Math.min(
    heightOf(line, (rows) => rows * readRow(rows)),
    Math.max(
      height,
      heightOf(line, (rows) => Math.min(rows, FEW) * leastLabel()),
    ),
  );

// In front of a room: lines in which each tensor is read, also where one then scrolls. Several results that would not be
// seen at once, such as q, k and v, are one line, where their cells are not too narrow for it.
/** @type {(raws: ReadPanel[], width: number, height: number) => Arrangement} */
export const stacked = (raws, width, height) => {
  const panels = raws.map((raw) => prepare(raw.turned ? raw : cropped(raw, ROWS, raw.window[1])));
  let lines = linesOf(panels, width);
  const withResult = lines.filter((line) => line.some((panel) => panel.result));
  const results = panels.filter((panel) => panel.result).map((panel) => ({ ...panel, tight: true }));
  if (withResult.length > 1 && sum(withResult.map((line) => readHeight(line, height))) > height) {
    const inputs = panels.filter((panel) => !panel.result);
    if (leastWidth(results) <= width) lines = [...linesOf(inputs, width), results];
  }
  const heights = lines.map((line) => readHeight(line, height));
  return { lines, ...sized(lines, width, heights, 1) };
};

const SMALLER = [1, 0.8, 0.6, 0.45, 0.32, 0.22]; // how much smaller the cells of inputs may be than those of results

// Cell sizes with which the panels fill the space they have, in whichever lines are read best.
/** @type {(panels: Panel[], width: number, height: number) => Arrangement} */
export const arrange = (panels, width, height) => {
  const smaller = panels.length > 1 ? SMALLER : [1];
  const found = waysOf(panels).flatMap((lines) =>
    smaller.map((small) => ({ lines, ...grownToFit(lines, width, height, small) })),
  );
  return found.reduce((best, one) => (one.score > best.score * 1.04 ? one : best));
};

// The height that some lines do not need is given to those that do.
/** @type {(lines: Panel[][], width: number, height: number, small: number) => Sizes} */
const grownToFit = (lines, width, height, small) => {
  const heights = shares(lines, width, height);
  const first = sized(lines, width, heights, small);
  /** @type {(panel: Panel) => Size} */
  const size = (panel) => /** @type {Size} */ (first.sizes.get(panel));
  /** @type {(panel: Panel) => number} */
  const taken = (panel) =>
    titleHeight(panel, size(panel).w) + CAPTION() + MARGIN + belowHeight(panel) + panel.rows * size(panel).h;
  const used = lines.map((line) => Math.max(...line.map(taken)));
  const short = used.map((one, i) => one >= heights[i] - 1);
  const spare = height - sum(used);
  const n = short.filter(Boolean).length;
  if (spare <= 1 || !n || n === lines.length) return first;
  return sized(
    lines,
    width,
    used.map((one, i) => one + (short[i] ? spare / n : 0)),
    small,
  );
};

// How the height is shared among lines: what stands around the cells first, the rest by their rows.
/** @type {(lines: Panel[][], width: number, height: number) => number[]} */
const shares = (lines, width, height) => {
  const around = lines.map((line) =>
    Math.max(
      ...line.map(
        (panel) => CAPTION() + MARGIN + belowHeight(panel) + titleHeight(panel, width / line.length / panel.cols),
      ),
    ),
  );
  const rows = lines.map((line) =>
    Math.max(...line.map((panel) => Math.min(panel.rows, 24) * (panel.result ? 26 : panel.turned ? 9 : 13))),
  );
  const [taken, all] = [around, rows].map(sum);
  return lines.map((_, i) => around[i] + (Math.max(0, height - taken) * rows[i]) / all);
};

/** @type {(lines: Panel[][], width: number, heights: number[], small: number) => Sizes} */
const sized = (lines, width, heights, small) => {
  /** @type {Map<Panel, Size>} */
  const sizes = new Map();
  const grown = clamp(width / 900, 1, 1.5) * display.zoom;
  let score = 0;
  let fits = 1;
  let crowded = false;
  let isRead = true;
  lines.forEach((line, i) => {
    /** @type {(panel: Panel) => number} */
    const scaled = (panel) => (panel.result ? 1 : small);
    const fixed = line.reduce((sum, panel) => sum + labelWidth(panel) + 16 + (panel.sign ? SIGN() : 0), 0);
    let unit = (width - fixed) / line.reduce((sum, panel) => sum + panel.cols * scaled(panel), 0);
    const lost = line.reduce(
      (sum, panel) => sum + Math.max(0, captionWidth(panel) - labelWidth(panel) - panel.cols * unit * scaled(panel)),
      0,
    );
    unit *= Math.max(0.2, (width - fixed - lost) / (width - fixed)); // a caption is wider than a narrow picture
    let taken = 0;
    for (const panel of line) {
      const w = Math.min(unit * scaled(panel), MOST.w * grown);
      taken += Math.max(captionWidth(panel), labelWidth(panel) + panel.cols * w + 16) + (panel.sign ? SIGN() : 0);
      const room = (heights[i] - titleHeight(panel, w) - CAPTION() - MARGIN - belowHeight(panel)) / panel.rows;
      const least = display.room > 1 ? leastLabel() : 15;
      const tall = Math.min(room, w >= minNumber() ? MOST.h * grown : Math.max(w * 1.25, least));
      sizes.set(panel, { w: Math.max(3, w), h: Math.max(4, tall) });
      const legible = w >= minNumber() && tall >= 15 ? 3 : Math.min(w, 24) / 24;
      score += (panel.result ? 2 : 1) * legible * Math.min(tall, 24);
      if (w < 3 || tall < 4) {
        fits *= 0.02;
        crowded = true;
      } else if (tall < (tokenAxis(panel.rowAxis) ? leastLabel() : 7)) fits *= 0.6; // the labels of its rows would not all be there
      if (tall < 11 * display.room || taken > width) isRead = false;
      if (panel.cols * w + labelWidth(panel) < 96 && line.length > 1) fits *= 0.9; // too narrow for its own caption
    }
  });
  return { sizes, score: score * fits, crowded, isRead };
};

const LARGEST = 64; // rows and columns of a window, as in pictures.py

// Whether a picture would be crowded if no window had moved: cells keep their size from one window to the next.
/** @type {(raws: ReadPanel[], width: number, height: number) => boolean} */
export const isCrowded = (raws, width, height) =>
  raws.some((raw) => raw.by_hand && !raw.part_only) &&
  arrange(
    raws.map((raw) => prepare({ ...raw, window: raw.size.map((n) => Math.min(n, LARGEST)) })),
    width,
    height,
  ).crowded;
