// The pictures of a page, in a list, each to be saved: charts, tensors, and what our scripts have drawn.

// @ts-check

import { h, parts } from "./dom.js";
import { svgOf } from "./picture_of.js";
import { PICTURE_KINDS, linkHere, savePicture, svgLink, svgText } from "./picture_saved.js";

const CHARTS = "[data-testid='stVegaLiteChart'], svg[role='img']"; // on the page itself
const PICTURE = "saving.picture."; // before the key of a part of the page: the name of its picture
const OURS = ".lm"; // what our scripts draw, in trees of their own
const WITHIN = ".picture, .pictures"; // where that is only a part
const MOST_NAMES = 4; // tensors that a picture is called after
const LEAST = 24; // pixels of a picture's side

/** @typedef {{ element: HTMLElement, name: string }} Shown */

/** @type {(element: Element) => Element} */
const hostOf = (element) => {
  const tree = element.getRootNode();
  return tree instanceof ShadowRoot ? tree.host : element;
};

// What the page calls a part of it: a heading, a line in bold, a box that can be opened.
const HEADINGS = "h1, h2, h3, h4, [data-testid='stMarkdownContainer'] p strong";
const BOX = "[data-testid='stExpander']";
const SECTION = ".st-key-top [data-testid='stButtonGroup'] [aria-checked='true']"; // the one of the page that is chosen
const KEYED = "st-key-"; // before the key that Python has given a part of the page
const LANGUAGE = 2; // letters of its name: that choice is no section

/** @type {() => string} */
const pageName = () => {
  const chosen = parts(document, SECTION).map((one) => one.textContent?.trim() ?? "");
  const title = document.querySelector("h1")?.textContent?.trim() || document.title;
  return [title, ...chosen.filter((name) => name.length > LANGUAGE)].join(" · ");
};

// Words in bold name a part only where they stand alone.
/** @type {(one: Element) => boolean} */
const isHeading = (one) =>
  one.tagName !== "STRONG" || one.closest("p")?.textContent?.trim() === one.textContent?.trim();

// What stands above an element, in its own tree or on the page; else the tensors that are in it.
/** @type {(element: Element) => string} */
const headingOf = (element) => {
  const own = /** @type {Document | ShadowRoot} */ (element.getRootNode());
  const inside = own instanceof ShadowRoot ? own.querySelector("h2")?.textContent : "";
  if (inside) return inside.trim();
  const host = hostOf(element);
  const box = host.closest(BOX);
  const before = parts(box ?? document, HEADINGS).filter(
    (one) =>
      isHeading(one) &&
      one.compareDocumentPosition(host) & Node.DOCUMENT_POSITION_FOLLOWING &&
      (box || !one.closest(`${BOX} summary`)),
  );
  const last = before.at(-1);
  if (last && last.tagName !== "H1") return last.textContent?.trim() ?? "";
  const tensors = [...new Set(parts(element, "figcaption b").map((one) => one.textContent))].slice(0, MOST_NAMES);
  return [box?.querySelector("summary p")?.textContent?.trim() || pageName(), ...tensors].join(" · ");
};

// What a picture is called by the key of the part of the page that it is in. Of several parts whose keys begin alike,
// each has its heading too.
/** @type {(element: Element, words: Record<string, string>) => string} */
const nameOf = (element, words) => {
  const heading = headingOf(element);
  for (
    let at = hostOf(element).closest(`[class*='${KEYED}']`);
    at;
    at = at.parentElement?.closest(`[class*='${KEYED}']`) ?? null
  )
    for (const one of at.classList) {
      if (!one.startsWith(KEYED)) continue;
      const key = one.slice(KEYED.length);
      if (words[PICTURE + key]) return words[PICTURE + key];
      const begins = Object.keys(words).find(
        (name) => name.startsWith(PICTURE) && `${PICTURE}${key}`.startsWith(`${name}-`),
      );
      if (begins) return `${words[begins]} · ${heading}`;
    }
  return heading;
};

/** @type {() => HTMLElement[]} */
const pictures = () => {
  const trees = parts(document, "*").flatMap((one) => (one.shadowRoot ? [one.shadowRoot] : []));
  const ours = trees.flatMap((tree) => parts(tree, OURS)).map((one) => one.querySelector(WITHIN) ?? one);
  const found = [...parts(document, CHARTS), .../** @type {HTMLElement[]} */ (ours)].filter((one) => {
    const { width, height } = one.getBoundingClientRect();
    return width > LEAST && height > LEAST;
  });
  /** @type {(a: Element, b: Element) => number} */
  const order = (a, b) => (hostOf(a).compareDocumentPosition(hostOf(b)) & Node.DOCUMENT_POSITION_FOLLOWING ? -1 : 1);
  return found.filter((one) => !found.some((other) => other !== one && other.contains(one))).sort(order);
};

// All that can be saved, each with a name of its own.
/** @type {(words: Record<string, string>) => Shown[]} */
export const picturesHere = (words) => {
  /** @type {Map<string, number>} */
  const used = new Map();
  return pictures().map((element) => {
    const named = nameOf(element, words);
    const n = (used.get(named) ?? 0) + 1;
    used.set(named, n);
    return { element, name: n > 1 ? `${named} (${n})` : named };
  });
};

// A page may have drawn a picture anew since it was listed.
/** @type {(element: HTMLElement, name: string, words: Record<string, string>) => HTMLElement} */
const asItIsNow = (element, name, words) => picturesHere(words).find((one) => one.name === name)?.element ?? element;

/** @type {(shown: Shown, words: Record<string, string>) => HTMLElement | null} */
const entry = ({ element, name }, words) => {
  const alt = element.matches(CHARTS) ? element.getAttribute("aria-label") : null;
  const told = { title: name, lines: [document.title], notes: alt && alt !== name ? [alt] : [], link: linkHere() };
  const small = svgOf(element, { ...told, lines: [], notes: [], link: "" });
  if (!small) return null;
  return h(
    "li",
    {},
    h("img", { src: svgLink(svgText(small.svg)), alt: "" }),
    h("span", {}, name),
    PICTURE_KINDS.map((kind) =>
      h(
        "button",
        {
          type: "button",
          "aria-label": words["saving.as"].replace("{name}", () => name).replace("{kind}", kind),
          onclick: () => savePicture(asItIsNow(element, name, words), told, kind),
        },
        `.${kind}`,
      ),
    ),
  );
};

/**
 * Fill a dialog with the list, and open it.
 *
 * @type {(dialog: HTMLDialogElement, words: Record<string, string>) => void}
 */
export const openPictures = (dialog, words) => {
  const lines = picturesHere(words).flatMap((one) => entry(one, words) ?? []);
  const close = h("button", { type: "button", class: "close", "aria-label": words["saving.close"] }, "×");
  close.addEventListener("click", () => dialog.close());
  dialog.setAttribute("aria-labelledby", "saving-title");
  dialog.replaceChildren(
    h("header", {}, h("h2", { id: "saving-title" }, words["saving.title"]), close),
    lines.length ? h("ul", { class: "to-save" }, lines) : h("p", {}, words["saving.none"]),
    h("p", { class: "more" }, words["saving.help"]),
  );
  if (!dialog.open) dialog.showModal();
};
