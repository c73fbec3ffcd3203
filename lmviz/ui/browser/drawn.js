// A picture on a page of widgets. Python says what is in it; `draw` (root, data, send) writes it, `send` says what was clicked.

const mounted = new WeakMap();

const mount = (root) => {
  const state = { root };
  state.redraw = () => {
    if (!state.data) return;
    root.classList.toggle("dark", isDark(root));
    const kept = [...root.querySelectorAll("[data-scroll]")].map((box) => [box.dataset.scroll, box.scrollTop, box.scrollLeft]);
    draw(root, state.data, (event) => state.trigger("event", event));
    for (const [name, top, left] of kept) {
      const box = root.querySelector(`[data-scroll="${name}"]`);
      if (box) Object.assign(box, { scrollTop: top, scrollLeft: left });
    }
    if (typeof settle === "function") settle(root, state.data);
  };
  state.themes = new MutationObserver(state.redraw);
  state.themes.observe(document.documentElement, { attributes: true, attributeFilter: ["style", "class", "data-theme"] });
  return state;
};

export default function ({ data, parentElement, setTriggerValue }) {
  const root = parentElement.querySelector(".lm");
  let state = mounted.get(root);
  if (!state) mounted.set(root, (state = mount(root)));
  Object.assign(state, { trigger: setTriggerValue, data });
  root.lang = data.lang;
  const now = JSON.stringify(data);
  if (now !== state.drawn) {
    state.drawn = now;
    state.redraw();
  }
  return () => {
    state.themes.disconnect();
    mounted.delete(root);
  };
}
