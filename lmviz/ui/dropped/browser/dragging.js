// While a file that may be a recording is held over the window, the field that takes one fills it.

// @ts-check

import { component } from "../../browser/mounted.js";

const HELD = "lm-file-held";
const FIELD = ".st-key-dropped";

// A kind that the browser knows is none of ours; and where another field of the page takes files, it keeps them.
/** @type {(event: DragEvent) => boolean} */
const mayBeOurs = ({ dataTransfer }) => {
  const items = [...(dataTransfer?.items ?? [])];
  const fields = [...document.querySelectorAll('[data-testid="stFileUploader"]')];
  return items.some((item) => item.kind === "file" && !item.type) && fields.every((field) => field.closest(FIELD));
};

/** @type {() => { show: () => void, stop: () => void }} */
const mount = () => {
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
  document.addEventListener("dragenter", enter);
  document.addEventListener("dragleave", leave);
  document.addEventListener("drop", end);
  return {
    show: () => {},
    stop: () => {
      end();
      document.removeEventListener("dragenter", enter);
      document.removeEventListener("dragleave", leave);
      document.removeEventListener("drop", end);
    },
  };
};

export default component(mount, ".held");
