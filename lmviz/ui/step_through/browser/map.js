// Above the picture: the map of the stages, and the tokens.

// @ts-check

/** @import { Child } from "../../browser/client.d.ts" */
/** @import { StageStop, Token } from "./scene.d.ts" */
/** @import { Draw, State } from "./state.d.ts" */

import { flat, h, later, maybe } from "../../browser/dom.js";
import { lightToken } from "../../browser/origins.js";
import { light } from "./sums.js";

/** @typedef {{ block: string | null, stages: StageStop[] }} Group the stages of a block, or those around blocks */

/** @type {(stages: StageStop[]) => Group[]} */
const grouped = (stages) => {
  /** @type {Group[]} */
  const groups = [];
  for (const stage of stages) {
    const last = groups.at(-1);
    if (last && last.block === stage.block) last.stages.push(stage);
    else groups.push({ block: stage.block, stages: [stage] });
  }
  return groups;
};

/** @type {(stage: StageStop, state: State) => HTMLElement} */
const stop = ({ index, label, shape, here }, state) => {
  const onclick = () => state.send({ type: "stage", index });
  const attributes = {
    class: "stop",
    "aria-current": here ? "step" : null,
    title: shape,
    "data-stage": index,
    onclick,
  };
  return h("button", attributes, h("span", {}, label), h("small", {}, shape));
};

/** @type {(group: Group, many: boolean, state: State, redraw: () => void) => HTMLElement} */
const groupBox = ({ block, stages }, many, state, redraw) => {
  const here = stages.some((stage) => stage.here); // which is never folded away
  const shut = many && block !== null && !here && !state.open.has(block);
  const onclick = () => {
    if (!state.open.delete(block)) state.open.add(block);
    redraw();
  };
  const attributes = { class: "block", "aria-expanded": String(!shut), disabled: !many || here, onclick };
  const name = block === null ? null : h("button", attributes, `${state.words["map.block"]} ${block}`);
  const stops = shut
    ? null
    : h(
        "div",
        { class: "stops" },
        stages.map((stage) => stop(stage, state)),
      );
  return h("div", { class: `group${block === null ? "" : " boxed"}${shut ? " shut" : ""}` }, name, stops);
};

/** @type {Draw} */
export const drawMap = (box, state) => {
  const groups = grouped(state.data.map);
  const many = groups.filter((group) => group.block !== null).length > 1;
  box.replaceChildren(...groups.map((group) => groupBox(group, many, state, () => drawMap(box, state))));
  const lit = maybe(box, "[aria-current]");
  if (lit)
    later(() => {
      box.scrollLeft = Math.max(0, lit.offsetLeft - box.clientWidth / 2);
    });
};

/** @type {(token: Token, pos: number, state: State) => HTMLElement} */
const tokenButton = ({ text, id, here, unknown }, pos, state) => {
  const { send, root, shown } = state;
  const look = { class: `token${unknown ? " unknown" : ""}`, "aria-pressed": String(here), title: `${pos}: id ${id}` };
  const onmouseenter = () => lightToken(root, shown ?? [], pos);
  const onmouseleave = () => light(state);
  return h("button", { ...look, onmouseenter, onmouseleave, onclick: () => send({ type: "focus", pos }) }, text);
};

// What was changed by hand, each with the way to take it back.
/** @type {(state: State) => Child} */
const edits = ({ data, words, send }) => {
  if (!data.edits.length) return null;
  const chips = data.edits.map(({ text, title }, index) => {
    const onclick = () => send({ type: "undo", index });
    return h("button", { title: `${title} – ${words["edit.undo"]}`, onclick }, text, " ×");
  });
  const all = h("button", { class: "all", onclick: () => send({ type: "reset" }) }, words["edit.reset"]);
  return h("span", { class: "edits" }, h("b", {}, words["edit.edited"]), chips, all);
};

/** @type {(state: State) => Child} */
const comparedWith = ({ data, words, send }) => {
  const attributes = { class: "compared-with", title: words["edit.compare_off"] };
  const onclick = () => send({ type: "compare_off" });
  return data.compared ? h("button", { ...attributes, onclick }, data.compared, " ×") : null;
};

/** @type {Draw} */
export const drawTokens = (box, state) => {
  const caption = h("span", { class: "caption" }, state.words["tokens.focus"]);
  const tokens = state.data.tokens.map((token, pos) => tokenButton(token, pos, state));
  const row = tokens.length ? [caption, tokens] : [];
  box.replaceChildren(...flat([row, comparedWith(state), edits(state)]));
};
