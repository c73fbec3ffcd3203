// The scene of a view: what Python sends in the app, put together from what the page holds.

// @ts-check

/** @import { Picture, Place, Scene, Search, Source, Words } from "../../step_through/browser/scene.d.ts" */
/** @import { Whole } from "../../step_through/browser/whole.d.ts" */
/** @import { KeptPlace, KeptSource, Walk } from "./walk.d.ts" */
/** @import { Page } from "./explained.js" */
/** @import { View } from "./view.js" */

import { inspectionOf, numbersIn, valueIn } from "./inspection.js";
import { panelsAt } from "./slices.js";
import { grainOf } from "./view.js";

const MOST_FOUND = 12;
const LONGEST = 200; // characters of what is typed to go somewhere

// The place of a view; stages alone, where nothing smaller is shown.
/** @type {(walk: Walk, view: View) => number} */
export const placeOf = (walk, view) =>
  walk.parts[view.depth].includes("lines") ? view.place : walk.places[view.place].grains[0];

/** @type {(page: Page, view: View, seq: number) => Scene} */
export const sceneOf = (page, view, seq) => {
  const { walk } = page;
  return {
    ...placeScene(page, view),
    ahead: [],
    frame: "",
    seq,
    compared: "",
    search: searched(walk, view),
    words: walk.languages[view.lang].words,
  };
};

/** @type {(page: Page, view: View) => Place} */
export const placeScene = (page, view) => {
  const { walk } = page;
  const number = placeOf(walk, view);
  const place = walk.places[number];
  const parts = walk.parts[view.depth];
  const language = walk.languages[view.lang];
  const picture = pictureOf(page, place, view);
  const names = new Map(picture.kind === "tensors" ? picture.panels.map(({ address, name }) => [address, name]) : []);
  const lang = numbersIn(walk, view);
  return {
    lang,
    run: `${view.lang} ${walk.run}`,
    digits: view.digits,
    present: view.present,
    parts,
    map: language.map.map((stop) => ({ ...stop, here: stop.index === place.stage })),
    tokens: walk.tokens.map((token, pos) => ({ ...token, here: pos === view.focus })),
    edits: [],
    source: parts.includes("source") ? sourceOf(walk, view, place) : null,
    picture,
    say: saidAt(walk, view, number, lang),
    inspector: inspectionOf(page, view, names),
    watch: view.watch.map(([address, cell]) => {
      const value = valueIn(page, walk.tensors[walk.by_address[address]], cell);
      return { address, cell, value: typeof value === "object" ? null : value };
    }),
    strip: parts.includes("checks") ? walk.spoken[lang].checks[place.stage] : [],
    bar: barOf(walk, view, number),
  };
};

// -- the picture and the source --------------------------------------------------------------------------------------

/** @type {(page: Page, place: KeptPlace, view: View) => Picture} */
const pictureOf = (page, place, view) => {
  const { walk } = page;
  if (place.table === "tokens") return walk.sheet;
  if (place.table === "bars" && walk.bars.length) return walk.bars[view.focus];
  if (place.table === "loss" && walk.loss) return walk.loss;
  return { kind: "tensors", panels: panelsAt(page, place, view) };
};

// The listing; lit is the line of the pinned cell, where that was made here, else the place's own.
/** @type {(walk: Walk, view: View, place: KeptPlace) => Source | null} */
const sourceOf = (walk, view, place) => {
  const pinned = view.cell ? walk.steps[view.cell[0]] : undefined;
  const isHere = pinned !== undefined && pinned >= place.first && pinned <= place.last && pinned !== place.index;
  const source = isHere ? walk.places[walk.first_of.op + pinned].source : place.source;
  return source && listed(walk, view, source);
};

/** @type {(walk: Walk, view: View, source: KeptSource) => Source} */
const listed = (walk, view, { listing, lit, stack }) => {
  const shown = walk.listings[listing];
  const begins = `line ${shown.file}:`;
  const stops = view.stops.filter((stop) => stop.startsWith(begins) && /^\d+$/.test(stop.slice(begins.length)));
  const why = walk.languages[view.lang].why[listing] ?? "";
  return { ...shown, why, lit, stack, stops: stops.map((stop) => Number(stop.slice(begins.length))) };
};

// -- words -----------------------------------------------------------------------------------------------------------

/** @type {(walk: Walk, view: View, number: number, lang: string) => Words} */
const saidAt = (walk, view, number, lang) => {
  const spoken = walk.spoken[lang];
  const ways = spoken.by_place[number];
  const one = ways.length === 1 ? 0 : view.focus * walk.n_heads + Math.min(view.head, walk.n_heads - 1);
  const { story, ...said } = spoken.said[ways[one]];
  const [text, hint] = view.depth === "story" && story.length ? story : [said.text, said.hint];
  return {
    ...said,
    text,
    hint,
    more: walk.texts[said.more],
    formula: walk.parts[view.depth].includes("formula") ? walk.texts[said.formula] : "",
  };
};

/** @type {(walk: Walk, view: View, number: number) => Place["bar"]} */
const barOf = (walk, view, number) => {
  const grain = grainOf(walk, number);
  const index = number - walk.first_of[grain];
  const { moves } = walk.places[number];
  /** @type {(move: keyof typeof moves) => string} */
  const leads = (move) => {
    const there = grainOf(walk, moves[move]);
    return moves[move] === number ? "" : `${there}:${moves[move] - walk.first_of[there]}`;
  };
  return {
    grain,
    index,
    count: walk.counts[grain] ?? 0,
    at: walk.languages[view.lang].at[grain].replace("{index}", String(index + 1)),
    moves: {
      first: leads("first"),
      back: leads("back"),
      over: leads("over"),
      into: leads("into"),
      out: leads("out"),
      last: leads("last"),
    },
    breakpoints: view.stops.length,
    grad: false,
    can_grad: false,
    stopped: view.stopped,
    changed: "",
  };
};

// The steps whose address or stage has every word of a text, the shortest addresses first.
/** @type {(walk: Walk, view: View) => Search | null} */
const searched = (walk, { search, lang }) => {
  if (search === null) return null;
  const words = search.slice(0, LONGEST).toLowerCase().split(/\s+/).filter(Boolean);
  const { stages } = walk.languages[lang];
  const first = walk.first_of.op ?? walk.places.length;
  const found = walk.places.slice(first).flatMap((place, index) => {
    const label = stages[place.stage];
    const address = place.step;
    if (!words.every((word) => `${address} ${label}`.toLowerCase().includes(word))) return [];
    const isResult = walk.places[walk.first_of.stage + place.stage].index === index;
    const isLater = !isResult && !words.some((word) => address.toLowerCase().endsWith(word));
    return [{ rank: [Number(isLater), address.length, index], found: { address, stage: label } }];
  });
  found.sort((a, b) => a.rank.reduce((way, rank, i) => way || rank - b.rank[i], 0));
  const places = found.slice(0, MOST_FOUND).map((one) => one.found);
  return { text: search, places, n_more: Math.max(0, found.length - MOST_FOUND) };
};

// -- the whole model -------------------------------------------------------------------------------------------------

/** @type {(walk: Walk, view: View) => Whole} */
export const wholeOf = (walk, view) => ({
  ...walk.languages[view.lang].whole,
  lang: numbersIn(walk, view),
  map: view.map,
});
