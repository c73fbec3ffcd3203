// Texts one below the other: the prompt faint, what was written strong; a text that came before says so.

// @ts-check

/** @import { Child, Send, Spoken } from "../../browser/client.d.ts" */
/** @import { WrittenTexts } from "./pictures.d.ts" */

import { h } from "../../browser/dom.js";
import { drawn } from "../../browser/drawn.js";
import { written } from "../../browser/numbers.js";

// A line may end before a word: where its blank shows.
/** @type {(text: string) => Child[]} */
const breaking = (text) => text.split(/(?=·)/).flatMap((part, i) => (i ? [h("wbr", {}), part] : [part]));

/** @type {(root: HTMLElement, data: WrittenTexts & Spoken, send: Send) => void} */
const draw = (root, data, send) => {
  const w = data.words;
  root.replaceChildren(
    h(
      "ol",
      { class: "texts" },
      data.rows.map((row, at) => {
        const again = row.same_as < at;
        const inside = [
          h("span", { class: "nr" }, String(at + 1)),
          h(
            "span",
            { class: "full" },
            h("span", { class: "given" }, breaking(row.given)),
            h("b", {}, breaking(row.new)),
            row.stopped ? h("i", { class: "halt", title: w["generation.texts.stopped"] }, "■") : null,
          ),
          again ? h("span", { class: "again" }, `= ${row.same_as + 1}`) : null,
          h(
            "span",
            { class: "ln", title: w["generation.texts.ln_help"] },
            `ln p ${written(row.log_prob, 2, data.lang)}`,
          ),
          row.final === null
            ? null
            : h(
                "span",
                { class: "ln", title: w["generation.texts.final_help"] },
                `${w["generation.texts.final"]} ${written(row.final, 2, data.lang)}`,
              ),
        ];
        return h(
          "li",
          {},
          data.clicks
            ? h("button", { title: w["generation.texts.open"], onclick: () => send({ type: "text", at }) }, inside)
            : h("div", {}, inside),
        );
      }),
    ),
  );
};

export default drawn(draw);
