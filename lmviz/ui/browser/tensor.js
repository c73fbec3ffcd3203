// One tensor as a grid of cells on a canvas: real numbers where they fit, hatching for what a mask hides.

// @ts-check

/** @import { Grid, Look, Panel, Shades, Size } from "./client.d.ts" */

import { colourOf, inkOn, mix } from "./colour.js";
import { display, labelWidth, labelledEvery, leastLabel, minNumber, stands, titleHeight, tokenAxis } from "./layout.js";
import { clamp, written } from "./numbers.js";

/** @type {(canvas: HTMLCanvasElement) => CanvasRenderingContext2D} */
export const context = (canvas) => /** @type {CanvasRenderingContext2D} */ (canvas.getContext("2d"));

/** @type {(canvas: HTMLCanvasElement, panel: Panel, size: Size, look: Look) => Grid} */
export const drawTensor = (canvas, panel, size, look) => {
  const left = labelWidth(panel);
  const ratio = window.devicePixelRatio || 1;
  const width = Math.ceil(left + panel.cols * size.w + 6);
  const top = titleHeight(panel, size.w);
  const height = Math.ceil(top + panel.rows * size.h + 6);
  canvas.width = width * ratio;
  canvas.height = height * ratio;
  canvas.style.width = `${width}px`;
  canvas.style.height = `${height}px`;
  const g = context(canvas);
  g.scale(ratio, ratio);
  g.textBaseline = "middle";
  const place = { left, top, ...size };
  drawTitles(g, panel, place, look);
  for (let row = 0; row < panel.rows; row++)
    for (let col = 0; col < panel.cols; col++) drawCell(g, panel, row, col, place, look);
  drawMarks(g, panel, place, look);
  return place;
};

/** @type {(g: CanvasRenderingContext2D, panel: Panel, grid: Grid, look: Look) => void} */
const drawTitles = (g, panel, { left, top, w, h: tall }, look) => {
  g.textAlign = "center";
  const every = Math.max(
    1,
    Math.ceil(
      ((!tokenAxis(panel.colAxis) ? 26 : panel.colLabels.every((label) => [...label].length === 1) ? 11 : 16) *
        display.zoom) /
        w,
    ),
  );
  g.font = `${(tokenAxis(panel.colAxis) ? 15 : 12) * display.zoom}px ${look.mono}`;
  const upright = stands(panel, w);
  for (let col = 0; col < panel.cols; col += every) {
    g.fillStyle = col === (panel.turned ? panel.focusLocal : -1) ? look.accent : look.scale.ink;
    if (!upright)
      g.fillText(
        short(panel.colLabels[col], Math.max(2, Math.floor((w * every) / (9 * display.zoom)))),
        left + (col + 0.5) * w,
        top - 9 * display.zoom,
      );
    else standing(g, short(panel.colLabels[col], 7), left + (col + 0.5) * w, top - 5);
  }
  g.textAlign = "right";
  g.font = `${clamp(tall, leastLabel(), (tokenAxis(panel.rowAxis) ? 15 : 12) * display.zoom)}px ${look.mono}`;
  for (let row = 0; row < panel.rows; row += labelledEvery(tall)) {
    if (!panel.rowAxis) break;
    g.fillStyle = row === panel.focusLocal && !panel.turned ? look.accent : look.scale.ink;
    g.fillText(short(panel.rowLabels[row], 9), left - 6, top + (row + 0.5) * tall);
  }
};

/** @type {(g: CanvasRenderingContext2D, label: string, x: number, y: number) => void} */
const standing = (g, label, x, y) => {
  g.save();
  g.translate(x, y);
  g.rotate(-Math.PI / 2);
  g.textAlign = "left";
  g.fillText(label, 0, 0);
  g.restore();
};

/** @type {(label: string, n: number) => string} */
export const short = (label, n) =>
  [...label].length > n ? [...label].slice(0, Math.max(1, n - 1)).join("") + "…" : label;

