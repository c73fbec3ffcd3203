// What a table says better than a picture: the pieces of a text, the likeliest next tokens, the loss by position.

// @ts-check

/** @import { Child } from "../../browser/client.d.ts" */
/** @import { Real } from "../../browser/panel.d.ts" */
/** @import { CellAt, LossRow, LossTable, NextToken, NextTokens, TokenRow, TokenSheet } from "./scene.d.ts" */
/** @import { State } from "./state.d.ts" */

import { h, maybe, parts, submitted } from "../../browser/dom.js";
import { clamp, percent, written } from "../../browser/numbers.js";

// -- the pieces of a text

/** @type {(rows: TokenRow[]) => HTMLElement} */
const pieces = (rows) => {
  const items = rows.map((row) => {
    const span = row.span && h("small", {}, row.span.join("–"));
    const id = h("span", { class: "id" }, String(row.id));
    return h("li", { class: row.unknown ? "unknown" : "" }, h("b", {}, row.text), id, span);
  });
  return h("ol", { class: "pieces" }, items);
};

/** @type {(sheet: TokenSheet, mark: string) => HTMLElement[]} */
const textAndPieces = ({ text, rows }, mark) => {
  const name = mark ? h("b", { class: "mark" }, `${mark} `) : null;
  if (text === null && !mark) return [pieces(rows)];
  const given = h("p", { class: "given" }, name, text === null ? "" : text || "∅");
  return [given, h("p", { class: "down", "aria-hidden": "true" }, "↓"), pieces(rows)];
};

// The text and its pieces, smaller where there is not enough room; compared, the other text's below.
/** @type {(box: HTMLElement, picture: TokenSheet, state: State) => void} */
export const drawTokenSheet = (box, picture, { words }) => {
  const { other } = picture;
  const placed = picture.rows.some(({ span }) => span);
  const texts = [textAndPieces(picture, other ? "A" : ""), other ? textAndPieces(other, "B") : null];
  const sheet = h(
    "div",
    { class: "sheet" },
    texts,
    h("p", { class: "note" }, words[placed ? "picture.tokens" : "picture.tokens.no_text"]),
  );
  box.append(sheet);
  const overflows = parts(sheet, ".pieces").some((list) => list.scrollHeight > list.clientHeight + 1);
  if (overflows) sheet.classList.add("dense");
  sheet.style.maxHeight = "100%";
};

// -- what both tables have

// Each column but that of the tokens has the class that its cells have, so that a style can leave it out.
/** @type {(state: State, names: string[]) => HTMLElement} */
const heading = ({ words }, names) =>
  h(
    "thead",
    {},
    h(
      "tr",
      {},
      names.map((name, i) => h("th", { scope: "col", class: i ? name.split(".")[1] : "" }, words[name])),
    ),
  );

// A number that pins its cell.
/** @type {(state: State, cell: CellAt, shown: string) => HTMLElement} */
const numberButton = (state, [address, cell], shown) =>
  h("button", { class: "num", onclick: () => state.send({ type: "pin", address, cell }) }, shown);

// How the other run is called.
/** @type {(state: State) => string} */
const otherName = ({ data, words }) => (data.compared ? "B" : words["bars.before"]);

// What really came next, so that there is a loss at the last position too.
/** @type {(picture: { target: string | null }, state: State) => Child} */
const targetForm = (picture, state) => {
  if (picture.target === null) return null;
  const placeholder = state.words["loss.target_example"];
  const input = h("input", { type: "text", value: picture.target, maxlength: "60", placeholder });
  const onsubmit = submitted(() => {
    if (input.value !== picture.target) state.send({ type: "target", target: input.value });
  });
  return h("form", { onsubmit }, h("label", {}, state.words["loss.target"], " ", input));
};

// -- the likeliest next tokens

const LEAST_TOKENS = 2; // tokens that are shown also where one has to scroll for them

/** @type {(picture: NextTokens, state: State) => Child} */
const temperatureSlider = (picture, state) => {
  if (picture.temperature === null) return null;
  const { lang } = state.data;
  const label = state.words["bars.temperature"];
  const value = String(Math.log10(picture.temperature));
  const slider = h("input", { type: "range", min: "-1", max: "1", step: "0.050", value, "aria-label": label });
  const shown = h("output", {}, written(picture.temperature, 2, lang));
  const chosen = () => 10 ** Number(slider.value);
  slider.addEventListener("input", () => {
    shown.textContent = written(chosen(), 2, lang);
  });
  slider.addEventListener("change", () =>
    state.send({ type: "temperature", temperature: Number(chosen().toFixed(3)) }),
  );
  return h("label", {}, label, " ", slider, shown);
};

/** @type {(share: Real) => string} */
const widthOf = (share) => `${100 * clamp(Number(share) || 0, 0, 1)}%`;

// A bar from 0 to 1, with a mark where the other run's would end, and beside it the numbers.
/** @type {(row: NextToken, state: State) => HTMLElement} */
const shareBar = (row, state) => {
  const { lang } = state.data;
  const there = row.b === null ? null : h("u", { style: `left:${widthOf(row.b)}` });
  const other = row.b === null ? null : h("small", {}, `${otherName(state)} ${percent(row.b, lang)}`);
  const bar = h("i", { style: `width:${widthOf(row.p)}` });
  const shown = numberButton(state, row.cells[2], percent(row.p, lang));
  const scale = h("span", { class: "scale" }, bar, there);
  return h("td", { class: "bar" }, h("div", { class: "track" }, scale, h("span", {}, shown, other)));
};

