// The whole model in one picture: a strip that is always there, and a full view that it opens to.

// @ts-check

/** @import { Mounted } from "../../browser/client.d.ts" */
/** @import { Shape } from "./svg.js" */
/** @import { Whole } from "./whole.d.ts" */
/** @import { Drawing } from "./whole_full.js" */
/** @import { Here } from "./place.js" */
/** @import { Model } from "./whole_model.js" */
/** @import { Strips } from "./whole_slim.js" */
/** @import { Times } from "./whole_times.js" */

import { SCALES, isDark, onTheme } from "../../browser/colour.js";
import { h, later, maybe, part, parts } from "../../browser/dom.js";
import { isTaken } from "../../browser/keys.js";
import { component } from "../../browser/mounted.js";
import { PHONE, onDesk, scale } from "../../browser/scale.js";
import { askPlace, onPlace, onWish, tellWish } from "./place.js";
import { draw } from "./svg.js";
import { markDoors } from "./whole_doors.js";
import { fullDrawing } from "./whole_full.js";
import { atItsEnd, filled, readModel } from "./whole_model.js";
import { listenIn } from "./whole_pointer.js";
import { savings } from "./whole_saved.js";
import { slimDrawing } from "./whole_slim.js";
import { tableOf } from "./whole_table.js";
import { stopTimes, timeChoice } from "./whole_times.js";
import { caption, notes } from "./whole_words.js";

const MEAN = -1;
const FEW_HEADS = 8; // that have a button each

/**
 * @typedef {object} Picture
 * @property {HTMLElement} root
 * @property {HTMLElement} slim
 * @property {HTMLDialogElement} full
 * @property {Model | null} model
 * @property {Here} here
 * @property {string} map whose attention is shown; empty: it is shut
 * @property {string} given the last `map` that Python sent
 * @property {string[]} told what Python was told and has not answered yet
 * @property {string} run
 * @property {boolean} asTable
 * @property {Strips | null} strip
 * @property {Drawing | null} drawing
 * @property {Times} times
 * @property {Record<string, string>} drawn what is drawn, so that it is not drawn again
 * @property {{ width: number, room: number } | null} size of the strip; measured anew when it may have changed only,
 * since the browser lays the whole page out for it
 * @property {(map: string) => void} tell
 * @property {(stage: number) => void} open a stage in the step-through, where no debugger is beside the picture
 */

// -- what is shown ---------------------------------------------------------------------------------------------------

// The place of the head among those that were sent; the first if it is not there.
/** @type {(picture: Picture) => number} */
const headOf = ({ model, map }) => {
  const wanted = map === "mean" || map === "" || map === "all" ? MEAN : Number(map);
  return Math.max(0, model?.data.heads.indexOf(wanted) ?? 0);
};

/** @type {(picture: Picture, map: string) => void} */
const choose = (picture, map) => {
  if (picture.map === map) return;
  picture.map = map;
  if (!map) stopTimes(picture.times);
  picture.tell(map);
  redraw(picture);
};

/** @type {(picture: Picture) => void} */
const toggle = (picture) => choose(picture, picture.map ? "" : "mean");

/** @type {(name: string, inside: Element | null, shapes: Shape[]) => void} */
const layer = (name, inside, shapes) => {
  const group = inside && maybe(inside, `.${name}`);
  if (group) draw(group, shapes);
};

/** @type {() => HTMLElement} */
const sheet = () => {
  const box = h("div", { class: "sheet" });
  const layers = ["back", "middle", "front", "marks"].map((name) => `<g class="${name}"></g>`).join("");
  box.innerHTML = `<svg>${layers}</svg>`;
  return box;
};

/** @type {(picture: Picture) => { width: number, room: number }} */
const sizeOf = (picture) => {
  const room = picture.size?.room ?? scale();
  picture.size ??= { width: (maybe(picture.slim, ".sheet")?.clientWidth ?? 0) / room, room };
  return picture.size;
};

