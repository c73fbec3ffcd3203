// A browser's field for a number drops a comma where its own language has none, and 1,8 becomes 18.

// @ts-check

import { signs } from "../../browser/numbers.js";

const FIELD = "[data-testid='stNumberInput'] input";

// What is typed or pasted, as the field reads it.
/** @type {(text: string, lang: string) => string} */
export const asRead = (text, lang) => (signs(lang).decimal === "," ? text.replace(",", ".") : text);

/** @type {(langNow: () => string) => () => void} returns what ends it */
export const readCommas = (langNow) => {
  /** @type {(event: InputEvent) => void} */
  const onTyped = (event) => {
    const text = event.data ?? "";
    const read = asRead(text, langNow());
    if (read === text || !(event.target instanceof HTMLInputElement) || !event.target.matches(FIELD)) return;
    event.preventDefault();
    event.stopImmediatePropagation();
    document.execCommand("insertText", false, read);
  };
  document.addEventListener("beforeinput", onTyped, { capture: true });
  return () => document.removeEventListener("beforeinput", onTyped, { capture: true });
};
