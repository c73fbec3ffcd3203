// The step-through in the browser. Python decides what is shown; this draws it, and says what was clicked or pressed.

// @ts-check

/** @import { Given } from "../../browser/client.d.ts" */
/** @import { Event as Told, Move, Scene } from "./scene.d.ts" */
/** @import { Draw, Section, State } from "./state.d.ts" */

import { isDark, onTheme } from "../../browser/colour.js";
import { heightLeft, later, pageParts, part, parts } from "../../browser/dom.js";
import { onScale, scale } from "../../browser/scale.js";
import { heldOf, learn, nothingKnown, onwards } from "./ahead.js";
import { drawBar } from "./bar.js";
import { drawInspector, offered, panelsOf } from "./inspector.js";
import { onKey } from "./keyboard.js";
import { drawMap, drawTokens } from "./map.js";
import { nextPace, readingTime } from "./pace.js";
import { drawPicture, redrawPicture } from "./picture.js";
import { onAsk, onWish, tellPlace } from "./place.js";
import { drawSearch } from "./search.js";
import { skipLink } from "./skip.js";
import { drawSource } from "./source.js";
import { playsHere, pointing, skipSum, stopSum, toggleSum } from "./sums.js";
import { drawStrip, drawWatch, drawWords } from "./words.js";

const LOOK_AGAIN = 300; // milliseconds, while something else is waited for
const SLOW = 400; // milliseconds without an answer from where on one sees that it is waited for
const LOST = 4000; // milliseconds without an answer after which an event is sent again: a message can be lost
const QUIET = 150; // milliseconds without another move after which one that is drawn is told
const LATEST = 1000; // the same with others
const TRIES = 3; // after the last, no answer is waited for any more: that must not freeze the page
const LEAST = 340; // pixels of height, also where the window has less: on a desk
const LEAST_IN_ROOM = 300; // the same in front of a room, before all is made larger

// How each section is drawn, and from what: it is drawn anew only when that has changed.
/** @type {[Section, Draw, (data: Scene) => unknown][]} */
const SECTIONS = [
  ["map", drawMap, (data) => data.map],
  ["tokens", drawTokens, (data) => [data.tokens, data.edits, data.compared]],
  ["source", drawSource, (data) => data.source],
  ["picture", drawPicture, (data) => [data.picture, data.digits, data.tokens]],
  ["words", drawWords, (data) => data.say],
  ["watch", drawWatch, (data) => [data.watch, data.digits]],
  [
    "inspect",
    drawInspector,
    (data) => [
      data.inspector,
      data.compared,
      data.watch,
      data.digits,
      panelsOf(data.picture).length > 0,
      offered(data),
    ],
  ],
  ["strip", drawStrip, (data) => data.strip],
  ["bar", drawBar, (data) => data.bar],
  ["search", drawSearch, (data) => data.search],
];

/** @type {WeakMap<Element, State>} */
const states = new WeakMap();

/** @type {(root: HTMLElement, data: Scene, trigger: State["trigger"]) => State} */
const start = (root, data, trigger) => {
  const boxes = /** @type {State["boxes"]} */ (
    Object.fromEntries(SECTIONS.map(([name]) => [name, part(root, `.${name}`)]))
  );
  /** @type {State} */
  const state = {
    root,
    boxes,
    data,
    trigger,
    words: data.words,
    tip: part(root, ".tip"),
    live: part(root, ".live"),
    open: new Set(),
    drawn: {},
    answered: data,
    known: nothingKnown(),
    sent: null,
    queue: [],
    playing: null,
    pace: "normal",
    setPace: () => {
      state.pace = nextPace(state.pace);
      if (state.playing) again(state);
      drawBar(state.boxes.bar, state);
    },
    quiet: undefined,
    latest: 0,
    slow: undefined,
    shown: [],
    waiting: undefined,
    send: (event) => {
      state.queue.push(event);
      sendNext(state);
    },
    move: (move) => go(state, move),
    play: () => togglePlaying(state),
    watch: () => watch(state),
    skip: () => skipSum(state),
    skipTo: skipLink(boxes.picture),
    stop: () => {},
  };
  state.pointed = pointing(state);
  state.stop = listen(state);
  return state;
};

// What waits is sent one by one.
/** @type {(state: State) => void} */
const sendNext = (state) => {
  clearTimeout(state.quiet);
  state.quiet = undefined;
  const event = state.sent ? undefined : state.queue.shift();
  if (!event) return;
  state.sent = event;
  state.slow = setTimeout(() => state.root.classList.add("waiting"), SLOW);
  deliver(state, { ...event, held: heldOf(state.known), message: `${Date.now()} ${Math.random()}` }, TRIES);
};

