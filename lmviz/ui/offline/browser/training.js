// The page of a training: a slider through the times of the run, each of which is a walk in a frame.

// @ts-check

/** @import { PictureKind } from "../../browser/picture_saved.js" */

import { part } from "../../browser/dom.js";
import { linkHere, savePicture } from "../../browser/picture_saved.js";

const QUIET = 120; // milliseconds for which the slider must rest before a walk is drawn

/** @typedef {{ step: number, opening: string, packed: string }} KeptWalk */
/** @typedef {{ frame: string, walks: KeptWalk[] }} Kept */

/** @type {(id: string) => HTMLElement} */
const byId = (id) => part(document, `#${id}`);

// The text of the frame: what all walks share, with what is this one's own. No `$` in it means anything.
/** @type {(kept: Kept, i: number) => string} */
const walkAt = ({ frame, walks }, i) =>
  frame.replace("<opening>", () => walks[i].opening).replace("<packed>", () => walks[i].packed);

/** @type {(lang: string) => void} */
const speak = (lang) => {
  document.documentElement.lang = lang;
  for (const section of document.querySelectorAll("section")) section.hidden = section.lang !== lang;
  for (const button of document.querySelectorAll(".tongues button"))
    button.setAttribute("aria-pressed", String(/** @type {HTMLElement} */ (button).lang === lang));
};

// The curve of the section in which a button was pressed, under the names of the run and of the picture.
/** @type {(button: HTMLElement) => void} */
const saveCurve = (button) => {
  const section = /** @type {HTMLElement} */ (button.closest("section"));
  const figure = part(section, "figure");
  const title = `${part(document, "h1").textContent} · ${figure.dataset.name}`;
  const notes = [part(section, "p").textContent ?? ""];
  savePicture(figure, { title, lines: [], notes, link: linkHere() }, /** @type {PictureKind} */ (button.dataset.kind));
};

export default function openTraining() {
  /** @type {Kept} */
  const kept = JSON.parse(byId("walks").textContent ?? "");
  const slider = /** @type {HTMLInputElement} */ (byId("time"));
  const walk = /** @type {HTMLIFrameElement} */ (byId("walk"));
  let waiting = 0;
  const draw = () => {
    walk.srcdoc = walkAt(kept, Number(slider.value));
  };
  const name = () => {
    const { step } = kept.walks[Number(slider.value)];
    const label = part(document, "section:not([hidden])").dataset.step ?? "";
    byId("step").textContent = label.replace("{step}", step.toLocaleString(document.documentElement.lang));
    slider.setAttribute("aria-label", label.replace("{step}", "").trim());
    slider.setAttribute("aria-valuetext", byId("step").textContent ?? "");
  };
  slider.addEventListener("input", () => {
    name();
    clearTimeout(waiting);
    waiting = window.setTimeout(draw, QUIET);
  });
  const tongues = /** @type {NodeListOf<HTMLElement>} */ (document.querySelectorAll(".tongues button"));
  for (const button of tongues)
    button.addEventListener("click", () => {
      const { lang } = button;
      speak(lang);
      history.replaceState(null, "", `#lang=${lang}`);
      name();
      walk.contentWindow?.postMessage({ lang }, "*");
    });
  const asked = new URLSearchParams(location.hash.slice(1)).get("lang") ?? "";
  if ([...tongues].some(({ lang }) => lang === asked)) {
    speak(asked);
    walk.name = `lang=${asked}`; // the address of what is in the frame, which takes it when it is put in
    walk.parentElement?.append(walk);
  }
  for (const button of /** @type {NodeListOf<HTMLElement>} */ (document.querySelectorAll(".saves button")))
    button.addEventListener("click", () => saveCurve(button));
  name();
  draw();
  document.body.dataset.ready = "true";
}
