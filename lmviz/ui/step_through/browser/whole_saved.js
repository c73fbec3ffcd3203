// The picture of the whole model as a file: under the name of the recording, above how it is read.

// @ts-check

/** @import { Model } from "./whole_model.js" */
/** @import { PictureKind } from "../../browser/picture_saved.js" */

import { h } from "../../browser/dom.js";
import { PICTURE_KINDS, linkHere, savePicture } from "../../browser/picture_saved.js";
import { filled } from "./whole_model.js";
import { headName } from "./whole_table.js";

/** @type {(full: HTMLElement, model: Model, map: string, head: number, notes: () => string) => HTMLElement} */
export const savings = (full, model, map, head, notes) => {
  const { words, name } = model.data;
  /** @type {(kind: PictureKind) => Promise<void> | null} */
  const save = (kind) => {
    const svg = full.querySelector(".body svg");
    const whose = map === "all" ? words["whole.all"] : headName(model, head);
    const lines = [words["whole.title"], ...(model.data.n_heads ? [filled(words["whole.whose"], { whose })] : [])];
    return svg && savePicture(svg, { title: name, lines, notes: [notes()], link: linkHere() }, kind);
  };
  const label = words["whole.save"];
  const buttons = PICTURE_KINDS.map((kind) => {
    const said = filled(words["whole.save.as"], { kind });
    return h("button", { "aria-label": said, title: said, onclick: () => save(kind) }, `.${kind}`);
  });
  return h("div", { class: "of saves", role: "group", "aria-label": label }, h("span", {}, label), buttons);
};
