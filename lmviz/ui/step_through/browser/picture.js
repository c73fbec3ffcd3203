// The centre: what a place looks like. Tensors, or a table where a table says more.

// @ts-check

/** @import { Draw } from "./state.d.ts" */

import { h } from "../../browser/dom.js";
import { drawTensors } from "../../browser/figure.js";
import { lightLater } from "./sums.js";
import { barTable, drawTokenSheet, lossTable } from "./tables.js";

/** @type {Draw} */
export const drawPicture = (box, state) => {
  const { data, words } = state;
  const picture = data.picture;
  box.replaceChildren();
  if (state.shown) state.shown.length = 0;
  state.lit = null;
  if (picture.kind === "tokens") return drawTokenSheet(box, picture, state);
  if (picture.kind === "bars") return box.append(barTable(picture, state));
  if (picture.kind === "loss") return box.append(lossTable(picture, state));
  if (!picture.panels.length) return box.append(h("p", { class: "empty" }, words["picture.none"]));
  drawTensors(box, picture.panels, state);
  lightLater(state);
};
