// The checkpoints of a run: the whole model's picture goes through them, and moves from one to the next.

// @ts-check

/** @import { Model } from "./whole_model.js" */

import { h } from "../../browser/dom.js";
import { filled } from "./whole_model.js";

const NEXT_EVERY = 1200; // milliseconds that each checkpoint stays while it plays

/**
 * @typedef {object} Times
 * @property {(step: number) => void} go
 * @property {ReturnType<typeof setInterval> | null} timer while it plays
 * @property {() => void} changed is told when it stops by itself
 * @property {number} asked the step that Python was asked for last
 * @property {{ steps: number[], at: number } | null} [shown]
 */

/** @type {(times: Times) => void} */
export const stopTimes = (times) => {
  if (times.timer) clearInterval(times.timer);
  times.timer = null;
};

/** @type {(times: Times, step: number) => void} */
const goTo = (times, step) => {
  times.asked = step;
  times.go(step);
};

// One checkpoint further, once the one before is there.
/** @type {(times: Times) => void} */
const beat = (times) => {
  const { shown, asked } = times;
  if (!shown) return stopTimes(times);
  if (asked >= 0 && asked !== shown.at) return;
  const next = shown.steps.find((step) => step > shown.at);
  if (next !== undefined) return goTo(times, next);
  stopTimes(times);
  times.changed();
};

/** @type {(times: Times) => void} */
const togglePlay = (times) => {
  if (times.timer || !times.shown) return stopTimes(times);
  const { steps, at } = times.shown;
  times.asked = -1;
  if (at === steps.at(-1)) goTo(times, steps[0]);
  times.timer = setInterval(() => beat(times), NEXT_EVERY);
};

/** @type {(times: Times, model: Model) => HTMLElement | null} */
export const timeChoice = (times, { data }) => {
  times.shown = data.times;
  if (!data.times) return null;
  const { steps, at } = data.times;
  const { words, lang } = data;
  /** @type {(step: number) => string} */
  const said = (step) => filled(words["time.at"], { step: step.toLocaleString(lang) });
  const output = h("output", {}, said(at));
  /** @type {HTMLInputElement} */
  const range = h("input", {
    ...{ type: "range", min: "0", max: String(steps.length - 1), value: String(steps.indexOf(at)) },
    ...{ "aria-label": words["time.step"], "aria-valuetext": said(at) },
    oninput: () => {
      output.textContent = said(steps[Number(range.value)]);
    },
    onchange: () => goTo(times, steps[Number(range.value)]),
  });
  const name = words["whole.training"];
  /** @type {HTMLElement} */
  const play = h(
    "button",
    {
      class: "plain",
      "aria-label": name,
      title: name,
      onclick: () => {
        togglePlay(times);
        play.textContent = times.timer ? "❚❚" : "▶";
      },
    },
    times.timer ? "❚❚" : "▶",
  );
  return h("div", { class: "times" }, play, range, output);
};
