// What this browser keeps of the course: what is done, in no cookie. One that keeps nothing loses nothing that is in the
// address bar.

// @ts-check

import { drawn } from "../../browser/drawn.js";
import { PHONE } from "../../browser/scale.js";

/** @import { Kept } from "./pictures.d.ts" */
/** @import { Send, Spoken } from "../../browser/client.d.ts" */

const PLACE = "lmviz.course";
const DRAWN = 600; // milliseconds after which a chart has its size
const ENTRY = /^([a-z][a-z0-9_-]*)\.([0-9a-f]{1,4})$/;

// "~guess.7~tokens.3": the tasks that are done, as the bits of a number for each chapter.
/** @type {(text: string) => Map<string, number>} */
export const marksOf = (text) => {
  const marks = new Map();
  for (const entry of text.split("~")) {
    const found = ENTRY.exec(entry);
    if (found) marks.set(found[1], parseInt(found[2], 16));
  }
  return marks;
};

// What is done in one or the other.
/** @type {(one: string, other: string) => string} */
export const joinedProgress = (one, other) => {
  const marks = marksOf(one);
  for (const [name, more] of marksOf(other)) marks.set(name, (marks.get(name) ?? 0) | more);
  const names = [...marks.keys()].sort();
  return ["", ...names.map((name) => `${name}.${(marks.get(name) ?? 0).toString(16)}`)].join("~");
};

// Another task begins at the top of its page: below it, what is to be done would be folded away.
/** @type {(at: string) => void} */
const beginAtTop = (at) => {
  const page = document.body.dataset;
  if (at && page.lmTask && page.lmTask !== at) document.querySelector(".stMain")?.scrollTo(0, 0);
  page.lmTask = at;
};

const BEGUN = 300; // milliseconds after which a run of the page has begun
const LATEST = 5000; // milliseconds after which nobody waits any more

// On a phone, what is to be seen in the picture lies below the window: the page goes there, once it is drawn.
/** @type {(event: MouseEvent) => void} */
const leadToPicture = ({ target }) => {
  if (!(target instanceof Element) || !target.closest(".st-key-course_see a") || window.innerWidth > PHONE) return;
  const begun = performance.now();
  const look = () => {
    const waited = performance.now() - begun;
    const isDrawn = document.querySelector('.stApp[data-test-script-state="notRunning"]') !== null;
    if (waited < LATEST && (waited < BEGUN || !isDrawn)) return void setTimeout(look, BEGUN / 3);
    document.querySelector(".st-key-debugger_frame")?.scrollIntoView();
  };
  look();
};

// What has just been done comes into sight, once it has been drawn: a task that was done before begins at its top.
/** @type {(at: string, look: string) => void} */
const lookAt = (at, look) => {
  const page = document.body.dataset;
  const isNew = look && page.lmLook === at;
  page.lmLook = look ? "" : at;
  if (isNew) setTimeout(() => document.querySelector(look)?.scrollIntoView({ block: "nearest" }), DRAWN);
};

/** @type {(root: HTMLElement, data: Kept & Spoken, send: Send) => void} */
const draw = (root, data, send) => {
  beginAtTop(data.at);
  document.addEventListener("click", leadToPicture); // the same one, however often
  lookAt(data.at, data.look);
  try {
    const [number, stored] = (localStorage.getItem(PLACE) ?? "0 ").split(" ");
    const since = Number(number) || 0;
    const isOlder = data.since >= 0 && data.since < since; // begun anew in another tab
    const isNewer = data.since > since; // begun anew in this one
    const done = isOlder
      ? joinedProgress(stored ?? "", "")
      : isNewer
        ? data.done
        : joinedProgress(data.done, stored ?? "");
    localStorage.setItem(PLACE, `${Math.max(since, data.since)} ${done}`);
    if (isOlder || joinedProgress(data.done, "") !== joinedProgress(done, "") || (data.since < 0 && since > 0)) {
      send({ since, done });
    }
  } catch {
    // it may keep nothing, or we may not look
  }
};

export default drawn(draw);