/** @type {(g: CanvasRenderingContext2D, panel: Panel, row: number, col: number, grid: Grid, look: Look) => void} */
const drawCell = (g, panel, row, col, { left, top, w, h: tall }, look) => {
  const value = panel.at(row, col);
  const x = left + col * w;
  const y = top + row * tall;
  const gap = w > 9 && tall > 9 ? 1 : 0;
  let ink = look.scale.ink;
  if (value === -Infinity) {
    g.fillStyle = look.hatch;
    g.fillRect(x, y, w - gap, tall - gap);
  } else if (Number.isNaN(value) || value === Infinity) {
    // what must not be is seen at any size
    g.fillStyle = "#c81e3a";
    g.fillRect(x, y, w - gap, tall - gap);
    ink = "#ffffff";
    if (w >= 9 && w < minNumber()) sign(g, Number.isNaN(value) ? "?" : "∞", x + w / 2, y + tall / 2, look);
  } else {
    const colour = colourOf(value, panel, look.scale);
    g.fillStyle = `rgb(${colour})`;
    g.fillRect(x, y, w - gap, tall - gap);
    ink = inkOn(colour);
  }
  if (panel.isChanged(row, col)) {
    // a corner: an edit has changed this cell
    g.fillStyle = look.accent;
    g.beginPath();
    g.moveTo(x, y);
    g.lineTo(x + Math.min(10, w / 2), y);
    g.lineTo(x, y + Math.min(10, tall / 2));
    g.fill();
  }
  if (w < minNumber() || tall < 14 * display.room || value === -Infinity) return;
  g.fillStyle = ink;
  g.textAlign = "center";
  g.font = `${clamp(Math.min(tall * 0.6, w / 3.4), 11 * display.room, 26 * display.zoom)}px ${look.font}`;
  const text = panel.integers ? String(Math.round(value)).replace("-", "−") : written(value, look.digits, look.lang);
  g.fillText(text, x + (w - gap) / 2, y + tall / 2 + 0.5, w - 4);
};

/** @type {(g: CanvasRenderingContext2D, glyph: string, x: number, y: number, look: Look) => void} */
const sign = (g, glyph, x, y, look) => {
  g.fillStyle = "#ffffff";
  g.textAlign = "center";
  g.font = `bold ${11 * display.room}px ${look.font}`;
  g.fillText(glyph, x, y);
};

/** @type {(g: CanvasRenderingContext2D, panel: Panel, grid: Grid, look: Look) => void} */
const drawMarks = (g, panel, { left, top, w, h: tall }, look) => {
  if (panel.focusLocal !== null && panel.focusLocal >= 0) {
    g.strokeStyle = look.accent;
    g.lineWidth = 2;
    if (panel.turned) g.strokeRect(left + panel.focusLocal * w - 1, top - 1, w + 1, panel.rows * tall + 1);
    else g.strokeRect(left - 1, top + panel.focusLocal * tall - 1, panel.cols * w + 1, tall + 1);
  }
  if (panel.pinned) {
    const [row, col] = panel.local(panel.pinned);
    g.strokeStyle = look.scale.ink;
    g.lineWidth = 3;
    if (row >= 0 && col >= 0 && row < panel.rows && col < panel.cols)
      g.strokeRect(left + col * w, top + row * tall, w - 1, tall - 1);
  }
};

/** @type {(scale: Shades) => CanvasPattern} */
export const hatching = (scale) => {
  const tile = document.createElement("canvas");
  tile.width = tile.height = 8;
  const g = context(tile);
  g.fillStyle = `rgb(${mix(scale.middle, [128, 136, 148], 0.22)})`;
  g.fillRect(0, 0, 8, 8);
  g.strokeStyle = scale.faint;
  g.lineWidth = 1;
  g.beginPath();
  for (const [x, y] of [
    [-2, 2],
    [0, 8],
    [6, 10],
  ]) {
    g.moveTo(x, y);
    g.lineTo(x + 8, y - 8);
  }
  g.stroke();
  return /** @type {CanvasPattern} */ (g.createPattern(tile, "repeat"));
};
