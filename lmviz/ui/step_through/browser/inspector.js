// The cell inspector: which cell, the arithmetic behind it, and another number in its place.

// @ts-check

/** @import { Draw, State } from "./state.d.ts" */
/** @import { Inspection, Picture, Scene } from "./scene.d.ts" */
/** @import { Child } from "../../browser/client.d.ts" */
/** @import { TensorPanel } from "../../browser/panel.d.ts" */

import { flat, h, submitted } from "../../browser/dom.js";
import { clamp, written } from "../../browser/numbers.js";
import { arithmetic } from "./arithmetic.js";
import { lightLater, stopSum, sumPlayer } from "./sums.js";

const TRAIL_SHOWN = 4;

// The cells on the way to this one, each as a door back.
/** @type {(found: Inspection, state: State) => Child} */
const trail = ({ trail }, { words, send }) => {
  if (!trail.length) return null;
  const shown = trail.slice(-TRAIL_SHOWN);
  const doors = shown.map((one, i) => {
    const index = trail.length - shown.length + i;
    return [
      h("button", { onclick: () => send({ type: "trail", index }) }, `${one.name}[${one.cell.join(",")}]`),
      " ← ",
    ];
  });
  const label = words["inspect.trail"];
  return h("nav", { class: "trail", "aria-label": label }, trail.length > TRAIL_SHOWN ? "… ← " : "", doors);
};

// Whether the number was recomputed, and found to be the same.
/** @type {(found: Inspection, state: State) => Child} */
const verdict = ({ agrees, recomputed }, { words, data }) => {
  if (agrees === null || recomputed === null) return null;
  if (agrees) return h("span", { class: "holds" }, `✓ ${words["inspect.agrees"]}`);
  return h("span", { class: "fails" }, `✗ ${words["inspect.differs"]} ${written(recomputed, 6, data.lang)}`);
};

// The number with its arithmetic, and that of the numbers behind it; what was edited has none.
/** @type {(found: Inspection, state: State) => Child} */
const explanation = (found, state) => {
  const { digits, lang } = state.data;
  const [first, ...behind] = found.edited ? [] : found.lines;
  const value = first ? first.value : written(found.value, found.whole ? 0 : digits, lang);
  const why = found.edited ? h("span", { class: "fails" }, state.words["edit.by_hand"]) : verdict(found, state);
  return [
    first && h("p", { class: "sum" }, "= ", arithmetic(first.pieces, state)),
    h("p", { class: "sum total" }, first ? `${first.sign} ` : "= ", h("b", { class: "value" }, value), why),
    first?.say && first.value === "−∞" ? h("p", { class: "hint" }, first.say) : null,
    sumPlayer(found, state),
    first && found.by_torch ? h("p", { class: "hint" }, state.words["inspect.by_torch"]) : null,
    behind.map((line) => h("p", { class: "sum inner" }, line.value, ` ${line.sign} `, arithmetic(line.pieces, state))),
  ];
};

// What the same cell is in the run to compare with.
/** @type {(found: Inspection, state: State) => Child} */
const change = ({ change, other, value }, { words, data: { compared } }) => {
  if (!change || (Number(other) === Number(value) && !compared)) return null;
  const there = `${compared ? "B" : words["bars.before"]} ${change.other}`;
  const apart = `${compared ? "A − B =" : `${words["edit.change"]}:`} ${change.line}`;
  return h("p", { class: "other-value" }, `${there}, ${apart}`);
};

/** @type {(found: Inspection, words: Record<string, string>) => Child} */
const end = ({ lines, edited, role }, words) =>
  lines.length || edited
    ? null
    : h("p", { class: "end" }, words[`inspect.end.${role}`] || words["inspect.end.activation"]);

/** @type {(picture: Picture) => TensorPanel[]} */
export const panelsOf = (picture) => (picture.kind === "tensors" ? picture.panels : []);

