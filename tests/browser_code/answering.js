// Answers events as the page does, for tests in Python: `node answering.js PAGE.html EVENTS.json` writes a scene for each.

import { readFileSync } from "node:fs";
import { answered } from "../../lmviz/ui/offline/browser/answers.js";
import { sceneOf } from "../../lmviz/ui/offline/browser/drawn.js";
import { unpacked } from "../../lmviz/ui/offline/browser/unpack.js";
import { addressOf, viewAt } from "../../lmviz/ui/offline/browser/view.js";

const [, , file, events] = process.argv;
const packed = readFileSync(file, "utf8").match(/id="walk">([^<]*)</)?.[1] ?? "";
const page = await unpacked(packed);
let view = viewAt(page.walk, "");
const scenes = JSON.parse(readFileSync(events, "utf8")).map((/** @type {any} */ event) => {
  view = event.type === "view" ? { ...view, ...event.changes } : answered(page.walk, view, event);
  const address = addressOf(page.walk, view);
  const again = addressOf(page.walk, viewAt(page.walk, address));
  return { ...sceneOf(page, view, 0), words: {}, address, again };
});
process.stdout.write(JSON.stringify(scenes));
