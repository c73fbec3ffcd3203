// What may come next, at the end of the whole model's picture: ribbons from the followed token's lane, and bars.

// @ts-check

/** @import { Shape } from "./svg.js" */
/** @import { Wanted } from "./whole_full.js" */
/** @import { Model } from "./whole_model.js" */
/** @import { Ground } from "./whole_shapes.js" */

import { band } from "./whole_layout.js";
import { exactPercent, filled, laneOf, laneText } from "./whole_model.js";

/** @type {(model: Model, wanted: Wanted, ground: Ground, place: { x: number, y: number, width: number, row: number }) => Shape[]} */
export const chances = (model, wanted, ground, { x, y, width, row }) => {
  const { data } = model;
  const lane = data.chances.length === 1 ? model.n - 1 : laneOf(model, wanted.pos);
  const found = data.chances[Math.min(lane, data.chances.length - 1)];
  if (!found) return [];
  const rest = found.others ? [{ text: data.words["whole.rest"], share: found.rest }] : [];
  const rows = [...found.top, ...rest];
  const [labels, ends] = [66, 62];
  const unit = Math.min(44, ground.lanes.space * 0.62);
  let arrived = -rows.reduce((sum, { share }) => sum + share, 0) / 2;
  /** @type {Shape[]} */
  const shapes = [
    {
      key: "after",
      tag: "text",
      attributes: { class: "after", x, y: y - row * 0.4 },
      text: filled(data.words["whole.after"], { token: laneText(model, lane) }),
    },
  ];
  rows.forEach(({ text, share }, i) => {
    const middle = y + (i + 0.5) * row;
    const isRest = i === found.top.length;
    const tip = () => `${isRest ? text : `‹${text}›`}: ${exactPercent(share, data.lang)}`;
    const full = width - labels - ends;
    const centre = ground.lanes.centre(lane) + (arrived + share / 2) * unit;
    const leaves = { along: ground.to, centre, half: (share * unit) / 2 };
    arrived += share;
    if (!wanted.isDown)
      shapes.push({
        key: `f${i}`,
        tag: "path",
        attributes: {
          class: isRest ? "fan rest" : "fan",
          d: band(ground.at, leaves, { along: x - 6, centre: middle, half: Math.min(leaves.half, 0.32 * row) }),
        },
        tip,
      });
    shapes.push(
      {
        key: `l${i}`,
        tag: "text",
        attributes: { class: isRest ? "chance rest" : "chance", x: x + labels - 8, y: middle + 5 },
        text: text.length > 7 && !isRest ? `${text.slice(0, 6)}…` : text,
      },
      {
        key: `t${i}`,
        tag: "rect",
        attributes: { class: "track", x: x + labels, y: middle - row * 0.32, width: full, height: row * 0.64, rx: 4 },
      },
      {
        key: `v${i}`,
        tag: "rect",
        attributes: {
          class: isRest ? "likely rest" : "likely",
          x: x + labels,
          y: middle - row * 0.32,
          width: Math.max(1, full * share),
          height: row * 0.64,
          rx: 4,
        },
        tip,
      },
      {
        key: `p${i}`,
        tag: "text",
        attributes: { class: "share", x: x + width, y: middle + 5 },
        text: exactPercent(share, data.lang),
      },
    );
  });
  return shapes;
};