// -- the strip -------------------------------------------------------------------------------------------------------

/** @type {(picture: Picture) => void} */
const drawSlim = (picture) => {
  const { slim, model, here } = picture;
  if (!model) return;
  if (!slim.firstChild) {
    slim.append(h("span", { class: "call" }), sheet(), h("kbd", {}, "M"));
    part(slim, ".sheet").append(h("i", { class: "veil" }), h("i", { class: "here" }));
    picture.size = null;
  }
  const { words } = model.data;
  slim.title = `${words["whole.open"]} (M)`;
  slim.setAttribute("aria-expanded", String(picture.map !== ""));
  part(slim, ".call").textContent = words["whole.call"];
  part(slim, ".sheet").setAttribute("aria-hidden", "true");
  const svg = /** @type {SVGSVGElement} */ (slim.querySelector("svg"));
  const [{ width }, height] = [sizeOf(picture), 36];
  if (width < 40) return;
  const key = JSON.stringify([picture.run, picture.map, here.pos, width]);
  if (picture.drawn.slim !== key || !picture.strip) {
    picture.drawn.slim = key;
    picture.strip = slimDrawing(model, [headOf(picture)], here.pos, width, height);
    svg.setAttribute("viewBox", `0 0 ${width} ${height}`);
    layer("middle", svg, picture.strip.shapes);
  }
  for (const { key: name, attributes } of picture.strip.present(here.stage)) {
    const { style } = part(slim, `.${name}`); // not in the drawing, which so need not be painted again at each step
    style.transform = `translateX(${onDesk(attributes.x)})`;
    if (name === "here") style.width = onDesk(attributes.width);
  }
};

// -- the full view ---------------------------------------------------------------------------------------------------

/** @type {(picture: Picture, model: Model) => HTMLElement} */
const headChoice = (picture, { data }) => {
  const { words } = data;
  const options = ["mean", ...Array.from({ length: data.n_heads }, (_, head) => String(head)), "all"];
  /** @type {(map: string) => string} */
  const name = (map) =>
    map === "mean" || map === "all" ? words[`whole.${map}`] : filled(words["whole.head"], { head: map });
  const label = words["whole.heads"];
  if (data.n_heads > FEW_HEADS || window.innerWidth <= PHONE) {
    /** @type {(event: Event) => void} */
    const onchange = (event) => choose(picture, /** @type {HTMLSelectElement} */ (event.target).value);
    const found = options.map((map) => h("option", { value: map, selected: map === picture.map }, name(map)));
    return h("label", { class: "of" }, h("span", {}, label), h("select", { "aria-label": label, onchange }, found));
  }
  const buttons = options.map((map) =>
    h(
      "button",
      { "aria-pressed": String(map === picture.map), "aria-label": name(map), onclick: () => choose(picture, map) },
      map === "mean" || map === "all" ? name(map) : map,
    ),
  );
  return h("div", { class: "of", role: "group", "aria-label": label }, h("span", {}, label), buttons);
};

/** @type {(picture: Picture, model: Model) => void} */
const drawTop = (picture, model) => {
  const { words } = model.data;
  const top = part(picture.full, ".top");
  const onclick = () => {
    picture.asTable = !picture.asTable;
    redraw(picture);
  };
  const table = h("button", { class: "plain", "aria-pressed": String(picture.asTable), onclick }, words["whole.table"]);
  const playing = words[picture.here.playing ? "bar.pause" : "bar.play"];
  const play = h("button", { class: "plain play", onclick: () => tellWish({ type: "play" }) }, playing);
  const close = h(
    "button",
    { class: "close", "aria-label": words["whole.close"], onclick: () => choose(picture, "") },
    "×",
  );
  const focused = /** @type {ShadowRoot} */ (top.getRootNode()).activeElement;
  const held = focused && top.contains(focused) ? focused.getAttribute("aria-label") || focused.textContent : null;
  top.replaceChildren(
    h("h2", { id: "whole-title" }, words["whole.title"]),
    ...(model.data.n_heads > 1 ? [headChoice(picture, model)] : []),
    ...(model.data.walked ? [play] : []),
    table,
    ...(picture.asTable
      ? []
      : [savings(picture.full, model, picture.map, headOf(picture), () => notes(model, picture.drawing))]),
    close,
  );
  const times = timeChoice(picture.times, model);
  if (times) top.append(times);
  const again = parts(top, "button").find((one) => (one.getAttribute("aria-label") || one.textContent) === held);
  again?.focus({ preventScroll: true });
};