// Python takes a message once, so that an event that was only slow is not carried out twice.
/** @type {(state: State, told: Told & { held: object, message: string }, tries: number) => void} */
const deliver = (state, told, tries) => {
  state.waiting = setTimeout(() => {
    if (tries > 1) deliver(state, told, tries - 1);
    else state.sent = null;
  }, LOST);
  state.trigger("event", told);
};

// A move: one more of those that wait. It is drawn now if it is known where it leads; if it is also known what comes
// after it, nobody waits for an answer, and none is drawn between two quick moves.
/** @type {(state: State, move: Move) => void} */
const go = (state, move) => {
  const last = state.queue.at(-1);
  if (last?.type === "move" && last.move === move) last.times += 1;
  else state.queue.push({ type: "move", move, times: 1 });
  const there = inTheEnd(state);
  if (there.seq !== state.data.seq) show(state, there);
  if (onwards(state.known, there, [{ type: "move", move, times: 1 }]) === there) sendNext(state);
  else sendSoon(state);
};

/** @type {(state: State) => void} */
const onAnswered = (state) => {
  clearTimeout(state.waiting);
  clearTimeout(state.slow);
  state.root.classList.remove("waiting");
  state.sent = null;
};

/** @type {(state: State) => void} */
const sendSoon = (state) => {
  const now = performance.now();
  if (state.quiet === undefined) state.latest = now + LATEST;
  clearTimeout(state.quiet);
  state.quiet = setTimeout(() => sendNext(state), Math.min(QUIET, state.latest - now));
};

// What will be seen when everything is answered, as far as it is known.
/** @type {(state: State) => Scene} */
const inTheEnd = ({ known, answered, sent, queue }) => onwards(known, answered, sent ? [sent, ...queue] : queue);

/** @type {(state: State, wait?: number) => void} */
const again = (state, wait = readingTime(state.data.say, state.pace)) => {
  if (state.playing) clearTimeout(state.playing);
  state.playing = setTimeout(() => onward(state), wait);
};

// One step further, when what there is to read has been read; in slow motion, the pinned cell's sum comes first.
/** @type {(state: State) => void} */
const onward = (state) => {
  if (state.sum?.timer || state.sent) return again(state, LOOK_AGAIN);
  if (!state.data.bar.moves.over || state.data.bar.stopped) return togglePlaying(state);
  if (state.pace === "slow" && playsHere(state)) return again(state, LOOK_AGAIN);
  state.send({ type: "move", move: "over", times: 1, play: true });
  again(state, LOOK_AGAIN);
};

/** @type {(state: State) => void} */
const togglePlaying = (state) => {
  if (state.playing) {
    clearTimeout(state.playing);
    state.playing = null;
    if (state.sum?.timer) toggleSum(state);
  } else again(state);
  drawBar(state.boxes.bar, state);
  tellPlace(state.data, !!state.playing);
};

/** @type {(found: { address: string, cell: number[] }) => string} */
const nameOfCell = ({ address, cell }) => `${address}[${cell}]`;

// The pinned cell's sum; where none is pinned, that of the cell which is written in its place, once it is.
/** @type {(state: State) => void} */
const watch = (state) => {
  if (state.data.inspector) return toggleSum(state);
  const found = offered(state.data);
  if (!found) return;
  state.watches = nameOfCell(found);
  state.send({ type: "pin", address: found.address, cell: found.cell });
};

// The root takes the height that the window has left for it.
/** @type {(root: HTMLElement) => void} */
const fit = (root) => {
  const least = root.classList.contains("present") ? LEAST_IN_ROOM * scale() : LEAST;
  root.style.setProperty("--lm-height", `${Math.max(least, heightLeft(root) - 10)}px`);
};

/** @type {(state: State) => () => void} */
const listen = (state) => {
  const { root } = state;
  const box = state.boxes.picture;
  /** @type {(event: KeyboardEvent) => void} */
  const key = (event) => onKey(state, event);
  const refit = () => fit(root);
  const stopScale = onScale(root, () => {
    state.room = undefined;
    refit();
  });
  const stopAsks = onAsk(() => tellPlace(state.data, !!state.playing));
  const stopWishes = onWish((wish) => (wish.type === "play" ? state.play() : state.send(wish)));
  const observer = new ResizeObserver(() => {
    const size = `${box.offsetWidth}x${box.offsetHeight}`;
    if (size === state.size) return;
    state.size = size;
    redrawPicture(box, state);
  });
  const above = new ResizeObserver(refit);
  const page = pageParts();
  if (page) above.observe(page);
  const stopTheme = onTheme(root, () => {
    root.classList.toggle("dark", isDark(root));
    redrawPicture(box, state);
  });
  document.addEventListener("keydown", key);
  window.addEventListener("resize", refit);
  observer.observe(box);
  return () => {
    stopAsks();
    state.skipTo.stop();
    stopWishes();
    document.removeEventListener("keydown", key);
    window.removeEventListener("resize", refit);
    observer.disconnect();
    above.disconnect();
    stopTheme();
    stopScale();
  };
};

