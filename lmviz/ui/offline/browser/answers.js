// What a click or a key does to the view: lmviz/ui/step_through/events.py, for a page that has no model behind it.

// @ts-check

/** @import { CellAt, Event } from "../../step_through/browser/scene.d.ts" */
/** @import { Walk } from "./walk.d.ts" */
/** @import { View } from "./view.js" */

import { placeOf } from "./drawn.js";
import { GRAINS } from "./view.js";

const [TRAIL, WATCHES, STOPS, TIMES] = [50, 8, 20, 200]; // how many of each

// An event may come from a field that somebody types in: what it names is checked where it is used.
/** @typedef {any} Asked */
/** @typedef {(walk: Walk, view: View, event: Asked) => View} Answer */

/**
 * @template One
 * @param {One[]} among
 * @param {One} one
 * @returns {One[]}
 */
const toggled = (among, one) => {
  const name = JSON.stringify(one);
  const others = among.filter((other) => JSON.stringify(other) !== name);
  return others.length < among.length ? others : [...among, one];
};

/** @type {(walk: Walk, event: Asked) => CellAt} */
const cellOf = ({ tensors, by_address: at }, { address, cell }) => {
  if (at[address] === undefined || cell.length !== tensors[at[address]].shape.length) throw new RangeError(address);
  return [address, cell];
};

// -- moving ----------------------------------------------------------------------------------------------------------

/** @type {Answer} */
const moved = (walk, view, { move, times = 1, play }) => {
  let place = placeOf(walk, view);
  if (play) {
    const stop = nextStop(walk, view);
    if (stop && stop.step <= walk.places[walk.places[place].moves.over].last) return runOn(walk, view);
  }
  for (let i = 0; i < Math.min(times, TIMES); i++) place = walk.places[place].moves[/** @type {"over"} */ (move)];
  return { ...view, place };
};

// The first step behind a view's place that ends a line with a breakpoint.
/** @type {(walk: Walk, view: View) => { step: number, stop: string } | null} */
const nextStop = (walk, view) => {
  const first = walk.places[placeOf(walk, view)].last + 1;
  for (let step = first; step < (walk.counts.op ?? 0); step++) {
    const stop = `line ${walk.places[walk.first_of.op + step].ends}`;
    if (view.stops.includes(stop)) return { step, stop };
  }
  return null;
};

/** @type {(walk: Walk, view: View) => View} */
const runOn = (walk, view) => {
  const found = nextStop(walk, view);
  if (!found) return { ...view, stopped: walk.languages[view.lang].words["offline.no_stop"] };
  return {
    ...view,
    place: byGrain(walk, walk.first_of.op + found.step, "line"),
    stopped: `● ${found.stop.replace("line ", "")}`,
  };
};

/** @type {(walk: Walk, place: number, grain: "stage" | "line" | "op") => number} */
const byGrain = (walk, place, grain) => walk.places[place].grains[GRAINS.indexOf(grain)];

// -- asking ----------------------------------------------------------------------------------------------------------

/** @type {(walk: Walk, place: number, address: string, ofResults?: boolean) => boolean} */
const shows = ({ places, tensors }, place, address, ofResults = false) =>
  places[place].panels.some(({ tensor, result }) => tensors[tensor].address === address && (result || !ofResults));

// Stand where a tensor can be seen.
/** @type {(walk: Walk, view: View, address: string) => View} */
const standAt = (walk, view, address) => {
  const here = placeOf(walk, view);
  if (shows(walk, here, address)) return view;
  const step = walk.steps[address];
  if (step !== undefined) {
    const op = walk.first_of.op + step;
    const stage = byGrain(walk, op, "stage");
    return { ...view, place: shows(walk, stage, address, true) || stage === here ? stage : op };
  }
  const users = walk.users[address] ?? [];
  const asked = walk.steps[view.trail.at(-1)?.[0] ?? ""];
  const user = users.includes(asked) ? asked : users[0];
  return user === undefined ? view : { ...view, place: walk.first_of.op + user };
};

// The head whose picture has a cell in it: the chosen one, if it is in that.
/** @type {(walk: Walk, view: View, cell: CellAt) => number} */
const headOf = ({ tensors, by_address: at }, { head }, [address, cell]) => {
  const { lead } = tensors[at[address]];
  const wanted = cell.slice(0, -2).join();
  const found = [head, ...lead.keys()].find((one) => lead[Math.min(one, lead.length - 1)].join() === wanted);
  return found ?? head;
};

// The view with a cell pinned that nobody has clicked: its head, and the part that it is in, are in the picture.
/** @type {(walk: Walk, view: View, cell: CellAt, trail: CellAt[]) => View} */
const withShown = (walk, view, cell, trail) => {
  const windows = { ...view.windows };
  delete windows[cell[0]];
  return { ...view, cell, trail, windows, head: headOf(walk, view, cell) };
};

/** @type {Answer} */
const walkedBack = (walk, view, event) => {
  const cell = cellOf(walk, event);
  const trail = view.cell ? [...view.trail, view.cell].slice(-TRAIL) : view.trail;
  return standAt(walk, withShown(walk, view, cell, trail), cell[0]);
};

/** @type {Answer} */
const pinned = (walk, view, event) => {
  const cell = cellOf(walk, event);
  return { ...view, cell, trail: [], head: headOf(walk, view, cell) };
};

/** @type {Record<string, Answer>} */
const ANSWERS = {
  move: moved,
  grain: (walk, view, { grain }) => ({ ...view, place: byGrain(walk, placeOf(walk, view), grain) }),
  stage: (walk, view, { index }) => ({ ...view, place: walk.first_of.stage + index }),
  call: (walk, view, { last }) => ({ ...view, place: byGrain(walk, walk.first_of.op + last, "line") }),
  run: runOn,
  stop: (walk, view, { stop }) => ({ ...view, stops: toggled(view.stops, String(stop)).slice(-STOPS) }),
  focus: (walk, view, { pos }) => ({ ...view, focus: pos }),
  head: (walk, view, { head }) => ({ ...view, head: Math.max(0, Math.min(head, walk.n_heads - 1)) }),
  window: (walk, view, { address, row, col }) => ({ ...view, windows: { ...view.windows, [address]: [row, col] } }),
  pin: pinned,
  unpin: (walk, view) => ({ ...view, cell: null, trail: [] }),
  walk: walkedBack,
  trail: (walk, view, { index }) => {
    const cell = view.trail[index];
    return standAt(walk, withShown(walk, view, cell, view.trail.slice(0, index)), cell[0]);
  },
  watch: (walk, view, event) => ({ ...view, watch: toggled(view.watch, cellOf(walk, event)).slice(-WATCHES) }),
  search: (walk, view, { text }) => ({ ...view, search: text }),
  go: (walk, view, { address }) => standAt(walk, { ...view, search: null, cell: null, trail: [] }, address),
  present: (walk, view) => ({ ...view, present: !view.present }),
  map: (walk, view, { map }) => ({ ...view, map }),
};

// The view after an event; the same where it asks for what only a model could do.
/** @type {(walk: Walk, view: View, event: Event | { type: "map", map: string } | { type: "present" }) => View} */
export const answered = (walk, view, event) => {
  const answer = ANSWERS[event.type];
  const now = event.type === "search" ? view : { ...view, stopped: "" };
  return answer ? answer(walk, now, event) : view;
};
