// Presenting, on every page: a button and a key that make all large, and the keys of who stands in front of a room.

// @ts-check

/** @import { Given, Mounted } from "../../browser/client.d.ts" */
/** @import { Presenting } from "./present.d.ts" */
/** @import { Mark } from "./marks.js" */

import { courseChannel } from "../../browser/course_channel.js";
import { h } from "../../browser/dom.js";
import { isTyped } from "../../browser/keys.js";
import { component } from "../../browser/mounted.js";
import { roomScale, scale } from "../../browser/scale.js";
import { readCommas } from "./comma.js";
import { copied, drawnCode, shared } from "./link.js";
import { marksIn } from "./marks.js";
import { named } from "./names.js";
import { takeTaps } from "./swipe.js";

const OPEN = "[role=dialog], [role=listbox], [data-testid=stPopoverBody]"; // of Streamlit's, which Escape closes
const SAID = 2500; // milliseconds
const SETTLED = 300; // milliseconds after which a window that is made larger has its size
const NEAR = 0.02; // two scales that look alike
const SCREEN = "M3 4h18v12H3zM12 16v4M8 20h8";

/** @type {Record<string, string>} */
const KEYS = {
  p: "on",
  s: "spotlight",
  l: "pointer",
  x: "crosshair",
  c: "card",
  t: "task",
  n: "notes",
  q: "code",
  u: "copy",
  "?": "keys",
};
const WALKING = { "→ ←": "steps", "Page ↓ ↑": "stages", "Home End": "ends", Esc: "leave" };
/** @type {string[]} */
const MARKS = ["spotlight", "pointer", "crosshair"];
// What the keys of the course press: its line, and the way on, which is there once the task is done.
/** @type {Record<string, string>} */
const PRESSES = { card: ".st-key-course_line button", task: ".st-key-course_next a, .st-key-course_on a" };

