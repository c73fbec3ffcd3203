// Pairs of neighbours by how often they stand in the text; the first one wins and is merged next.

// @ts-check

/** @import { Pairs } from "./pictures.d.ts" */
/** @import { Send, Spoken } from "../../browser/client.d.ts" */

import { h } from "../../browser/dom.js";
import { drawn } from "../../browser/drawn.js";

/** @type {(root: HTMLElement, data: Pairs & Spoken, send: Send) => void} */
const draw = (root, data, send) => {
  const most = Math.max(1, ...data.pairs.map((pair) => pair.count));
  root.replaceChildren(
    h(
      "ol",
      { class: "pairs" },
      data.pairs.map((pair, place) =>
        h(
          "li",
          { class: place ? null : "winner" },
          h(
            "button",
            { "aria-pressed": String(place === data.asked), onclick: () => send({ pair: place }) },
            h("span", { class: "couple" }, h("b", {}, pair.left), h("b", {}, pair.right)),
            h(
              "span",
              { class: "count" },
              h("i", { style: `width:${(100 * pair.count) / most}%` }),
              h("em", {}, pair.count.toLocaleString(data.lang)),
            ),
            h("span", { class: "sign" }, place ? "" : "◀"),
          ),
        ),
      ),
    ),
  );
};

export default drawn(draw);
