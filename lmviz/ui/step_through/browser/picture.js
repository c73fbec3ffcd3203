// The centre: what a place looks like. Tensors, or a table where a table says more.

// @ts-check

/** @import { Draw } from "./state.d.ts" */

import { h } from "../../browser/dom.js";
import { drawTensors, drawnInSight } from "../../browser/figure.js";
import { lightLater } from "./sums.js";
import { drawBars, drawTokenSheet, lossTable } from "./tables.js";

// Of the same step, the reader's own place in the picture is kept when it is drawn anew.
/** @type {Draw} */
export const drawPicture = (box, state) => {
  const { grain, index } = state.data.bar;
  state.scrolled = drawnInSight(box, `${grain}:${index}`, state.scrolled, () => drawKind(box, state));
};

/** @type {Draw} */
const drawKind = (box, state) => {
  const { data, words } = state;
  const picture = data.picture;
  box.replaceChildren();
  if (state.shown) state.shown.length = 0;
  state.lit = null;
  if (picture.kind === "tokens") return drawTokenSheet(box, picture, state);
  if (picture.kind === "bars") return drawBars(box, picture, state);
  if (picture.kind === "loss") return box.append(lossTable(picture, state));
  if (!picture.panels.length) {
    return box.append(h("p", { class: "empty" }, words[picture.hides ? "picture.hides" : "picture.none"]));
  }
  drawTensors(box, picture.panels, state);
  lightLater(state);
};
