// The button at the foot of a page that opens the list of its pictures.

// @ts-check

/** @import { Mounted, Spoken } from "../../browser/client.d.ts" */

import { h } from "../../browser/dom.js";
import { component } from "../../browser/mounted.js";
import { openPictures } from "../../browser/pictures_here.js";

/** @type {(root: HTMLElement) => Mounted<Spoken>} */
const mount = (root) => {
  const dialog = h("dialog", {});
  const button = h("button", { class: "open", type: "button", "aria-haspopup": "dialog" });
  /** @type {Record<string, string>} */
  let words = {};
  button.addEventListener("click", () => openPictures(dialog, words));
  dialog.addEventListener("keydown", (event) => event.stopPropagation()); // the step-through walks by keys
  dialog.addEventListener("click", (event) => event.target === dialog && dialog.close());
  root.replaceChildren(button, dialog);
  return {
    show: (data) => {
      root.lang = data.lang;
      words = data.words;
      button.textContent = words["saving.open"];
    },
    stop: () => dialog.close(),
  };
};

export default component(mount, ".saving");
