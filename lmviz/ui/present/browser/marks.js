// What one points with in front of a room: a spotlight, a cross-hair, and a pointer that everybody sees.

// @ts-check

/** @import { Box, Under } from "./under.js" */

import { h } from "../../browser/dom.js";
import { under } from "./under.js";

/** @typedef {"spotlight" | "crosshair" | "pointer"} Mark */
/** @typedef {"" | "panel" | "row" | "cell"} Light what the spotlight leaves bright; empty: it is off */
/** @typedef {{ toggle: (mark: Mark) => string, isOn: (mark: Mark) => boolean, end: () => boolean, stop: () => void }} Marks */

/** @type {Light[]} */
const LIGHTS = ["", "panel", "row", "cell"];
const TRAIL = 9; // dots behind the pointer
const AROUND = 4; // pixels that the light reaches beyond what it shows

/** @type {(element: HTMLElement, box: Box | null, around?: number) => void} */
const place = (element, box, around = 0) => {
  element.hidden = !box;
  if (!box) return;
  const { left, top, width, height } = box;
  element.style.translate = `${left - around}px ${top - around}px`;
  element.style.width = `${width + 2 * around}px`;
  element.style.height = `${height + 2 * around}px`;
};

// The box that a light leaves bright; where there is no cell, the panel.
/** @type {(light: Light, found: Under) => Box | null} */
const lit = (light, { cross, panel }) =>
  light === "panel" || !cross ? panel : light === "row" ? cross.row : cross.cell;

// What is said stays above all of them: a spotlight does not dim it.
/** @type {(root: HTMLElement, said: HTMLElement) => Marks} */
export const marksIn = (root, said) => {
  const spot = h("i", { class: "spot", hidden: true });
  const bands = [h("i", { class: "band", hidden: true }), h("i", { class: "band", hidden: true })];
  const dots = Array.from({ length: TRAIL }, () => h("i", { class: "trail" }));
  const ring = h("i", { class: "ring" });
  const shown = h("div", { class: "pointer", hidden: true }, dots, ring);
  const layer = h("div", { class: "marks", popover: "manual", "aria-hidden": "true" }, spot, bands, shown);
  root.append(layer);

  /** @type {Light} */
  let light = "";
  let [crosshair, pointer] = [false, false];
  let isHeld = false; // the light stays where it is
  /** @type {{ path: EventTarget[], x: number, y: number } | null} */
  let last = null;
  /** @type {[number, number][]} */
  const way = [];
  let frame = 0;

  const follow = () => {
    if (!last) return;
    const found = under(last.path, last.x, last.y);
    if (!isHeld) place(spot, light ? lit(light, found) : null, AROUND);
    place(bands[0], crosshair ? (found.cross?.row ?? null) : null);
    place(bands[1], crosshair ? (found.cross?.column ?? null) : null);
  };
  const trail = () => {
    frame = 0;
    if (!pointer || !last) return;
    shown.hidden = false;
    way.unshift([last.x, last.y]);
    way.length = Math.min(way.length, TRAIL + 1);
    ring.style.translate = `${last.x}px ${last.y}px`;
    dots.forEach((dot, i) => {
      const [x, y] = way[Math.min(i + 1, way.length - 1)];
      dot.style.translate = `${x}px ${y}px`;
      dot.style.opacity = String(0.5 * (1 - i / TRAIL));
    });
    if (way.some(([x, y]) => x !== way[0][0] || y !== way[0][1])) draw();
  };
  const draw = () => {
    frame ||= requestAnimationFrame(trail);
  };
  /** @type {Element | null} */
  let below = null; // the dialog that the marks lie above
  /** @type {(path: EventTarget[]) => void} */
  const raise = (path) => {
    const dialog = path.find((one) => one instanceof HTMLDialogElement) ?? null;
    const isWanted = !!light || crosshair || pointer;
    if (layer.matches(":popover-open") && (!isWanted || dialog !== below)) layer.hidePopover();
    if (isWanted && !layer.matches(":popover-open")) {
      layer.showPopover();
      if (said.matches(":popover-open")) {
        said.hidePopover();
        said.showPopover();
      }
    }
    below = dialog;
  };
  /** @type {(event: PointerEvent) => void} */
  const moved = (event) => {
    last = { path: event.composedPath(), x: event.clientX, y: event.clientY };
    if (!light && !crosshair && !pointer) return;
    raise(last.path);
    follow();
    if (pointer) draw();
  };
  const held = () => {
    if (!light) return;
    isHeld = !isHeld;
    follow();
  };
  const scrolled = () => {
    isHeld = false;
    follow();
  };
  document.addEventListener("pointermove", moved);
  document.addEventListener("click", held);
  document.addEventListener("scroll", scrolled, { capture: true, passive: true });

  const all = () => {
    isHeld = false;
    if (!light) spot.hidden = true;
    if (!crosshair) for (const band of bands) band.hidden = true;
    if (!pointer) {
      shown.hidden = true;
      way.length = 0;
    }
    raise(last?.path ?? []);
    follow();
    if (pointer) draw();
  };
  return {
    toggle: (mark) => {
      if (mark === "spotlight") light = LIGHTS[(LIGHTS.indexOf(light) + 1) % LIGHTS.length];
      if (mark === "crosshair") crosshair = !crosshair;
      if (mark === "pointer") pointer = !pointer;
      all();
      return mark === "spotlight" ? light : "";
    },
    isOn: (mark) => (mark === "spotlight" ? light !== "" : mark === "crosshair" ? crosshair : pointer),
    end: () => {
      const wasOn = light !== "" || crosshair || pointer;
      [light, crosshair, pointer] = ["", false, false];
      all();
      return wasOn;
    },
    stop: () => {
      document.removeEventListener("pointermove", moved);
      document.removeEventListener("click", held);
      document.removeEventListener("scroll", scrolled, { capture: true });
      cancelAnimationFrame(frame);
    },
  };
};
