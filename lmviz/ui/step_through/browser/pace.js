// How long a place stays while the walk plays: as long as one reads what it says.

// @ts-check

/** @import { Words } from "./scene.d.ts" */

const AT_LEAST = 900; // milliseconds

/** @typedef {"slow" | "normal" | "fast"} Pace */

/** @type {Record<Pace, number>} */
const PER_WORD = { slow: 400, normal: 240, fast: 80 }; // milliseconds; people read about 240 words a minute

/** @type {Pace[]} */
export const PACES = ["slow", "normal", "fast"];

/** @type {(say: Pick<Words, "title" | "under" | "text" | "hint" | "opened">) => number} */
export const wordsOn = ({ title, under, text, hint, opened }) =>
  [title, under, text, hint, opened]
    .join(" ")
    .split(/\s+/)
    .filter((word) => /[\p{L}\p{N}]/u.test(word)).length;

/** @type {(say: Parameters<typeof wordsOn>[0], pace: Pace) => number} */
export const readingTime = (say, pace) => AT_LEAST + wordsOn(say) * PER_WORD[pace];

/** @type {(pace: Pace) => Pace} */
export const nextPace = (pace) => PACES[(PACES.indexOf(pace) + 1) % PACES.length];
