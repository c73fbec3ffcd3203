// The centre: what a place looks like. Tensors, or a table where a table says more.

// @ts-check

/** @import { Draw } from "./state.d.ts" */

import { h, maybe } from "../../browser/dom.js";
import { drawTensors } from "../../browser/figure.js";
import { lightLater } from "./sums.js";
import { drawBars, drawTokenSheet, lossTable } from "./tables.js";

// How far a picture that is higher than its pane is moved up, so that what comes out is seen.
/** @type {(box: HTMLElement) => number} */
const toResult = (box) => {
  const result = maybe(box, "figure[data-result]")?.getBoundingClientRect();
  if (!result) return 0;
  const top = result.top - box.getBoundingClientRect().top + box.scrollTop;
  return Math.max(0, Math.min(top, top + result.height - box.clientHeight));
};

// Of the same step, the reader's own place in the picture is kept when it is drawn anew.
/** @type {Draw} */
export const drawPicture = (box, state) => {
  const { grain, index } = state.data.bar;
  const at = `${grain}:${index}`;
  const before = box.scrollTop;
  const isMoved = state.scrolled?.at === at && Math.abs(before - state.scrolled.top) > 1;
  drawKind(box, state);
  box.scrollTop = isMoved ? before : toResult(box);
  if (!isMoved) state.scrolled = { at, top: box.scrollTop };
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
  if (!picture.panels.length) return box.append(h("p", { class: "empty" }, words["picture.none"]));
  drawTensors(box, picture.panels, state);
  lightLater(state);
};
