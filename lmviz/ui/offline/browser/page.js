// The page: it answers the step-through's events by itself, from what it holds.

// @ts-check

/** @import { Given } from "../../browser/client.d.ts" */
/** @import { Event, Scene } from "../../step_through/browser/scene.d.ts" */
/** @import { Whole } from "../../step_through/browser/whole.d.ts" */
/** @import { Opening, OwnLanguage } from "./walk.d.ts" */
/** @import { Page } from "./explained.js" */
/** @import { View } from "./view.js" */

import { flat, h, part } from "../../browser/dom.js";
import { isTyped } from "../../browser/keys.js";
import { openPictures } from "../../browser/pictures_here.js";
import { answered } from "./answers.js";
import { sceneOf, wholeOf } from "./drawn.js";
import { unpacked } from "./unpack.js";
import { addressOf, viewAt } from "./view.js";

const UNSEEN = 250; // milliseconds after which a frame that is out of sight, and is not painted, goes on
const QUICK = 800; // milliseconds within which changes make one entry of the browser's history

// A frame that was given its text has no address of its own, but a name, which stays when it is given another.
const isInside = location.protocol === "about:";

/** @typedef {Event | { type: "map", map: string } | { type: "present" }} Asked */
/** @typedef {{ debug: (given: Given<Scene>) => unknown, whole: (given: Given<Whole>) => unknown }} Components */

/**
 * @typedef {object} Open
 * @property {Components} components
 * @property {Page | null} page null until it is unpacked
 * @property {View | null} view
 * @property {number} seq how many events were answered
 * @property {Asked[]} waiting events that came before
 * @property {string} drawnWhole what the picture of the whole model was drawn from
 * @property {number} entered when the last entry of the history was made
 */

/** @type {(id: string) => HTMLElement} */
const byId = (id) => part(document, `#${id}`);

/** @type {(id: string) => HTMLElement} */
const insideOf = (id) => /** @type {HTMLElement} */ (/** @type {unknown} */ (byId(id).shadowRoot));

// -- drawing ---------------------------------------------------------------------------------------------------------

/** @type {(open: Open, scene: Scene) => void} */
const drawScene = (open, scene) => {
  const setTriggerValue = (/** @type {string} */ _, /** @type {unknown} */ event) =>
    onAsked(open, /** @type {Asked} */ (event));
  open.components.debug({ data: [scene], parentElement: insideOf("debugger"), setTriggerValue });
  document.body.classList.toggle("present", scene.present);
};

/** @type {(open: Open, whole: Whole) => void} */
const drawWhole = (open, whole) => {
  const from = `${whole.lang} ${whole.map}`;
  if (open.drawnWhole === from) return;
  open.drawnWhole = from;
  const setTriggerValue = (/** @type {string} */ _, /** @type {unknown} */ event) =>
    onAsked(open, /** @type {Asked} */ (event));
  open.components.whole({ data: [whole], parentElement: insideOf("whole"), setTriggerValue });
};

/** @type {(open: Open) => void} */
const draw = (open) => {
  drawPlace(open);
  drawAround(open);
};

// What one looks at: the place where one stands, with its picture.
/** @type {(open: Open) => void} */
const drawPlace = (open) => {
  const { page, view } = open;
  if (!page || !view) return;
  drawTop(open, page, view);
  drawScene(open, sceneOf(page, view, open.seq));
};

/** @type {(open: Open) => void} */
const drawAround = (open) => {
  const { page, view } = open;
  if (!page || !view) return;
  drawWhole(open, wholeOf(page.walk, view));
  writeAddress(open, page, view);
};

// The browser paints what has been drawn before more is drawn.
/** @type {() => Promise<void>} */
const onceOnScreen = async () => {
  performance.mark("first-picture");
  await new Promise((done) => {
    requestAnimationFrame(() => setTimeout(done));
    setTimeout(done, UNSEEN);
  });
};

/** @type {(open: Open, page: Page, view: View) => void} */
const drawTop = (open, { walk }, view) => {
  const { words, title, depths } = walk.languages[view.lang];
  document.documentElement.lang = view.lang;
  document.title = `${title} · lmviz`;
  part(document, ".page-top h1").textContent = title;
  part(document, ".deep span").textContent = words["app.depth"];
  const select = /** @type {HTMLSelectElement} */ (part(document, ".deep select"));
  select.title = words["app.depth.help"];
  select.replaceChildren(
    ...Object.entries(depths).map(([depth, name]) =>
      h("option", { value: depth, selected: depth === view.depth }, name),
    ),
  );
  select.onchange = () => {
    change(open, { depth: select.value });
    select.blur(); // the arrow keys walk again
  };
  const tongues = part(document, ".tongues");
  tongues.setAttribute("aria-label", words["app.language"]);
  const held = tongues.contains(document.activeElement);
  tongues.replaceChildren(
    ...Object.keys(walk.languages).map((lang) => {
      const attributes = { lang, "aria-pressed": String(lang === view.lang), onclick: () => change(open, { lang }) };
      return h("button", attributes, lang.toUpperCase());
    }),
  );
  if (held) part(tongues, '[aria-pressed="true"]').focus();
  const saves = part(document, ".page-top .saves");
  saves.textContent = words["saving.open"];
  saves.onclick = () => openPictures(/** @type {HTMLDialogElement} */ (byId("saves")), words);
  const absent = part(document, ".absent");
  absent.textContent = words["offline.absent"];
  absent.onclick = () => sayAbsent(walk.languages[view.lang], walk.command);
};

