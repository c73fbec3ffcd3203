// One word written in several ways: which keep its ids, and which are other tokens altogether.

// @ts-check

/** @import { Spoken } from "../../browser/client.d.ts" */
/** @import { Variants } from "./pictures.d.ts" */

import { h } from "../../browser/dom.js";
import { drawn } from "../../browser/drawn.js";

/** @type {(root: HTMLElement, data: Variants & Spoken) => void} */
const draw = (root, data) =>
  root.replaceChildren(
    h(
      "table",
      { class: "variants" },
      h(
        "tbody",
        {},
        data.rows.map((row) =>
          h(
            "tr",
            { class: row.same ? "same" : "other" },
            h("th", { scope: "row" }, row.text),
            h(
              "td",
              {
                class: "verdict",
                title: data.words[row.same ? "tokenizer.variants.same" : "tokenizer.variants.other"],
              },
              row.same ? "=" : "≠",
            ),
            h(
              "td",
              {},
              row.pieces.map((piece) =>
                h("span", { class: "part" }, h("b", {}, piece.text), h("small", {}, String(piece.id))),
              ),
            ),
          ),
        ),
      ),
    ),
  );

export default drawn(draw);
