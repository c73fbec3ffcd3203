// What is said of a place, what must hold in it, and the cells that are watched.

// @ts-check

/** @import { Child } from "../../browser/client.d.ts" */
/** @import { Draw, State } from "./state.d.ts" */

import { flat, h } from "../../browser/dom.js";
import { written } from "../../browser/numbers.js";

/** @type {(text: string) => HTMLElement[]} */
const paragraphs = (text) =>
  text
    .split(/\n{2,}/)
    .filter(Boolean)
    .map((part) => h(part.startsWith("#") ? "h4" : "p", {}, inline(part.replace(/^#+ */, ""))));

/** @type {(text: string) => Child[]} */
const inline = (text) =>
  text
    .split(/(\*\*[^*]+\*\*|`[^`]+`)/)
    .map((part) =>
      part.startsWith("**")
        ? h("b", {}, part.slice(2, -2))
        : part.startsWith("`")
          ? h("code", {}, part.slice(1, -1))
          : part,
    );

// A paragraph of a kind, where there is something to say.
/** @type {(kind: string, text: string) => Child} */
const note = (kind, text) => (text ? h("p", { class: kind }, text) : null);

/** @type {(state: State) => Child} */
const longer = (state) => {
  const { more } = state.data.say;
  if (!more) return null;
  const ontoggle = () => {
    state.more = box.open;
  };
  const summary = h("summary", {}, state.words["say.more"]);
  const box = h("details", { open: !!state.more, ontoggle }, summary, paragraphs(more));
  return box;
};

/** @type {Draw} */
export const drawWords = (box, state) => {
  const { say } = state.data;
  box.replaceChildren(
    ...flat([
      note("under", say.under),
      h("h2", {}, say.title),
      say.error ? h("p", { class: "failed", role: "alert" }, say.error) : null,
      note("opened", say.opened),
      paragraphs(say.text),
      note("hint", say.hint),
      say.formula ? h("div", { class: "formula", html: say.formula }) : null,
      note("settings", say.settings),
      longer(state),
    ]),
  );
};

/** @type {Draw} */
export const drawStrip = (box, state) =>
  box.replaceChildren(
    ...state.data.strip.map((check) =>
      h(
        "span",
        { class: check.holds ? "holds" : "fails" },
        h("b", { "aria-hidden": "true" }, check.holds ? "✓" : "✗"),
        ` ${check.label} `,
        h("small", {}, check.measured),
      ),
    ),
  );

/** @type {Draw} */
export const drawWatch = (box, { data, words, send }) => {
  const cells = data.watch.map(({ address, cell, value }) => {
    const shown = value === null ? "–" : written(value, data.digits, data.lang);
    const text = `${address.split(".").pop()}[${cell.join(",")}] = ${shown}`;
    return h("button", { onclick: () => send({ type: "walk", address, cell }), title: address }, text);
  });
  box.replaceChildren(...(cells.length ? [h("b", {}, words["watch.title"])] : []), ...cells);
};