/** @type {(row: NextToken, isBest: boolean, state: State) => HTMLElement} */
const tokenRow = (row, isBest, state) => {
  const { digits, lang } = state.data;
  /** @type {(column: string, value: Real, cell: CellAt) => HTMLElement} */
  const number = (column, value, cell) =>
    h("td", { class: column }, numberButton(state, cell, written(value, digits, lang)));
  const target = row.target ? h("span", { class: "target" }, state.words["bars.target"]) : null;
  return h(
    "tr",
    { class: isBest ? "best" : "" },
    h("th", { scope: "row" }, row.text, target),
    h("td", { class: "id" }, String(row.id)),
    number("logit", row.logit, row.cells[0]),
    number("scaled", row.scaled, row.cells[1]),
    shareBar(row, state),
  );
};

/** @type {(count: number, rest: number, state: State) => Child} */
const othersRow = (count, rest, { data, words }) => {
  if (!count) return null;
  const label = words[count === 1 ? "bars.others.one" : "bars.others"].replace("{n}", String(count));
  const shown = h("span", { class: "together" }, percent(rest, data.lang));
  const share = h("td", { class: "bar" }, h("div", { class: "track" }, h("span", {}), shown));
  const empty = ["id", "logit", "scaled"].map((column) => h("td", { class: column }));
  return h("tr", { class: "others" }, h("th", { scope: "row" }, label), empty, share);
};

/** @type {(picture: NextTokens, state: State) => Child} */
const appendButton = (picture, state) => {
  const [best] = picture.rows;
  if (!picture.last || !Number.isFinite(Number(best.p))) return null;
  const label = state.words["bars.append"].replace("{token}", best.text);
  return h("button", { class: "add", onclick: () => state.send({ type: "append", id: best.id }) }, label);
};

// As many tokens as fit, with what stands above and below them, and one row for all others.
/** @type {(box: HTMLElement, picture: NextTokens, state: State) => void} */
export const drawBars = (box, picture, state) => {
  box.append(barTable(picture, picture.rows.length, state));
  const tall = maybe(box, "tbody tr")?.offsetHeight ?? 0;
  const over = Math.ceil((box.scrollHeight - box.clientHeight) / tall);
  if (!tall || over <= 0) return;
  const n = picture.rows.length;
  const fit = n - over - (picture.others ? 0 : 1); // the row of the others comes in
  box.replaceChildren(barTable(picture, clamp(fit, Math.min(LEAST_TOKENS, n), n), state));
};

/** @type {(picture: NextTokens, fit: number, state: State) => HTMLElement} */
const barTable = (picture, fit, state) => {
  const rows = picture.rows.slice(0, fit);
  const left = picture.rows.slice(fit);
  const rest = left.reduce((sum, row) => sum + Number(row.p), Number(picture.rest));
  const compared = rows.some((row) => row.b !== null);
  const body = rows.map((row, i) => tokenRow(row, i === 0, state));
  return h(
    "div",
    { class: "readout" },
    h("div", { class: "controls" }, temperatureSlider(picture, state), targetForm(picture, state)),
    h(
      "table",
      { class: compared ? "bars compared" : "bars" },
      heading(state, ["bars.token", "bars.id", "bars.logit", "bars.scaled", "bars.probs"]),
      h("tbody", {}, body, othersRow(picture.others + left.length, rest, state)),
    ),
    appendButton(picture, state),
  );
};

// -- the loss by position

/** @type {(row: LossRow, most: number, state: State) => HTMLElement} */
const lossRow = (row, most, state) => {
  const { digits, lang } = state.data;
  const counts = row.target !== null;
  const loss = counts
    ? [
        h("i", { style: `width:${(100 * Number(row.nll)) / most}%` }),
        numberButton(state, row.cell, written(row.nll, digits, lang)),
        otherLoss(row, state),
      ]
    : state.words["loss.uncounted"];
  return h(
    "tr",
    {},
    h("th", { scope: "row" }, row.input),
    h("td", {}, row.target ?? "–"),
    h("td", {}, counts ? percent(row.p, lang) : ""),
    h("td", { class: "bar" }, loss),
  );
};

/** @type {(row: LossRow, state: State) => Child} */
const otherLoss = ({ b, target }, state) => {
  if (!b) return null;
  const pair = b.target === target ? "" : `‹${b.input}› → ‹${b.target}› `;
  return h("small", {}, `${otherName(state)} ${pair}${written(b.nll, state.data.digits, state.data.lang)}`);
};

/** @type {(picture: LossTable, state: State) => HTMLElement} */
const meanRow = (picture, state) => {
  const { data, words } = state;
  const { mean, b_mean: there, n_texts: n } = picture;
  const label = n > 1 ? words["loss.mean_of_batch"].replace("{n}", String(n)) : words["loss.mean"];
  const number = numberButton(state, picture.cell, written(mean, data.digits, data.lang));
  const other = there === null ? null : `${otherName(state)} ${written(there, data.digits, data.lang)}`;
  return h(
    "tr",
    { class: "best" },
    h("th", { scope: "row", colspan: "3" }, label),
    h("td", { class: "bar" }, number, other === null ? null : h("small", {}, other)),
  );
};

/** @type {(picture: LossTable, state: State) => HTMLElement} */
export const lossTable = (picture, state) => {
  const counted = picture.rows.filter((row) => row.target !== null);
  const losses = counted.flatMap((row) => [Number(row.nll) || 0, Number(row.b?.nll) || 0]);
  const most = Math.max(...losses, 1e-9);
  const rows = picture.rows.map((row) => lossRow(row, most, state));
  return h(
    "div",
    { class: "readout" },
    h("div", { class: "controls" }, targetForm(picture, state)),
    h(
      "table",
      { class: "bars loss" },
      heading(state, ["loss.input", "loss.wanted", "loss.p", "loss.nll"]),
      h("tbody", {}, rows, meanRow(picture, state)),
    ),
  );
};
