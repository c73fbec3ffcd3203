// A tensor as a table: the same rows, columns and numbers as its picture, for those who hear them, or read them so.

// @ts-check

/** @import { Panel, TensorPage } from "./client.d.ts" */

import { h } from "./dom.js";
import { written } from "./numbers.js";

const DECIMALS = 4;

/** @type {(panel: Panel, row: number, col: number, page: TensorPage) => string} */
const cellWritten = (panel, row, col, { words, data }) => {
  const value = panel.at(row, col);
  if (value === -Infinity) return words["picture.masked"];
  return panel.integers ? String(Math.round(value)) : written(value, DECIMALS, data.lang);
};

/** @type {(n: number) => number[]} */
const upTo = (n) => Array.from({ length: n }, (_, i) => i);

/** @type {(panel: Panel, caption: string, page: TensorPage) => HTMLElement} */
const twinTable = (panel, caption, page) =>
  h(
    "table",
    {},
    h("caption", {}, caption),
    h(
      "thead",
      {},
      h(
        "tr",
        {},
        h("th", { scope: "col" }, `${panel.rowAxis} ↓ ${panel.colAxis} →`),
        upTo(panel.cols).map((col) => h("th", { scope: "col" }, panel.colLabels[col] ?? String(col))),
      ),
    ),
    h(
      "tbody",
      {},
      upTo(panel.rows).map((row) =>
        h(
          "tr",
          {},
          h("th", { scope: "row" }, panel.rowLabels[row] ?? String(row)),
          upTo(panel.cols).map((col) => h("td", {}, cellWritten(panel, row, col, page))),
        ),
      ),
    ),
  );

/** @type {(panel: Panel, caption: string, page: TensorPage) => void} */
const openTwin = (panel, caption, page) => {
  const dialog = h("dialog", { class: "twin-table", "aria-label": caption });
  const close = h("button", { class: "close", "aria-label": page.words["picture.close"] }, "×");
  close.addEventListener("click", () => dialog.close());
  dialog.addEventListener("keydown", (event) => event.stopPropagation()); // the arrow keys scroll, and do not walk
  dialog.addEventListener("close", () => dialog.remove());
  const box = h("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": caption });
  box.append(twinTable(panel, caption, page)); // built where it is asked for: it may have thousands of cells
  dialog.append(close, box);
  page.root.append(dialog);
  dialog.showModal();
};

// The way to it: the next stop of the Tab key behind a picture, which is seen where one stands on it.
/** @type {(panel: Panel, shape: string, page: TensorPage) => HTMLElement} */
export const twinButton = (panel, shape, page) => {
  const caption = [panel.name, panel.mark, shape].filter(Boolean).join(" · ");
  const name = page.words["picture.table"].replace("{name}", () => panel.name);
  return h("button", { class: "to-table", type: "button", onclick: () => openTwin(panel, caption, page) }, name);
};
