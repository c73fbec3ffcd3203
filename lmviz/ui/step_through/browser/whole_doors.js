// The doors of the whole model's picture: which one is here, and whose name gives way to its name.

// @ts-check

/** @import { Model } from "./whole_model.js" */

import { part, parts } from "../../browser/dom.js";

/**
 * The door of the present part can be reached with Tab, and says that one is there; it is returned.
 *
 * @type {(full: HTMLElement, model: Model, stage: number) => HTMLElement | undefined}
 */
export const markDoors = (full, model, stage) => {
  const doors = parts(full, ".door");
  const now = Math.max(...doors.map((door) => Number(door.dataset.stage)).filter((one) => one <= stage));
  const focused = /** @type {ShadowRoot} */ (full.getRootNode()).activeElement;
  for (const door of doors) {
    const isHere = Number(door.dataset.stage) === now;
    door.setAttribute("tabindex", isHere ? "0" : "-1");
    if (isHere && model.data.walked) door.setAttribute("aria-current", "step");
    else door.removeAttribute("aria-current");
    if (isHere && focused?.classList.contains("door") && focused !== door) door.focus({ preventScroll: true });
  }
  const lit = doors.find((door) => door.getAttribute("aria-current"));
  lit?.setAttribute("aria-description", model.data.words["whole.here"]);
  makeRoom(doors, lit);
  return lit;
};

// The name of the part where one is stands also where it had no room: its neighbours' names make it some.
/** @type {(doors: HTMLElement[], lit: HTMLElement | undefined) => void} */
const makeRoom = (doors, lit) => {
  for (const door of doors) door.classList.remove("beside");
  if (!lit) return;
  const boxes = doors.map((door) => part(door, ".part").getBoundingClientRect());
  const own = part(lit, ".part").getBoundingClientRect();
  doors.forEach((door, i) => {
    const { left, right, top, bottom } = boxes[i];
    const touches = left < own.right && right > own.left && top < own.bottom && bottom > own.top;
    door.classList.toggle("beside", door !== lit && touches);
  });
};
