// Hover previews a cell, a click pins it; the arrow keys go from cell to cell.

// @ts-check

/** @import { Grid, Panel, TensorPage } from "./client.d.ts" */

import { h } from "./dom.js";
import { clamp, written } from "./numbers.js";

/** @type {Record<string, [number, number]>} */
const ARROWS = { ArrowLeft: [0, -1], ArrowRight: [0, 1], ArrowUp: [-1, 0], ArrowDown: [1, 0] };

/** @typedef {[number, number]} Place row and column as one sees them */

/** @type {(canvas: HTMLCanvasElement, panel: Panel, grid: Grid, state: TensorPage) => void} */
export const attachPointer = (canvas, panel, grid, state) => {
  followMouse(canvas, panel, grid, state);
  followKeys(canvas, panel, grid, state);
};

// What a cell is and what is in it; it stands beside the pointer too.
/** @type {(panel: Panel, place: Place, state: TensorPage) => string} */
const tell = (panel, place, state) => {
  const value = panel.at(...place);
  const masked = value === -Infinity;
  const shown = masked ? state.words["picture.masked"] : written(value, panel.integers ? 0 : 4, state.data.lang);
  const says = state.data.parts?.includes("ids") ?? true;
  const index = says ? `[${cellText(panel.cell(...place), panel.axes, state)}]` : "";
  const text = `${panel.name}${index} = ${shown}`;
  state.tip.textContent = text;
  return text;
};

/** @type {(canvas: HTMLCanvasElement, panel: Panel, grid: Grid, event: MouseEvent) => Place | null} */
const placeUnder = (canvas, panel, grid, event) => {
  const area = canvas.getBoundingClientRect();
  const col = Math.floor((event.clientX - area.left - grid.left) / grid.w);
  const row = Math.floor((event.clientY - area.top - grid.top) / grid.h);
  return row >= 0 && col >= 0 && row < panel.rows && col < panel.cols ? [row, col] : null;
};

/** @type {(canvas: HTMLCanvasElement, panel: Panel, grid: Grid, state: TensorPage) => void} */
const followMouse = (canvas, panel, grid, state) => {
  const { tip, root } = state;
  canvas.addEventListener("mousemove", (event) => {
    const place = placeUnder(canvas, panel, grid, event);
    tip.hidden = !place;
    point(panel, place, state);
    if (!place) return;
    tell(panel, place, state);
    const area = root.getBoundingClientRect();
    tip.style.left = `${clamp(event.clientX - area.left + 14, 0, area.width - tip.offsetWidth - 4)}px`;
    tip.style.top = `${event.clientY - area.top + 16}px`;
  });
  canvas.addEventListener("mouseleave", () => {
    tip.hidden = true;
    point(panel, null, state);
  });
  canvas.addEventListener("mousedown", (event) => event.preventDefault()); // the arrow keys stay with the walk
  canvas.addEventListener("click", (event) => {
    const place = placeUnder(canvas, panel, grid, event);
    tip.hidden = true;
    if (place) pin(panel, panel.cell(...place), state);
  });
};

/** @type {(canvas: HTMLCanvasElement, panel: Panel, grid: Grid, state: TensorPage) => void} */
const followKeys = (canvas, panel, grid, state) => {
  /** @type {Place} */
  let at = [0, 0];
  const mark = h("i", { class: "cursor", hidden: true });
  const show = () => {
    if (!mark.isConnected) canvas.after(mark);
    mark.hidden = false;
    mark.style.left = `${canvas.offsetLeft + grid.left + at[1] * grid.w}px`;
    mark.style.top = `${canvas.offsetTop + grid.top + at[0] * grid.h}px`;
    mark.style.width = `${grid.w}px`;
    mark.style.height = `${grid.h}px`;
    const text = tell(panel, at, state);
    point(panel, at, state);
    state.live.textContent = text;
    canvas.setAttribute("aria-label", text);
  };
  canvas.addEventListener("blur", () => {
    mark.hidden = true;
    point(panel, null, state);
  });
  canvas.addEventListener("keydown", (event) => {
    const move = ARROWS[event.key];
    if (move) {
      at = [clamp(at[0] + move[0], 0, panel.rows - 1), clamp(at[1] + move[1], 0, panel.cols - 1)];
      show();
    } else if (event.key === "Enter") pin(panel, panel.cell(...at), state);
    else if (event.key === "Escape") canvas.blur();
    else return;
    event.preventDefault();
    event.stopPropagation();
  });
};

/** @type {(panel: Panel, place: Place | null, state: TensorPage) => void} */
const point = (panel, place, state) => {
  if (state.pointed) state.pointed(place && panel, place ? panel.source(...place) : []);
};

/** @type {(panel: Panel, cell: number[], state: TensorPage) => void} */
const pin = (panel, cell, state) => {
  const now = state.data.inspector;
  const same = now && now.address === panel.address && now.cell.join() === cell.join();
  state.send(same ? { type: "unpin" } : { type: "pin", address: panel.address, cell });
};

// A cell's index with tokens for positions: 0, ‹k›, ‹p›.
/** @type {(cell: number[], axes: string[], state: TensorPage) => string} */
const cellText = (cell, axes, state) =>
  cell
    .map((index, i) => {
      const token = ["pos", "query", "key"].includes(axes[i]) && state.data.tokens[index];
      return token ? `‹${token.text}›` : String(index);
    })
    .join(", ");
