// A text as its words, each cut into tokens; what the last merge made stands out.

// @ts-check

/** @import { CutWords } from "./pictures.d.ts" */
/** @import { Spoken } from "../../browser/client.d.ts" */

import { h } from "../../browser/dom.js";
import { drawn } from "../../browser/drawn.js";

/** @type {(root: HTMLElement, data: CutWords & Spoken) => void} */
const draw = (root, data) => {
  const box = h(
    "div",
    { class: "corpus", "data-scroll": "corpus", tabindex: "0" },
    data.text.map((word) => [
      h(
        "span",
        { class: "word" },
        word.pieces.map((piece) => h("b", { class: piece.new ? "new" : null }, piece.text)),
      ),
      word.then ? h("span", { class: "more" }, "→") : null,
    ]),
  );
  if (data.more) box.append(h("span", { class: "more" }, `+ ${data.more.toLocaleString(data.lang)} …`));
  root.replaceChildren(box);
};

export default drawn(draw);
