// A few shares from 0 to 1, each a bar with its number and a word on what it counts.

// @ts-check

/** @import { Measures } from "./pictures.d.ts" */
/** @import { Spoken } from "../../browser/client.d.ts" */

import { h } from "../../browser/dom.js";
import { drawn } from "../../browser/drawn.js";

/** @type {(root: HTMLElement, data: Measures & Spoken) => void} */
const draw = (root, data) =>
  root.replaceChildren(
    h(
      "dl",
      { class: "measures" },
      data.rows.map((row) =>
        h(
          "div",
          { title: `${row.help} ${row.counts}` },
          h("dt", {}, row.title),
          h(
            "dd",
            {},
            h("span", { class: "bar" }, row.share === null ? null : h("i", { style: `width:${100 * row.share}%` })),
            h("b", {}, row.figure),
          ),
          h(
            "dd",
            { class: "help" },
            data.brief ? null : row.help,
            row.counts ? h("span", {}, `${row.counts} = ${row.figure}`) : null,
          ),
        ),
      ),
    ),
  );

export default drawn(draw);
