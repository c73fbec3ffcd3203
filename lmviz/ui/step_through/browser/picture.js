// The centre: what a place looks like. Tensors, or a table where a table says more.

// @ts-check

/** @import { Draw, State } from "./state.d.ts" */

import { h, later } from "../../browser/dom.js";
import { drawTensors, drawnInSight, roomIn } from "../../browser/figure.js";
import { lightLater } from "./sums.js";
import { drawBars, drawTokenSheet, lossTable } from "./tables.js";

// With the rest of a place: in the room that it had before, since it is drawn again where that has changed.
/** @type {Draw} */
export const drawPicture = (box, state) => drawIn(box, state, later);

// By itself, in the room that it has now.
/** @type {Draw} */
export const redrawPicture = (box, state) => {
  state.room = undefined;
  drawIn(box, state, (act) => act());
};

// Of the same step, the reader's own place in the picture is kept when it is drawn anew.
/** @type {(box: HTMLElement, state: State, whenAll: (act: () => void) => void) => void} */
const drawIn = (box, state, whenAll) => {
  const { grain, index } = state.data.bar;
  const draw = () => drawKind(box, state);
  state.scrolled = drawnInSight(box, `${grain}:${index}`, state.scrolled, draw, whenAll);
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
  state.room ??= roomIn(box);
  drawTensors(box, picture.panels, state, state.room);
  lightLater(state);
};
