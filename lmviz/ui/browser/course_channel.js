// Between a window in which the course is taken and one that shows its notes: both are the same visitor's, and neither
// needs the server to hear of the other.

// @ts-check

const NAME = "lmviz.course";

/** @typedef {{ at?: string, asks?: boolean }} Message the chapter and the task that one is at, "attention.2" */

/**
 * @param {(message: Message) => void} heard
 * @returns {{ tell: (message: Message) => void, stop: () => void }}
 */
export const courseChannel = (heard) => {
  const channel = new BroadcastChannel(NAME);
  channel.addEventListener("message", ({ data }) => heard(data));
  return { tell: (message) => channel.postMessage(message), stop: () => channel.close() };
};
