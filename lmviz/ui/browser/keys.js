// Keys that a page listens to, beside those of the fields and widgets in it.

// @ts-check

const CLICKER = ["PageDown", "PageUp"]; // no field needs them
const FIELDS = ["INPUT", "TEXTAREA", "SELECT"];
const WIDGETS = "[role=listbox],[role=dialog],[role=radiogroup],[role=slider],[role=tablist]"; // have arrows of their own

// Whether a key means something else where it was pressed.
/** @type {(event: KeyboardEvent, target: HTMLElement) => boolean} */
export const isTaken = (event, target) => {
  if (event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented || target.isContentEditable) return true;
  if (CLICKER.includes(event.key)) return false;
  return FIELDS.includes(target.tagName) || !!target.closest?.(WIDGETS);
};

const BUTTONS = ["checkbox", "radio", "range", "button", "submit", "color", "file"]; // inputs that take no letters

// Whether somebody types: a letter is text then, and no key of the page.
/** @type {(event: KeyboardEvent) => boolean} */
export const isTyped = (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented || event.isComposing) return true;
  const target = event.composedPath()[0];
  if (!(target instanceof HTMLElement)) return false;
  if (target instanceof HTMLInputElement) return !BUTTONS.includes(target.type);
  return target.isContentEditable || FIELDS.includes(target.tagName) || !!target.closest("[role=listbox]");
};
