// The glossary. Terms are found in the words on the page and dotted by a highlight, which changes no element of it: what
// drew the words never notices. A pointer on one opens what it means; the button opens the list of all, to be searched.

// @ts-check

/** @import { Mounted } from "../../browser/client.d.ts" */
/** @import { Term, Terms } from "./terms.d.ts" */

import { h, parts } from "../../browser/dom.js";
import { component } from "../../browser/mounted.js";
import { finder, matching } from "./finding.js";

const PROSE = "[data-testid='stMarkdownContainer'] :is(p, li), [data-testid='stCaptionContainer'] p"; // what Python wrote
const OURS = ".words :is(p, li)"; // and what our pictures did
const NO_TERMS = "code, pre, a, button, label, summary, .katex, h1, h2, h3";
const NAME = "lm-term";
const LATER = 250; // milliseconds after the last change of the page
const CHANGES = { childList: true, subtree: true, characterData: true };
// In high contrast the system paints a highlight as if it were selected, but in words that keep their own colour.
const LOOK = `::highlight(${NAME}) { text-decoration: underline dotted; }
@media (forced-colors: active) {
  ${PROSE}, ${OURS} { forced-color-adjust: preserve-parent-color; color: inherit !important; }
  :is(${PROSE}, ${OURS}) :is(${NO_TERMS}) { forced-color-adjust: auto; }
}`;

/** @type {() => (Document | ShadowRoot)[]} */
const trees = () => {
  const shadows = parts(document, "[data-testid='stBidiComponentIsolated']")
    .map((one) => one.shadowRoot)
    .filter((one) => one !== null);
  return [document, ...shadows];
};

/** @type {WeakSet<Document | ShadowRoot>} */
const looked = new WeakSet();

// A highlight is drawn in a tree only by a style of that tree.
/** @type {(tree: Document | ShadowRoot) => void} */
const dress = (tree) => {
  if (looked.has(tree)) return;
  looked.add(tree);
  const sheet = new CSSStyleSheet();
  sheet.replaceSync(LOOK);
  tree.adoptedStyleSheets = [...tree.adoptedStyleSheets, sheet];
};

/** @type {(tree: Document | ShadowRoot) => Text[]} */
const textsOf = (tree) => {
  const found = [];
  for (const box of parts(tree, tree === document ? PROSE : OURS)) {
    const walker = document.createTreeWalker(box, NodeFilter.SHOW_TEXT);
    while (walker.nextNode()) {
      const text = /** @type {Text} */ (walker.currentNode);
      if (!text.parentElement?.closest(NO_TERMS)) found.push(text);
    }
  }
  return found;
};

/** @typedef {{ range: Range, term: Term }} Found */

/** @type {(find: (text: string) => { start: number, end: number, term: Term }[], watch: (tree: Node) => void) => Found[]} */
const allFound = (find, watch) =>
  trees().flatMap((tree) => {
    const texts = textsOf(tree);
    if (texts.length) dress(tree);
    if (texts.length && tree !== document) watch(tree); // a picture that draws in a tree of its own
    return texts.flatMap((text) =>
      find(text.data).map(({ start, end, term }) => {
        const range = new Range();
        range.setStart(text, start);
        range.setEnd(text, end);
        return { range, term };
      }),
    );
  });

// Whether what is seen at a point is the word's own: it may have been scrolled away below something else.
/** @type {(range: Range, x: number, y: number) => boolean} */
const isSeen = ({ startContainer }, x, y) => {
  const tree = /** @type {Document | ShadowRoot} */ (startContainer.getRootNode());
  const top = tree.elementFromPoint(x, y);
  return !!top && !!startContainer.parentElement?.contains(top);
};

/** @type {(found: Found[], x: number, y: number) => Found | undefined} */
const under = (found, x, y) =>
  found.find(
    ({ range }) =>
      [...range.getClientRects()].some((box) => x >= box.left && x <= box.right && y >= box.top && y <= box.bottom) &&
      isSeen(range, x, y),
  );

