// A component of Streamlit: its function is called with what Python sends, again and again, for one and the same element.

// @ts-check

/** @import { Given, Mounted } from "./client.d.ts" */

import { part } from "./dom.js";

/**
 * A component whose element is set up once, by `mount`, and taken down when it leaves the page.
 *
 * @template Data
 * @param {(root: HTMLElement) => Mounted<Data>} mount
 * @param {string} at the element's selector
 * @returns {(given: Given<Data>) => () => void}
 */
export const component = (mount, at = ".lm") => {
  /** @type {WeakMap<Element, Mounted<Data>>} */
  const mounted = new WeakMap();
  return ({ data: [data], parentElement, setTriggerValue }) => {
    const root = part(parentElement, at);
    const state = mounted.get(root) ?? mount(root);
    mounted.set(root, state);
    state.show(data, setTriggerValue);
    return () => {
      state.stop();
      mounted.delete(root);
    };
  };
};
