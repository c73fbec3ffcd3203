// While a file that may be a recording is held over the window, the field that takes one fills it.

// @ts-check

/** @import { Given } from "../../browser/client.d.ts" */

import { component } from "../../browser/mounted.js";

const HELD = "lm-file-held";
const TOAST = '[data-testid="stToast"]';
const FIELD = ".st-key-dropped";

// A kind that the browser knows is none of ours; and where another field of the page takes files, it keeps them.
/** @type {(event: DragEvent) => boolean} */
const mayBeOurs = ({ dataTransfer }) => {
  const items = [...(dataTransfer?.items ?? [])];
  const fields = [...document.querySelectorAll('[data-testid="stFileUploader"]')];
  return items.some((item) => item.kind === "file" && !item.type) && fields.every((field) => field.closest(FIELD));
};

/** @typedef {{ ending: string, most: number }} Taken how the names of files end that are taken, and their bytes */

/** @type {() => { show: (data: Taken, trigger: Given<Taken>["setTriggerValue"]) => void, stop: () => void }} */
const mount = () => {
  /** @type {(event: DragEvent) => void} */
  let tell = () => {};
  const { classList } = document.body;
  /** @type {(event: DragEvent) => void} */
  const enter = (event) => {
    if (mayBeOurs(event)) classList.add(HELD);
  };
  /** @type {(event: DragEvent) => void} */
  const leave = (event) => {
    if (!event.relatedTarget) classList.remove(HELD); // out of the window
  };
  const end = () => classList.remove(HELD);
  // What was said of an earlier file is over when another comes.
  /** @type {(event: Event) => void} */
  const clear = ({ type, target }) => {
    if (type === "change" && !(target instanceof HTMLInputElement && target.type === "file")) return;
    for (const button of document.querySelectorAll(`${TOAST} button`))
      if (button instanceof HTMLElement) button.click();
  };
  // The field refuses a file where nobody sees it: the server says it.
  /** @type {(event: DragEvent) => void} */
  const drop = (event) => {
    if (classList.contains(HELD)) tell(event);
    end();
  };
  document.addEventListener("dragenter", enter);
  document.addEventListener("dragleave", leave);
  document.addEventListener("drop", drop);
  document.addEventListener("drop", clear);
  document.addEventListener("change", clear);
  return {
    show: ({ ending, most }, trigger) => {
      tell = ({ dataTransfer }) => {
        const file = dataTransfer?.files[0];
        if (file && !(file.name.toLowerCase().endsWith(ending) && file.size <= most))
          trigger("refused", { name: file.name.slice(0, 200), size: file.size });
      };
    },
    stop: () => {
      end();
      document.removeEventListener("dragenter", enter);
      document.removeEventListener("dragleave", leave);
      document.removeEventListener("drop", drop);
      document.removeEventListener("drop", clear);
      document.removeEventListener("change", clear);
    },
  };
};

export default component(mount, ".held");
