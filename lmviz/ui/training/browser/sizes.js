// How many numbers a model is made of, part by part, and as many as it would be while one drags a slider of its sizes:
// Streamlit tells nobody of a slider before it is let go, but says its place where a screen reader looks for it.

const draw = (root, data) => {
  root.shown = data;
  root.watch ??= watched(root);
  write(root, data.parts);
};

const watched = (root) => {
  const follow = (changes) => {
    if (!root.isConnected) return root.watch.disconnect();
    for (const { target } of changes) {
      const slider = target.closest("[class*='st-key-recipe-model-']");
      const name = slider && /st-key-recipe-model-(\w+)/.exec(slider.className)[1];
      const parts = root.shown.options[name]?.[Number(target.value)];
      if (parts) write(root, parts);
    }
  };
  const watch = new MutationObserver(follow);
  watch.observe(document.body, { subtree: true, attributes: true, attributeFilter: ["aria-valuetext"] });
  return watch;
};

// Each part is so many tensors of one shape: [3, 16, 16] is three of 16 × 16.
const write = (root, parts) => {
  const { words: w, names, colours, lang } = root.shown;
  const counts = parts.map((part) => part.reduce((a, b) => a * b)), total = counts.reduce((a, b) => a + b);
  const count = (n) => n.toLocaleString(lang), shape = ([times, ...shape]) => (times > 1 ? `${count(times)} × ` : "") + shape.map(count).join(" × ");
  const open = root.querySelector("details")?.open ?? innerHeight > 900;
  root.replaceChildren(
    h("div", { class: "total" }, h("b", {}, count(total)), h("span", {}, w["training.sizes.parameters"])),
    h("div", { class: "share", "aria-hidden": "true" }, counts.map((n, i) => h("i", { style: `flex:${n};background:${colours[i]}`, title: `${names[i]}: ${count(n)}` }))),
    h("details", { open }, h("summary", {}, w["training.sizes.parts"]), h("table", {}, counts.map((n, i) => h("tr", {},
      h("th", { scope: "row" }, h("i", { style: `background:${colours[i]}` }), names[i]), h("td", {}, shape(parts[i])), h("td", {}, h("b", {}, count(n))))))),
  );
};