// What a term means, beside the word.
/** @type {(tip: HTMLElement, found: Found | undefined) => void} */
const tell = (tip, found) => {
  tip.hidden = !found;
  if (!found) return;
  tip.replaceChildren(h("b", {}, found.term.forms[0]), " ", found.term.says);
  const box = found.range.getBoundingClientRect();
  const left = Math.max(8, Math.min(box.left, window.innerWidth - tip.offsetWidth - 8));
  const below = box.bottom + 6 + tip.offsetHeight < window.innerHeight;
  tip.style.left = `${left}px`;
  tip.style.top = `${below ? box.bottom + 6 : Math.max(8, box.top - tip.offsetHeight - 6)}px`;
};

/** @type {(dialog: HTMLDialogElement, data: Terms) => void} */
const fill = (dialog, { terms, words }) => {
  const list = h("dl", { role: "list" });
  const none = h("p", { role: "status" });
  const input = h("input", { role: "searchbox", "aria-label": words["glossary.words.search"] });
  input.placeholder = words["glossary.words.search"];
  const show = () => {
    const shown = matching(terms, input.value);
    list.replaceChildren(
      ...shown.map(({ forms, says }) => h("div", { role: "listitem" }, h("dt", {}, forms[0]), h("dd", {}, says))),
    );
    none.textContent = shown.length ? "" : words["glossary.words.none"];
  };
  input.addEventListener("input", show);
  const close = h("button", { type: "button", "aria-label": words["glossary.words.close"] }, "×");
  close.addEventListener("click", () => dialog.close());
  dialog.setAttribute("aria-label", words["glossary.words.open"]);
  dialog.replaceChildren(h("header", {}, input, close), list, none);
  show();
};

/** @type {(root: HTMLElement) => Mounted<Terms>} */
const mount = (root) => {
  const tip = h("div", { class: "tip", role: "tooltip", hidden: true });
  const dialog = h("dialog", {});
  const button = h("button", { class: "open", type: "button" });
  button.addEventListener("click", () => dialog.showModal());
  dialog.addEventListener("keydown", (event) => event.stopPropagation()); // the step-through walks by keys
  dialog.addEventListener("click", (event) => event.target === dialog && dialog.close());
  root.replaceChildren(button, tip, dialog);
  let find = finder([]);
  /** @type {Found[]} */
  let found = [];
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  let waiting;
  const look = () => {
    found = allFound(find, (tree) => changes.observe(tree, CHANGES));
    CSS.highlights?.set(NAME, new Highlight(...found.map(({ range }) => range)));
  };
  const lookLater = () => {
    clearTimeout(waiting);
    waiting = setTimeout(look, LATER);
  };
  const changes = new MutationObserver((all) => {
    if (all.some((one) => !root.contains(one.target))) lookLater();
  });
  changes.observe(document.body, CHANGES);
  /** @type {(event: PointerEvent) => void} */
  const point = (event) => {
    if (!found.some(({ range }) => range.startContainer.isConnected)) return;
    tell(tip, under(found, event.clientX, event.clientY));
  };
  const hide = () => tell(tip, undefined);
  document.addEventListener("pointermove", point);
  document.addEventListener("pointerdown", point);
  document.addEventListener("keydown", hide);
  return {
    show: (data) => {
      root.lang = data.lang;
      const { words } = data;
      button.title = words["glossary.words.open"];
      button.setAttribute("aria-label", words["glossary.words.open"]);
      button.replaceChildren("Aa");
      find = finder(data.terms);
      fill(dialog, data);
      lookLater();
    },
    stop: () => {
      clearTimeout(waiting);
      changes.disconnect();
      document.removeEventListener("pointermove", point);
      document.removeEventListener("pointerdown", point);
      document.removeEventListener("keydown", hide);
      CSS.highlights?.delete(NAME);
    },
  };
};

export default component(mount, ".glossary");
