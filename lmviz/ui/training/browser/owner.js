// Who this browser is: a random number that it keeps for itself, in no link and in no cookie. One that keeps nothing
// is a new one with every visit.

// @ts-check

import { drawn } from "../../browser/drawn.js";

/** @import { Owner } from "./pictures.d.ts" */
/** @import { Send, Spoken } from "../../browser/client.d.ts" */

/** @type {(root: HTMLElement, data: Owner & Spoken, send: Send) => void} */
const draw = (root, data, send) => {
  try {
    const known = localStorage.getItem("lmviz.owner");
    if (!known) localStorage.setItem("lmviz.owner", data.fresh);
    else if (!data.known.includes(known)) send({ owner: known });
  } catch {
    // it may keep nothing, or we may not look
  }
};

export default drawn(draw);