/** @type {Draw} */
export const drawInspector = (box, state) => {
  const found = state.data.inspector;
  const { words } = state;
  if (!found) stopSum(state);
  state.boxes.words.classList.toggle("brief", !!found);
  const isWrittenOut = state.data.parts.includes("arithmetic");
  const empty = () =>
    panelsOf(state.data.picture).length
      ? [h("p", { class: "empty" }, words[isWrittenOut ? "inspect.empty" : "inspect.number"]), cellInputs(null, state)]
      : [];
  const shown = found
    ? [
        trail(found, state),
        cellInputs(found, state),
        explanation(found, state),
        change(found, state),
        changeForm(found, state),
        end(found, words),
      ]
    : empty();
  box.replaceChildren(...flat(shown));
  lightLater(state);
};

// "Put another number here", and "watch this one".
/** @type {(found: Inspection, state: State) => HTMLElement} */
const changeForm = (found, state) => {
  const { words } = state;
  const { address, cell } = found;
  const input = h("input", {
    type: "text",
    inputmode: "decimal",
    "aria-label": words["edit.value"],
    placeholder: written(found.value, state.data.digits, state.data.lang),
  });
  const wrong = h("small", { role: "alert" });
  const apply = () => {
    const value = Number(input.value.replace(",", ".").replace("−", "-"));
    if (input.value.trim() && Number.isFinite(value)) state.send({ type: "edit", address, cell, value });
    else {
      input.setAttribute("aria-invalid", "true");
      wrong.textContent = words["edit.invalid"];
    }
  };
  const watching = state.data.watch.some((one) => one.address === address && one.cell.join() === cell.join());
  const watch = { "aria-pressed": String(watching), onclick: () => state.send({ type: "watch", address, cell }) };
  return h(
    "form",
    { class: "change", onsubmit: submitted(apply) },
    found.fixed
      ? null
      : [h("label", {}, words["edit.instead"], " ", input), h("button", { type: "submit" }, words["edit.run"])],
    h("button", { type: "button", ...watch }, words[watching ? "watch.stop" : "watch.start"]),
    wrong,
  );
};

// The cell that stands there while none is pinned: of what comes out last, in the row of the followed token.
/** @type {(data: Scene) => { address: string, name: string, shape: number[], axes: string[], cell: number[] } | null} */
export const offered = ({ picture, tokens }) => {
  const panel = panelsOf(picture).findLast(({ result }) => result);
  if (!panel) return null;
  const { address, name, shape, axes, lead } = panel;
  const followed = tokens.findIndex((token) => token.here);
  const cell = shape.map(
    (size, i) => lead[i] ?? (["pos", "query"].includes(axes[i]) ? clamp(followed, 0, size - 1) : 0),
  );
  return { address, name, shape, axes, cell };
};

// A cell by its indices, as numbers that can be typed: the way to a cell without a pointer.
/** @type {(found: Inspection | null, state: State) => HTMLElement} */
const cellInputs = (found, state) => {
  const target = found ?? offered(state.data);
  if (!target) return h("div");
  const { address, shape, axes, cell } = target;
  const inputs = cell.map((index, i) => {
    const name = axes[i] && axes[i] !== "1" ? axes[i] : `${state.words["inspect.axis"]} ${i}`;
    const token = ["pos", "query", "key"].includes(axes[i]) ? state.data.tokens[index] : null;
    const input = indexInput(name, index, shape[i] - 1, (value) =>
      state.send({ type: "pin", address, cell: cell.with(i, value) }),
    );
    return [i ? ", " : "", h("label", { title: name }, token ? h("small", {}, `‹${token.text}›`) : null, input)];
  });
  const close = { class: "close", type: "button", "aria-label": state.words["inspect.close"] };
  return h(
    "form",
    { class: "what", onsubmit: submitted(() => {}) },
    h("b", {}, found && found.gradient ? `∂loss/∂${target.name}` : target.name),
    h("span", { class: "index" }, "[", inputs, "]"),
    found ? h("button", { ...close, onclick: () => state.send({ type: "unpin" }) }, "×") : null,
  );
};

/** @type {(name: string, index: number, last: number, act: (value: number) => void) => HTMLElement} */
const indexInput = (name, index, last, act) => {
  const style = `width:${Math.max(1, String(last).length) + 1.2}ch`;
  const limits = { type: "number", min: "0", max: String(last) };
  const input = h("input", { ...limits, value: String(index), "aria-label": name, style });
  input.addEventListener("change", () => act(clamp(Math.round(Number(input.value) || 0), 0, last)));
  return input;
};