/** @type {(picture: Picture) => void} */
const drawFull = (picture) => {
  const { full, model, here, map } = picture;
  if (!model || !map) return;
  if (!full.firstChild) {
    const tip = h("div", { class: "tip", hidden: true });
    full.setAttribute("aria-labelledby", "whole-title");
    full.append(h("div", { class: "top" }), h("div", { class: "body" }, sheet()), h("div", { class: "said" }), tip);
    listenIn(full, () => choose(picture, ""));
  }
  if (!full.open) full.showModal();
  const body = part(full, ".body");
  const top = JSON.stringify([
    picture.run,
    map,
    picture.asTable,
    here.playing,
    model.data.times,
    !!picture.times.timer,
  ]);
  if (picture.drawn.top !== top) drawTop(picture, model);
  picture.drawn.top = top;
  part(full, ".said").replaceChildren(
    model.data.walked ? h("p", { class: "caption", "aria-live": "polite" }, caption(model, here, headOf(picture))) : "",
    h("p", { class: "notes", tabindex: window.innerWidth <= PHONE ? "0" : null }, notes(model, picture.drawing)),
  );
  body.classList.toggle("as-table", picture.asTable);
  if (picture.asTable) {
    body.replaceChildren(tableOf(model, headOf(picture)));
    picture.drawn.full = "";
    return;
  }
  if (!maybe(body, ".sheet")) body.replaceChildren(sheet());
  const svg = /** @type {SVGSVGElement} */ (body.querySelector("svg"));
  const room = scale();
  const [width, height] = [body.clientWidth / room, body.clientHeight / room];
  const dark = isDark(picture.root);
  const key = JSON.stringify([picture.run, map, here.pos, width, height, dark, room]);
  if (picture.drawn.full !== key || !picture.drawing) {
    picture.drawn.full = key;
    const wanted = {
      width,
      height,
      isDown: window.innerWidth <= PHONE,
      head: headOf(picture),
      pos: here.pos,
      scale: SCALES[dark ? "dark" : "light"],
      isDark: dark,
      letter: parseFloat(getComputedStyle(picture.root).getPropertyValue("--part")) / 2,
    };
    const heads = model.data.heads.map((_, i) => i).filter((i) => model.data.heads[i] !== MEAN);
    const drawing =
      map === "all" && heads.length
        ? slimDrawing(model, heads, here.pos, width, Math.max(height, heads.length * 74), wanted.letter).asFull
        : fullDrawing(model, wanted);
    picture.drawing = drawing;
    for (const [name, size] of Object.entries({ width: drawing.width, height: drawing.height }))
      svg.setAttribute(name, String(size * room));
    svg.setAttribute("viewBox", `0 0 ${drawing.width} ${drawing.height}`);
    layer("back", svg, drawing.back);
    layer("middle", svg, drawing.middle);
    layer("front", svg, drawing.front);
    part(full, ".notes").textContent = notes(model, drawing);
  }
  layer("marks", svg, picture.drawing.present(here.stage));
  const lit = markDoors(full, model, here.stage);
  if (lit && window.innerWidth <= PHONE) later(() => lit.scrollIntoView({ block: "nearest" }));
};

// -- its life --------------------------------------------------------------------------------------------------------