/** @type {(root: HTMLElement) => Mounted<Presenting>} */
const mount = (root) => {
  /** @type {Presenting} */
  let data = { lang: "", names: { ours: {}, at: {} }, words: {}, on: false, scale: 1, course: "", code: null };
  /** @type {Given<Presenting>["setTriggerValue"]} */
  let trigger = () => {};
  const icon = h("span", { "aria-hidden": "true" });
  icon.innerHTML = `<svg viewBox="0 0 24 24" fill="none" stroke="currentColor" stroke-width="2"><path d="${SCREEN}"/></svg>`;
  const open = h("button", { class: "open", type: "button", onclick: () => act("on") }, icon);
  const help = h("button", { class: "open", type: "button", onclick: () => act("keys") }, "?");
  const dialog = h("dialog", {});
  const said = h("p", { class: "said", role: "status", popover: "manual" });
  root.replaceChildren(open, help, dialog, said);
  const marks = marksIn(root, said);
  const word = (/** @type {string} */ key) => data.words[`present.${key}`] ?? "";

  /** @type {ReturnType<typeof setTimeout> | undefined} */
  let saying;
  const say = (/** @type {string} */ text) => {
    clearTimeout(saying);
    if (said.matches(":popover-open")) said.hidePopover();
    said.textContent = text;
    said.showPopover(); // above a dialog too
    saying = setTimeout(() => said.hidePopover(), SAID);
  };

  // -- dialogs ---------------------------------------------------------------------------------------------------
  /** @type {(name: string, ...inside: (Node | null)[]) => void} */
  const show = (name, ...inside) => {
    const close = h("button", { type: "button", class: "close", "aria-label": word("close") }, "×");
    close.addEventListener("click", () => dialog.close());
    dialog.className = name;
    dialog.setAttribute("aria-label", word(name));
    dialog.replaceChildren(h("header", {}, h("h2", {}, word(name)), close), ...inside.filter((one) => one !== null));
    if (!dialog.open) dialog.showModal();
  };
  const showKeys = () => {
    const line = (/** @type {string} */ key, /** @type {string} */ name) =>
      h(
        "button",
        {
          type: "button",
          onclick: () => {
            dialog.close();
            act(name);
          },
        },
        h("kbd", {}, key.toUpperCase()),
        h("span", {}, word(name)),
      );
    const told = Object.entries(WALKING).map(([key, name]) => h("p", {}, h("kbd", {}, key), h("span", {}, word(name))));
    const ours = Object.entries(KEYS).filter(([, name]) => name !== "keys" && (data.course || !PRESSES[name]));
    show(
      "keys",
      h(
        "div",
        { class: "list" },
        ours.map(([key, name]) => line(key, name)),
        told,
      ),
    );
  };
  let asked = "";
  const showLink = (isSelected = false) => {
    asked = shared(location.href);
    const field = h("input", { readonly: true, "aria-label": word("link") });
    field.value = asked;
    const copy = h("button", { type: "button", class: "copy", onclick: copyLink }, word("copy"));
    const isKnown = data.code?.address === asked && data.code.rows.length > 0;
    const isTooLong = data.code?.address === asked && !data.code.rows.length;
    const drawn = data.code && isKnown ? drawnCode(data.code, word("code")) : null;
    const place = h("div", { class: "square" }, drawn ?? (isTooLong ? h("p", {}, word("too_long")) : ""));
    show("code", place, h("div", { class: "link" }, field, copy));
    if (!isKnown && !isTooLong) trigger("event", { address: asked });
    if (isSelected) field.select();
    else dialog.focus();
  };
  const copyLink = async () => {
    if (await copied(shared(location.href))) say(word("copied"));
    else {
      showLink(true);
      say(word("select"));
    }
  };

  // -- notes -----------------------------------------------------------------------------------------------------
  const isNotes = () => new URLSearchParams(location.search).get("section") === "notes";
  const channel = courseChannel(({ asks }) => {
    if (asks && data.course && !isNotes()) channel.tell({ at: data.course });
  });
  const openNotes = () => {
    const url = new URL("course?section=notes", location.href);
    const lang = new URLSearchParams(location.search).get("lang");
    if (lang) url.searchParams.set("lang", lang);
    const [chapter, task] = data.course.split(".");
    if (chapter) url.searchParams.set("chapter", chapter);
    if (chapter && task !== "0") url.searchParams.set("task", task);
    if (!window.open(url, "lmviz-notes", "popup,width=760,height=900")) say(word("blocked"));
  };

  // -- what the buttons and keys do ------------------------------------------------------------------------------
  let [isWanted, isPending] = [false, false]; // what was asked for last, and whether Python has yet to answer that
  const turn = (/** @type {boolean} */ on) => {
    [isWanted, isPending] = [on, true];
    if (!on) marks.end();
    trigger("event", on ? { on, scale: roomScale(window.innerWidth, window.innerHeight) } : { on });
  };
  const press = (/** @type {string} */ name) => {
    const found = document.querySelector(PRESSES[name]);
    if (found instanceof HTMLElement) found.click();
    else if (data.course) say(word("not_done"));
  };
  /** @type {(name: string) => void} */
  const act = (name) => {
    if (name === "on") turn(!isWanted);
    else if (name === "keys") showKeys();
    else if (name === "code") showLink();
    else if (name === "copy") copyLink();
    else if (name === "notes") openNotes();
    else if (PRESSES[name]) press(name);
    else if (MARKS.includes(name)) {
      const mark = /** @type {Mark} */ (name);
      const light = marks.toggle(mark);
      say(marks.isOn(mark) ? word(light ? `light.${light}` : name) : word("off"));
    }
  };
  const leave = (/** @type {KeyboardEvent} */ event) => {
    if (isInDialog(event)) return; // it closes itself, and what is below it stays
    if (marks.end()) event.preventDefault();
    else if (!document.querySelector(OPEN)) turn(false);
  };
  /** @type {(event: KeyboardEvent) => void} */
  const onKey = (event) => {
    if (isTyped(event)) return;
    const name = KEYS[event.key.toLowerCase()];
    if (event.key === "Escape" && data.on) leave(event);
    else if (name && (data.on || name === "on") && !(dialog.open && isInDialog(event))) {
      act(name);
      event.preventDefault();
    }
  };
  /** @type {(event: Event) => boolean} */
  const isInDialog = (event) => event.composedPath().some((one) => one instanceof HTMLDialogElement && one.open);

  // -- how large all is ------------------------------------------------------------------------------------------
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  let settling;
  const compare = () => {
    clearTimeout(settling);
    settling = setTimeout(() => {
      if (data.on && Math.abs(scale() - data.scale) > NEAR) trigger("event", { scale: scale() });
    }, SETTLED);
  };
  const names = named();
  const stopCommas = readCommas(() => data.lang || "en");
  const stopTaps = takeTaps();
  document.addEventListener("keydown", onKey);
  window.addEventListener("resize", compare);
  return {
    show: (now, send) => {
      const before = data;
      [data, trigger] = [now, send];
      if (data.on === isWanted) isPending = false;
      else if (!isPending) isWanted = data.on;
      else if (before.on !== data.on) turn(isWanted); // that answers an earlier press; of two at once, the later is lost
      if (before.on && !data.on) marks.end();
      names.show(data.names, data.lang);
      root.lang = data.lang;
      root.dataset.scale = String(data.scale);
      const label = word("on");
      open.title = `${label} (P)`;
      open.setAttribute("aria-label", label);
      open.setAttribute("aria-pressed", String(data.on));
      help.hidden = !data.on;
      help.title = `${word("keys")} (?)`;
      help.setAttribute("aria-label", word("keys"));
      if (data.code && data.code.address === asked && dialog.open && dialog.className === "code") showLink();
      if (data.course !== before.course && !isNotes()) channel.tell({ at: data.course });
      compare();
    },
    stop: () => {
      document.removeEventListener("keydown", onKey);
      window.removeEventListener("resize", compare);
      clearTimeout(saying);
      clearTimeout(settling);
      channel.stop();
      names.stop();
      stopCommas();
      stopTaps();
      marks.stop();
    },
  };
};

export default component(mount, ".present");
