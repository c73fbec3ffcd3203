// Tensors side by side on a page of widgets. Python decides what is shown; this draws it, and says what was clicked.

const states = new WeakMap();
const PHONE = 560; // pixels

const start = (root) => {
  const state = { root, box: root.querySelector(".pictures"), tip: root.querySelector(".tip"), live: root.querySelector(".live") };
  state.send = (event) => state.trigger("event", event.type === "pin" ? { type: "cell", address: event.address, cell: event.cell } : event);
  state.draw = () => {
    if (!state.data) return;
    state.size = state.box.clientWidth;
    const { panels, height, together } = state.data;
    const groups = together && state.size < PHONE ? panels.map((panel) => [panel]) : [panels]; // of one shape: one below the other
    state.box.style.height = `${height * groups.length}px`; // so that the page never shrinks on the way
    state.numbers = groups.length > 1; // alone in its line, a tensor has room for them
    state.box.replaceChildren();
    for (const group of groups) {
      const box = h("div", { class: "tensors", style: `height:${height}px` });
      state.box.append(box);
      drawTensors(box, group, state);
    }
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
  const now = JSON.stringify(data);
  if (now !== state.drawn) { state.drawn = now; state.draw(); }
  return () => {
    state.observer.disconnect();
    state.themes.disconnect();
    states.delete(root);
  };
}
