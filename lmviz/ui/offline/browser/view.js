// What a reader of the page is looking at, and how its address says it.

// @ts-check

/** @import { CellAt } from "../../step_through/browser/scene.d.ts" */
/** @import { KeptPlace, Walk } from "./walk.d.ts" */

/**
 * @typedef {object} View
 * @property {string} lang
 * @property {string} depth
 * @property {number} place
 * @property {number} focus
 * @property {number} head
 * @property {CellAt | null} cell the pinned cell
 * @property {CellAt[]} trail the cells from which one walked back to it
 * @property {CellAt[]} watch
 * @property {string[]} stops
 * @property {string} map whose attention the picture of the whole model shows; empty: it is shut
 * @property {boolean} present
 * @property {Record<string, number[]>} windows
 * @property {string | null} search
 * @property {string} stopped
 * @property {number} digits
 */

/** @type {("stage" | "line" | "op")[]} */
export const GRAINS = ["stage", "line", "op"];
const MOST_KEPT = 50;

/** @type {(walk: Walk) => View} */
export const firstView = ({ start }) => ({
  ...start,
  watch: [],
  stops: [],
  present: false,
  windows: {},
  search: null,
  stopped: "",
});

/** @type {(walk: Walk, place: number) => "stage" | "line" | "op"} */
export const grainOf = ({ first_of: first }, place) =>
  GRAINS.findLast((grain) => first[grain] !== undefined && place >= first[grain]) ?? "stage";

// The parts of a view that its address says, as text. Those in which the page begins are left out.
/** @type {(walk: Walk, view: View) => Record<string, string>} */
const addressParts = (walk, view) => {
  const place = walk.places[view.place];
  const stage = walk.languages[view.lang].map[place.stage];
  return {
    lang: view.lang,
    depth: view.depth,
    step: place.step || stage.kind,
    by: grainOf(walk, view.place),
    line: String(place.line),
    focus: String(view.focus),
    head: String(view.head),
    cell: view.cell ? JSON.stringify(view.cell) : "",
    trail: view.trail.length ? JSON.stringify(view.trail) : "",
    watch: view.watch.length ? JSON.stringify(view.watch) : "",
    stops: view.stops.length ? JSON.stringify(view.stops) : "",
    map: view.map,
  };
};

/** @type {(walk: Walk, view: View) => string} */
export const addressOf = (walk, view) => {
  const first = addressParts(walk, firstView(walk));
  const own = Object.entries(addressParts(walk, view)).filter(([name, text]) => text !== first[name]);
  return new URLSearchParams(own).toString();
};

/** @type {(found: unknown, walk: Walk) => CellAt} */
const cellIn = (found, walk) => {
  const [address, cell] = /** @type {CellAt} */ (found);
  const tensor = walk.tensors[walk.by_address[address]];
  const fits = Array.isArray(cell) && tensor?.shape.length === cell.length;
  if (!fits || !cell.every((index, axis) => Number.isInteger(index) && index >= 0 && index < tensor.shape[axis]))
    throw new TypeError("no such cell");
  return [address, cell];
};

/** @type {(text: string, walk: Walk) => CellAt[]} */
const cellsInText = (text, walk) =>
  JSON.parse(text)
    .slice(0, MOST_KEPT)
    .map((/** @type {unknown} */ one) => cellIn(one, walk));

/** @type {(text: string, n: number) => number} */
const indexIn = (text, n) => {
  const index = Number(text);
  if (!text || !Number.isInteger(index) || index < 0 || index >= n) throw new RangeError(text);
  return index;
};

/** @type {(text: string, known: string[]) => string} */
const oneOf = (text, known) => {
  if (!known.includes(text)) throw new RangeError(text);
  return text;
};

// How each part is read; what makes no sense is left as it was, as any part of a link is.
/** @type {Record<string, (text: string, walk: Walk) => Partial<View>>} */
const READ = {
  lang: (text, walk) => ({ lang: oneOf(text, Object.keys(walk.languages)) }),
  depth: (text, walk) => ({ depth: oneOf(text, Object.keys(walk.parts)) }),
  focus: (text, walk) => ({ focus: indexIn(text, walk.tokens.length) }),
  head: (text, walk) => ({ head: indexIn(text, walk.n_heads) }),
  cell: (text, walk) => ({ cell: text ? cellIn(JSON.parse(text), walk) : null }),
  trail: (text, walk) => ({ trail: text ? cellsInText(text, walk) : [] }),
  watch: (text, walk) => ({ watch: text ? cellsInText(text, walk) : [] }),
  stops: (text) => ({ stops: text ? JSON.parse(text).map(String).slice(0, MOST_KEPT) : [] }),
  map: (text) => ({ map: /^(mean|all|\d{1,4}|)$/.test(text) ? text : "" }),
};

/** @type {(walk: Walk, asked: URLSearchParams) => number | null} */
const placeAsked = (walk, asked) => {
  const first = addressParts(walk, firstView(walk));
  const [step, by, line] = ["step", "by", "line"].map((name) => asked.get(name) ?? first[name]);
  /** @type {(place: KeptPlace, i: number) => boolean} */
  const isIt = (place, i) =>
    grainOf(walk, i) === by && place.step === step && (by !== "line" || String(place.line) === line);
  const found = walk.places.findIndex(isIt);
  const stage = walk.languages[Object.keys(walk.languages)[0]].map.findIndex(({ kind }) => kind === step);
  return found >= 0 ? found : stage >= 0 ? stage : null;
};

/** @type {(walk: Walk, address: string) => View} */
export const viewAt = (walk, address) => {
  const asked = new URLSearchParams(address.replace(/^#/, ""));
  let view = firstView(walk);
  for (const [name, read] of Object.entries(READ)) {
    const text = asked.get(name);
    if (text === null) continue;
    try {
      view = { ...view, ...read(text, walk) };
    } catch {
      continue;
    }
  }
  return { ...view, place: placeAsked(walk, asked) ?? view.place };
};
