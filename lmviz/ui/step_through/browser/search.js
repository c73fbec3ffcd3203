// Going somewhere by typing: a field over the page, and what is found for it.

// @ts-check

/** @import { FoundPlace } from "./scene.d.ts" */
/** @import { Draw, State } from "./state.d.ts" */

import { h, maybe, parts } from "../../browser/dom.js";

const TYPING = 150; // milliseconds without a key, after which it is searched

/** @type {(box: HTMLElement, by: number) => void} */
const choose = (box, by) => {
  const options = parts(box, "[role=option]");
  const at = options.findIndex((option) => option.getAttribute("aria-selected") === "true");
  const next = Math.min(options.length - 1, Math.max(0, at + by));
  options.forEach((option, index) => option.setAttribute("aria-selected", String(index === next)));
  options[next]?.scrollIntoView({ block: "nearest" });
};

/** @type {(box: HTMLElement, state: State) => HTMLElement} */
const field = (box, state) => {
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  let typing;
  const input = h("input", { type: "text", "aria-label": state.words["search.go"], spellcheck: "false" });
  input.placeholder = state.words["search.hint"];
  const search = () => state.send({ type: "search", text: input.value });
  // Go to what is chosen; if what is typed has not been searched yet, as soon as it is.
  const enter = () => {
    if (box.dataset.text === input.value) return maybe(box, "[aria-selected=true]")?.click();
    clearTimeout(typing);
    box.dataset.going = input.value;
    search();
  };
  input.addEventListener("input", () => {
    clearTimeout(typing);
    delete box.dataset.going;
    typing = setTimeout(search, TYPING);
  });
  input.addEventListener("keydown", (event) => {
    if (event.key === "ArrowDown" || event.key === "ArrowUp") choose(box, event.key === "ArrowDown" ? 1 : -1);
    else if (event.key === "Enter") enter();
    else if (event.key === "Escape") state.send({ type: "search", text: null });
    else return;
    event.preventDefault();
    event.stopPropagation();
  });
  return input;
};

/** @type {(place: FoundPlace, index: number, state: State) => HTMLElement} */
const option = ({ address, stage }, index, { send }) => {
  const attributes = { role: "option", "aria-selected": String(index === 0), tabindex: "-1" };
  const onclick = () => send({ type: "go", address });
  return h("button", { ...attributes, onclick }, h("code", {}, address), h("small", {}, stage));
};

/** @type {Draw} */
export const drawSearch = (box, state) => {
  const { search } = state.data;
  box.hidden = !search;
  if (!search) {
    box.replaceChildren();
    delete box.dataset.going;
    return;
  }
  if (!maybe(box, "input")) {
    const input = field(box, state);
    box.replaceChildren(input, h("div", { role: "listbox" }), h("p", {}));
    input.focus();
  }
  const { words } = state;
  const rest = search.n_more ? words["search.more"].replace("{n}", String(search.n_more)) : words["search.none"];
  maybe(box, "[role=listbox]")?.replaceChildren(...search.places.map((place, index) => option(place, index, state)));
  maybe(box, "p")?.replaceChildren(search.n_more || !search.places.length ? rest : "");
  box.dataset.text = search.text;
  if (box.dataset.going !== search.text) return;
  delete box.dataset.going;
  maybe(box, "[aria-selected=true]")?.click();
};
