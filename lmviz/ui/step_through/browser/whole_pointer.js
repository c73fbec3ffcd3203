// What the pointer and the keys do in the full view of the whole model: they ask what something is, and go there.

// @ts-check

import { part, parts } from "../../browser/dom.js";
import { clamp } from "../../browser/numbers.js";
import { shapeAt } from "./svg.js";

/** @type {(full: HTMLElement, close: () => void) => void} */
export const listenIn = (full, close) => {
  const tip = part(full, ".tip");
  /** @type {(event: Event) => Element} */
  const under = (event) => /** @type {Element} */ (event.composedPath()[0]);
  full.addEventListener("pointermove", (event) => {
    const shape = full.contains(under(event)) ? shapeAt(under(event), "tip") : null;
    tip.hidden = !shape;
    light(full, /** @type {HTMLElement | null} */ (under(event).closest("[data-lane]"))?.dataset.lane ?? null);
    if (!shape?.tip) return;
    tip.textContent = shape.tip();
    const area = full.getBoundingClientRect();
    tip.style.left = `${clamp(event.clientX - area.left + 14, 4, Math.max(4, area.width - tip.offsetWidth - 8))}px`;
    tip.style.top = `${clamp(event.clientY - area.top + 16, 4, Math.max(4, area.height - tip.offsetHeight - 8))}px`;
  });
  full.addEventListener("pointerleave", () => {
    tip.hidden = true;
    light(full, null);
  });
  full.addEventListener("click", (event) => shapeAt(under(event), "act")?.act?.());
  full.addEventListener("keydown", (event) => {
    const door = /** @type {HTMLElement} */ (under(event)).closest(".door");
    if (door && (event.key === "Enter" || event.key === " ")) shapeAt(door, "act")?.act?.();
    else if (event.key === "Escape") close();
    else return;
    event.preventDefault();
    event.stopPropagation();
  });
  full.addEventListener("cancel", (event) => {
    event.preventDefault();
    close(); // Escape, where nothing in it has the focus: paper, say, has no buttons
  });
};

// The ribbons of a token that the pointer is on stand out.
/** @type {(full: HTMLElement, lane: string | null) => void} */
const light = (full, lane) => {
  if (full.dataset.lit === (lane ?? "")) return;
  full.dataset.lit = lane ?? "";
  for (const ribbon of parts(full, ".ribbon")) ribbon.classList.toggle("lit", ribbon.dataset.query === lane);
};
