// The window with a teacher's notes: it follows the window in which the course is taken, and says how long that takes.

// @ts-check

/** @import { Mounted, Spoken } from "../../browser/client.d.ts" */
/** @import { Followed } from "./pictures.d.ts" */

import { courseChannel } from "../../browser/course_channel.js";
import { h } from "../../browser/dom.js";
import { component } from "../../browser/mounted.js";

const SECOND = 1000; // milliseconds

// 125 seconds are 2:05.
/** @type {(seconds: number) => string} */
export const clock = (seconds) => `${Math.floor(seconds / 60)}:${String(Math.floor(seconds % 60)).padStart(2, "0")}`;

/** @type {(at: string) => string} */
const chapterOf = (at) => at.split(".")[0];

/** @type {(root: HTMLElement) => Mounted<Followed & Spoken>} */
const mount = (root) => {
  const time = h("output", { class: "time" });
  const label = h("span", {});
  const line = h("p", { class: "taken" }, label, " ", time);
  root.replaceChildren(line);
  let at = "";
  let minutes = 0;
  let since = Date.now();
  /** @type {(told: string) => void} */
  let send = () => {};
  const tick = () => {
    const seconds = (Date.now() - since) / SECOND;
    time.textContent = `${clock(seconds)} / ${clock(60 * minutes)}`;
    time.classList.toggle("late", seconds > 60 * minutes);
  };
  const channel = courseChannel((message) => {
    if (message.at !== undefined && message.at !== at) send(message.at);
  });
  const ticking = setInterval(tick, SECOND);
  channel.tell({ asks: true });
  return {
    show: (data, trigger) => {
      send = (told) => trigger("event", { at: told });
      if (chapterOf(data.at) !== chapterOf(at)) since = Date.now();
      [at, minutes] = [data.at, data.minutes];
      label.textContent = data.words["course.follow.time"];
      line.hidden = !minutes;
      tick();
    },
    stop: () => {
      clearInterval(ticking);
      channel.stop();
    },
  };
};

export default component(mount);
