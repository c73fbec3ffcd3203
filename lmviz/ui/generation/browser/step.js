// One step: the bar from 0 to 1 with the random number on it, and a row for every token through every filter.

// @ts-check

/** @import { Send, Spoken } from "../../browser/client.d.ts" */
/** @import { TokenStep } from "./pictures.d.ts" */

import { h } from "../../browser/dom.js";
import { drawn } from "../../browser/drawn.js";
import { lessThan, signs, written } from "../../browser/numbers.js";

/** @type {(root: HTMLElement, data: TokenStep & Spoken, send: Send) => void} */
const draw = (root, data, send) => {
  root.replaceChildren(barOf(data, send), tableOf(data, send), pagerOf(data, send));
};

// A share as a percentage: the smaller it is, the more of its digits.
/** @type {(share: number, lang: string) => string} */
export const shareText = (share, lang) => {
  if (share > 0 && share < 0.000005) return lessThan(0.001, 3, lang);
  const digits = share >= 0.0995 || share === 0 ? 0 : share >= 0.001 ? 1 : 3;
  return `${written(share * 100, digits, lang)}${signs(lang).percent}`;
};

/** @type {(data: TokenStep & Spoken, send: Send) => HTMLElement} */
const barOf = (data, send) => {
  const { shares, number, chosen } = data.bar;
  const w = data.words;
  const track = h("div", {
    class: "track",
    role: "group",
    "aria-label":
      number === null ? w["generation.step.bar"] : `${w["generation.step.bar"]}: ${written(number, 4, data.lang)}`,
  });
  for (const [place, share] of shares.entries()) {
    const size = share.end - share.start;
    const is = share.id === chosen;
    track.append(
      h(
        "button",
        {
          class: `share ${place % 2 ? "odd" : ""} ${is ? "is" : ""}`,
          tabindex: "-1",
          style: `left:${100 * share.start}%;width:${100 * size}%`,
          title: `${share.text}   ${written(share.start, 4, data.lang)} – ${written(share.end, 4, data.lang)}`,
          onclick: () => send({ type: "row", id: share.id }),
        },
        size > 0.022 ? h("span", {}, share.text) : null,
      ),
    );
  }
  const reached = data.bar.reached;
  if (data.bar.others)
    track.append(
      h(
        "span",
        { class: "rest", style: `left:${100 * reached}%;right:0` },
        h("span", {}, `+ ${data.bar.others.toLocaleString(data.lang)}`),
      ),
    );
  const ends = h("div", { class: "ends", "aria-hidden": "true" }, h("span", {}, "0"), h("span", {}, "1"));
  const needle =
    number === null
      ? null
      : h(
          "div",
          { class: "needle", style: `left:${100 * number}%` },
          h("b", { class: number > 0.85 ? "left" : null }, written(number, 4, data.lang)),
        );
  return h("div", { class: "drawbar" }, h("div", { class: "lane" }, needle, track), ends);
};

/** @type {(data: TokenStep & Spoken, send: Send) => HTMLElement} */
const tableOf = (data, send) => {
  const { words: w, columns, lang } = data;
  const last = columns.length - 1;
  const head = h(
    "tr",
    {},
    h("th", { scope: "col", class: "token" }, w["generation.step.token"]),
    columns.map((column) =>
      h(
        "th",
        { scope: "col", class: column.on ? "" : "off", title: column.why || w["generation.step.off"] },
        h("span", {}, column.title),
        column.cut ? h("em", {}, `−${column.cut.toLocaleString(data.lang)}`) : null,
      ),
    ),
    h("th", { scope: "col", class: "final" }, w["generation.step.probability"]),
  );
  const body = data.rows.map((row) => {
    const out = row.scores.findIndex((score) => score === null);
    const is = row.id === data.chosen;
    const cells = columns.map((column, i) => {
      if (out >= 0 && i > out) return h("td", { class: `after ${column.on ? "" : "off"}` });
      if (!column.on) return h("td", { class: "off" }, "·");
      const asked = row.id === data.row && column.name === data.column ? "asked" : "";
      /** @type {(event: MouseEvent) => void} */
      const ask = (event) => {
        event.stopPropagation();
        send({ type: "row", id: row.id, column: column.name });
      };
      if (out === i) return h("td", { class: `cut ${asked}`, title: column.why, onclick: ask }, h("i", {}, "✕"));
      const figure =
        data.shown === "shares" ? shareText(row.shares[i] ?? NaN, lang) : written(row.scores[i] ?? NaN, 2, lang);
      return h("td", { class: `score ${asked}`, onclick: ask }, figure);
    });
    const p = out >= 0 ? 0 : (row.shares[last] ?? NaN);
    return h(
      "tr",
      {
        class: `${is ? "is" : ""} ${out >= 0 ? "out" : ""} ${row.id === data.row ? "looked" : ""}`,
        "data-id": row.id,
        onclick: () => send({ type: "row", id: row.id }),
      },
      h(
        "th",
        { scope: "row", class: "token" },
        h(
          "button",
          { title: `id ${row.id}`, "aria-pressed": String(row.id === data.row) },
          h("span", {}, row.text),
          is ? h("i", { class: "tick", title: w["generation.step.chosen"] }, "✓") : null,
        ),
      ),
      cells,
      h(
        "td",
        { class: "final" },
        h(
          "div",
          {},
          h("span", { class: "fill", style: `width:${100 * p}%` }),
          h("b", {}, out >= 0 ? "0" : shareText(p, lang)),
        ),
      ),
    );
  });
  return h(
    "div",
    {
      class: "scroll",
      "data-scroll": "table",
      tabindex: "0",
      role: "region",
      "aria-label": w["generation.step.table"],
    },
    h("table", {}, h("thead", {}, head), h("tbody", {}, body)),
  );
};

/** @type {(data: TokenStep & Spoken, send: Send) => HTMLElement} */
const pagerOf = (data, send) => {
  if (data.total <= data.size) return h("div", { class: "pager" });
  /** @type {(label: string, start: number, name: string) => HTMLElement} */
  const page = (label, start, name) =>
    h(
      "button",
      { "aria-label": name, disabled: start < 0 || start >= data.total, onclick: () => send({ type: "page", start }) },
      label,
    );
  const to = Math.min(data.total, data.start + data.size);
  /** @type {(n: number) => string} */
  const count = (n) => n.toLocaleString(data.lang);
  return h(
    "div",
    { class: "pager" },
    page("◀", data.start - data.size, data.words["generation.step.before"]),
    h("span", {}, `${count(data.start + 1)}–${count(to)} / ${count(data.total)}`),
    page("▶", data.start + data.size, data.words["generation.step.next"]),
  );
};

export default drawn(draw);
