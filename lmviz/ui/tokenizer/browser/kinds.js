// How many tokens of each kind there are; a click chooses a kind.

// @ts-check

/** @import { Kinds } from "./pictures.d.ts" */
/** @import { Send, Spoken } from "../../browser/client.d.ts" */

import { h } from "../../browser/dom.js";
import { drawn } from "../../browser/drawn.js";

/** @type {(root: HTMLElement, data: Kinds & Spoken, send: Send) => void} */
const draw = (root, data, send) => {
  const most = Math.max(1, ...data.rows.map((row) => row.count));
  root.replaceChildren(
    h(
      "div",
      { class: "kinds" },
      data.rows.map((row) =>
        h(
          "button",
          { "aria-pressed": String(row.name === data.chosen), onclick: () => send({ type: "kind", name: row.name }) },
          h("span", { class: "name" }, row.title),
          h(
            "span",
            { class: "count" },
            h("i", { style: `width:${(100 * row.count) / most}%` }),
            h("em", {}, row.count.toLocaleString(data.lang)),
          ),
        ),
      ),
    ),
  );
};

export default drawn(draw);