/** @type {(picture: Picture) => void} */
const redraw = (picture) => {
  if (!picture.model) return;
  const began = performance.now();
  picture.root.classList.toggle("room", sizeOf(picture).room > 1);
  drawSlim(picture);
  if (picture.map) drawFull(picture);
  else if (picture.full.open) picture.full.close();
  picture.root.dataset.drawn = (performance.now() - began).toFixed(2); // milliseconds
  picture.root.dataset.stage = String(picture.here.stage);
};

// Where no debugger walks: a token is followed here, and a part is a door to the step-through.
/** @type {(picture: Picture, wish: import("./place.js").Wish) => void} */
const actAlone = (picture, wish) => {
  if (!picture.model || picture.model.data.walked) return;
  if (wish.type === "stage") picture.open(wish.index);
  if (wish.type !== "focus") return;
  picture.here = { ...picture.here, pos: wish.pos };
  redraw(picture);
};

/** @type {(picture: Picture) => () => void} */
const follow = (picture) => {
  const { root } = picture;
  const again = () => {
    root.classList.toggle("dark", isDark(root));
    picture.drawn = {};
    picture.size = null;
    redraw(picture);
  };
  /** @type {(event: KeyboardEvent) => void} */
  const onKey = (event) => {
    if (event.key !== "m" && event.key !== "M") return;
    if (isTaken(event, /** @type {HTMLElement} */ (event.composedPath()[0]))) return;
    toggle(picture);
    event.preventDefault();
  };
  const sizes = new ResizeObserver(() => {
    picture.size = null;
    redraw(picture);
  });
  const stopTheme = onTheme(root, again);
  const forget = onPlace((here) => {
    picture.here = here;
    redraw(picture);
  });
  const stopWishes = onWish((wish) => actAlone(picture, wish));
  picture.slim.addEventListener("click", () => toggle(picture));
  document.addEventListener("keydown", onKey);
  window.addEventListener("resize", again);
  sizes.observe(picture.slim);
  return () => {
    forget();
    stopWishes();
    document.removeEventListener("keydown", onKey);
    window.removeEventListener("resize", again);
    sizes.disconnect();
    stopTheme();
  };
};

// What Python sends is followed, unless it answers what was chosen here: that is shown already, or something later is.
/** @type {(picture: Picture, map: string) => void} */
const adopt = (picture, map) => {
  const answered = picture.told.lastIndexOf(map);
  if (answered >= 0) picture.told.splice(0, answered + 1);
  else if (map !== picture.given) picture.map = map;
  picture.given = map;
};

/** @type {(root: HTMLElement) => Mounted<Whole>} */
const mount = (root) => {
  /** @type {Picture} */
  const picture = {
    root,
    slim: part(root, ".slim"),
    full: /** @type {HTMLDialogElement} */ (part(root, ".full")),
    model: null,
    here: { stage: 0, pos: -1, playing: false },
    map: "",
    given: "",
    told: [],
    run: "",
    asTable: false,
    times: { go: () => {}, timer: null, changed: () => redraw(picture), asked: -1 },
    strip: null,
    drawing: null,
    drawn: {},
    size: null,
    tell: () => {},
    open: () => {},
  };
  root.classList.toggle("dark", isDark(root));
  const stop = follow(picture);
  return {
    show: (data, trigger) => {
      picture.tell = (map) => {
        picture.told.push(map);
        trigger("event", { type: "map", map });
      };
      picture.open = (stage) => trigger("event", { type: "stage", stage });
      picture.times.go = (step) => trigger("event", { type: "time", step });
      adopt(picture, data.map);
      const run = JSON.stringify([data.run, data.heads, data.parts.map((one) => one.shares ?? one.lengths)]);
      if (run !== picture.run || !picture.model) picture.model = readModel(data);
      picture.run = run;
      root.classList.toggle("alone", !data.walked);
      if (data.walked) askPlace();
      else picture.here = atItsEnd(data, picture.here);
      picture.size = null;
      redraw(picture);
    },
    stop: () => {
      stopTimes(picture.times);
      stop();
    },
  };
};

export default component(mount, ".whole-model");
