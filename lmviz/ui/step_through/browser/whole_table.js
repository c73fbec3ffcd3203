// The whole model as a table: the numbers of its picture, for those who read or hear them.

// @ts-check

/** @import { WholePart } from "./whole.d.ts" */
/** @import { Model } from "./whole_model.js" */

import { h } from "../../browser/dom.js";
import { written } from "../../browser/numbers.js";
import { exactPercent, filled, laneText, numbersOf, readsText, whereOf } from "./whole_model.js";

const MOST_READ = 8; // tokens in a cell

/** @type {(model: Model, head: number) => HTMLElement} */
export const tableOf = (model, head) => {
  const { data } = model;
  const { words } = data;
  const shown = data.parts.filter((part) => numbersOf(model, part).shares[head] || isAdded(model, part));
  const caption = filled(words["whole.table_of"], { head: headName(model, head) });
  return h(
    "div",
    { class: "twin", tabindex: "0", role: "region", "aria-label": words["whole.table"] },
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
          h("th", { scope: "col" }, words["whole.stage"]),
          data.lanes.map((_, lane) => h("th", { scope: "col" }, laneText(model, lane))),
        ),
      ),
      h(
        "tbody",
        {},
        shown.map((part) => row(model, part, head)),
      ),
    ),
    data.chances.length ? chanceTable(model) : null,
  );
};

/** @type {(model: Model, head: number) => string} */
export const headName = ({ data }, head) =>
  (data.heads[head] ?? -1) < 0
    ? data.words["whole.mean"]
    : filled(data.words["whole.head"], { head: data.heads[head] });

/** @type {(model: Model, part: WholePart) => boolean} */
const isAdded = (model, part) =>
  (part.is_stream || ["mlp", "mix", "final_norm"].includes(part.kind)) && !!numbersOf(model, part).lengths;

/** @type {(model: Model, part: WholePart, head: number) => HTMLElement} */
const row = (model, part, head) => {
  const { lengths } = numbersOf(model, part);
  const cells = model.data.lanes.map((_, lane) =>
    h(
      "td",
      {},
      part.shares === null
        ? written(lengths ? lengths[lane] : NaN, 2, model.data.lang)
        : readsText(model, part, head, lane, MOST_READ),
    ),
  );
  const kind = model.data.words[part.shares === null ? "whole.length" : "whole.who_reads"];
  return h("tr", {}, h("th", { scope: "row" }, whereOf(model, part), h("small", {}, kind)), cells);
};

/** @type {(model: Model) => HTMLElement} */
const chanceTable = (model) => {
  const { data } = model;
  return h(
    "table",
    {},
    h("caption", {}, data.words["whole.chances"]),
    h(
      "tbody",
      {},
      data.chances.map(({ top, rest, others }, i) =>
        h(
          "tr",
          {},
          h("th", { scope: "row" }, laneText(model, data.chances.length === 1 ? model.n - 1 : i)),
          top.map(({ text, share }) => h("td", {}, `‹${text}› ${exactPercent(share, data.lang)}`)),
          others ? h("td", {}, `${data.words["whole.rest"]} ${exactPercent(rest, data.lang)}`) : null,
        ),
      ),
    ),
  );
};
