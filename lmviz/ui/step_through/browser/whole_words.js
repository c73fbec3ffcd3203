// What is said of the whole model's picture: of the present part, and of what is drawn how.

// @ts-check

/** @import { Here } from "./place.js" */
/** @import { Drawing } from "./whole_full.js" */
/** @import { Model } from "./whole_model.js" */

import { exactPercent, filled, laneOf, laneText, lengthText, numbersOf, readsText, whereOf } from "./whole_model.js";

const MOST_NAMED = 3; // tokens that a sentence names

// Where one is, with what was measured there for the followed token.
/** @type {(model: Model, here: Here, head: number) => string} */
export const caption = (model, here, head) => {
  const { data } = model;
  const part = data.parts.filter(({ stage }) => stage <= here.stage).at(-1) ?? data.parts[0];
  const lane = laneOf(model, here.pos);
  const place = filled(data.words["whole.at"], { where: whereOf(model, part) });
  if (numbersOf(model, part).shares[head]) {
    const details = { token: laneText(model, lane), reads: readsText(model, part, head, lane, MOST_NAMED) };
    return `${place} ${filled(data.words["whole.reads"], details).replace(/….$/, "…")}`; // which ends a sentence too
  }
  if (part.kind === "probabilities" && data.chances.length) {
    const { top } = data.chances[Math.min(lane, data.chances.length - 1)];
    const listed = top.slice(0, MOST_NAMED).map(({ text, share }) => `‹${text}› ${exactPercent(share, data.lang)}`);
    return `${place} ${filled(data.words["whole.likely"], { list: listed.join(", ") })}`;
  }
  return numbersOf(model, part).lengths ? `${place} ${lengthText(model, part, lane)}.` : place;
};

// How to read the picture, and what is not, or not by itself, in it.
/** @type {(model: Model, drawing: Drawing | null) => string} */
export const notes = ({ data, n }, drawing) => {
  const { words } = data;
  const said = [data.n_heads ? words["whole.ribbons"] : words["whole.no_ribbons"], words["whole.thickness"]];
  if (drawing && drawing.lost > 0) {
    const details = { n: drawing.widest, lost: exactPercent(drawing.lost, data.lang) };
    said.push(filled(words[drawing.widest === 1 ? "whole.left_out.one" : "whole.left_out"], details));
  }
  const together = Math.max(...data.lanes.map(({ first, last }) => last - first + 1));
  if (together > 1) said.push(filled(words["whole.together"], { n: together, lanes: n }));
  if (data.most_blocks > 1) said.push(filled(words["whole.grouped"], { n: data.most_blocks }));
  if (data.walked) said.push(words["whole.later"]);
  return said.join(" ");
};