// What tells a control from the others of its pane, so that the keyboard's focus outlives a redraw.
/** @type {(element: HTMLElement) => string | null} */
const nameOf = (element) =>
  element.dataset.move || element.dataset.stage || element.getAttribute("aria-label") || element.textContent;

/** @type {(root: HTMLElement) => HTMLElement | null} */
const focusedIn = (root) => {
  const tree = /** @type {Document | ShadowRoot} */ (root.getRootNode());
  return /** @type {HTMLElement | null} */ (tree.activeElement);
};

// Draw a section; what had the focus in it has it again.
/** @type {(name: Section, draw: Draw, state: State) => void} */
const redraw = (name, draw, state) => {
  const box = state.boxes[name];
  box.setAttribute("aria-label", state.words[`pane.${name}`] || "");
  const focused = focusedIn(state.root);
  const held = focused && box.contains(focused) ? nameOf(focused) : null;
  draw(box, state);
  if (!focused || !held) return;
  const again = parts(box, focused.tagName).find((one) => nameOf(one) === held);
  if (again && !("disabled" in again && again.disabled)) again.focus({ preventScroll: true });
};

// A choice in the top row is made: the arrow keys walk again.
const leaveTopRow = () => {
  const active = /** @type {HTMLElement | null} */ (document.activeElement);
  if (active?.closest(".st-key-top")) active.blur();
};

/** @type {(state: State, data: Scene) => void} */
const show = (state, data) => {
  const { root } = state;
  if (state.data.run !== data.run) leaveTopRow();
  const wasPresent = root.classList.contains("present");
  state.data = data;
  state.words = data.words;
  state.skipTo.say(state.words["picture.skip"]);
  if (root.classList.toggle("present", data.present) !== wasPresent) {
    state.room = undefined;
    later(() => fit(root)); // where the rows above end
  }
  root.dataset.parts = data.parts.join(" ");
  if (root.lang !== data.lang) root.lang = data.lang;
  for (const [name, draw, from] of SECTIONS) {
    const now = JSON.stringify([from(data), data.lang, data.parts, root.className]);
    if (state.drawn[name] === now) continue;
    state.drawn[name] = now;
    redraw(name, draw, state);
  }
  root.dataset.step = `${data.bar.grain}:${data.bar.index}`;
  root.dataset.seq = String(data.seq);
  tellPlace(data, !!state.playing);
};

// The arithmetic is below the words, on a phone below the picture: it comes into sight when another cell is pinned. The words
// do when none is any more, and at another stage, which is read from its beginning.
/** @type {(state: State, isFirst: boolean) => void} */
const lookAtPinned = (state, isFirst) => {
  const { inspector } = state.data;
  const pinned = inspector && nameOfCell(inspector);
  const isNew = pinned && pinned !== state.pinned && !isFirst;
  const isElsewhere = state.read !== state.root.dataset.step && !isFirst;
  if (isNew) later(() => state.boxes.inspect.scrollIntoView({ block: "nearest" }));
  else if (isElsewhere || (!pinned && state.pinned)) later(() => state.boxes.words.parentElement?.scrollTo(0, 0));
  state.pinned = pinned;
  state.read = state.root.dataset.step;
};

/** @type {(given: Given<Scene>) => () => void} */
export default function stepThrough({ data: [data], parentElement, setTriggerValue }) {
  const root = part(parentElement, ".lm");
  const known = states.get(root);
  const state = known ?? start(root, data, setTriggerValue);
  states.set(root, state);
  state.trigger = setTriggerValue;
  if (data.seq !== state.answered.seq) onAnswered(state); // else it is drawn for another reason, and the answer comes
  state.answered = data;
  learn(state.known, data);
  if (state.quiet === undefined) sendNext(state);
  if (!known) {
    root.classList.toggle("dark", isDark(root));
    fit(root);
  }
  show(state, inTheEnd(state));
  lookAtPinned(state, !known);
  if (data.inspector) {
    if (state.watches === nameOfCell(data.inspector)) toggleSum(state);
    state.watches = undefined;
  }
  if (state.playing) again(state);
  root.dataset.answered = String(data.seq);
  return () => {
    state.stop();
    stopSum(state);
    if (state.playing) clearTimeout(state.playing);
    clearTimeout(state.quiet);
    states.delete(root);
  };
}
