// Tensors side by side on a page of widgets. Python decides what is shown; this draws it, and says what was clicked.

const states = new WeakMap();

const start = (root) => {
  const state = { root, box: root.querySelector(".tensors"), tip: root.querySelector(".tip"), live: root.querySelector(".live") };
  state.send = (event) => state.trigger("event", event.type === "pin" ? { type: "cell", address: event.address, cell: event.cell } : event);
  state.draw = () => {
    if (!state.data) return;
    state.size = state.box.clientWidth;
    state.box.replaceChildren();
    drawTensors(state.box, state.data.panels, state);
  };
  state.observer = new ResizeObserver(() => { if (state.box.clientWidth !== state.size) state.draw(); });
  state.observer.observe(state.box);
  state.themes = new MutationObserver(() => { root.classList.toggle("dark", isDark(root)); state.draw(); });
  state.themes.observe(document.documentElement, { attributes: true, attributeFilter: ["style", "class", "data-theme"] });
  return state;
};

export default function (component) {
  const { data, parentElement, setTriggerValue } = component;
  const root = parentElement.querySelector(".lm");
  let state = states.get(root);
  if (!state) states.set(root, (state = start(root)));
  Object.assign(state, { trigger: setTriggerValue, data: { ...data, tokens: [] }, words: data.words });
  root.classList.toggle("dark", isDark(root));
  root.lang = data.lang;
  state.box.style.height = `${data.height}px`;
  const now = JSON.stringify(data);
  if (now !== state.drawn) { state.drawn = now; state.draw(); }
  return () => {
    state.observer.disconnect();
    state.themes.disconnect();
    states.delete(root);
  };
}