// What is not in the page, and how one gets there.
/** @type {(language: OwnLanguage, command: string) => void} */
const sayAbsent = ({ words, left_out: sentences, command: said }, command) => {
  const dialog = /** @type {HTMLDialogElement} */ (byId("absent"));
  const close = h("button", { onclick: () => dialog.close() }, words["offline.close"]);
  dialog.replaceChildren(
    ...flat([
      h("h2", { id: "absent-title" }, words["offline.absent"]),
      h(
        "ul",
        {},
        [...sentences, words["offline.only_app"]].map((sentence) => h("li", {}, sentence)),
      ),
      h("p", {}, said),
      h("pre", {}, command),
      close,
    ]),
  );
  if (!dialog.open) dialog.showModal();
};

// -- answering -------------------------------------------------------------------------------------------------------

/** @type {(open: Open, event: Asked) => void} */
const onAsked = (open, event) => {
  const { page, view } = open;
  if (!page || !view) {
    open.waiting.push(event);
    return;
  }
  open.seq += 1;
  open.view = answered(page.walk, view, event);
  draw(open);
  if (event.type === "end") sayAbsent(page.walk.languages[view.lang], page.walk.command);
};

/** @type {(open: Open, changes: Partial<View>) => void} */
const change = (open, changes) => {
  if (open.view) open.view = { ...open.view, ...changes };
  draw(open);
};

// P makes all large enough for a room, and ends it; so does Esc.
/** @type {(open: Open, event: KeyboardEvent) => void} */
const present = (open, event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || isTyped(event)) return;
  const ends = event.key === "Escape" && open.view?.present;
  if (event.key.toLowerCase() === "p" || ends) onAsked(open, { type: "present" });
};

// What the page around a frame says: in which language it speaks now.
/** @type {(open: Open, message: MessageEvent) => void} */
const onTold = (open, { source, data }) => {
  const lang = String(data?.lang);
  if (isInside && source === parent && open.page && Object.hasOwn(open.page.walk.languages, lang))
    change(open, { lang });
};

// -- the address -----------------------------------------------------------------------------------------------------

/** @type {() => string} */
const addressHere = () => (isInside ? window.name : location.hash.slice(1));

/** @type {(open: Open, page: Page, view: View) => void} */
const writeAddress = (open, { walk }, view) => {
  const address = addressOf(walk, view);
  if (addressHere() === address) return;
  if (isInside) {
    window.name = address;
    return;
  }
  if (performance.now() - open.entered > QUICK) location.hash = address;
  else history.replaceState(null, "", `#${address}`);
  open.entered = performance.now();
};

/** @type {(open: Open) => void} */
const follow = (open) => {
  const { page, view } = open;
  if (!page || !view || addressHere() === addressOf(page.walk, view)) return;
  open.view = { ...viewAt(page.walk, addressHere()), windows: view.windows };
  draw(open);
};

/** @type {(components: Components) => Promise<void>} */
export default async function openPage(components) {
  /** @type {Open} */
  const open = { components, page: null, view: null, seq: 0, waiting: [], drawnWhole: "", entered: -QUICK };
  /** @type {Opening} */
  const opening = JSON.parse(byId("opening").textContent ?? "");
  part(document, ".page-top h1").textContent = opening.title;
  const isLinked = addressHere() !== "";
  if (!isLinked) {
    drawScene(open, opening.scene);
    await onceOnScreen();
  }
  try {
    open.page = await unpacked(byId("walk").textContent ?? "");
  } catch (error) {
    byId("problem").hidden = false;
    throw error;
  }
  open.view = viewAt(open.page.walk, addressHere());
  addEventListener("hashchange", () => follow(open));
  document.addEventListener("keydown", (event) => present(open, event));
  addEventListener("message", (message) => onTold(open, message));
  drawPlace(open);
  if (isLinked) await onceOnScreen();
  drawAround(open);
  for (const event of open.waiting.splice(0)) onAsked(open, event);
  document.body.dataset.ready = "true";
  performance.mark("ready");
}
