// The step-through in the browser. Python decides what is shown; this draws it, and says what was clicked or pressed.

const KEYS = {
  ArrowRight: "over", ArrowLeft: "back", ArrowDown: "into", ArrowUp: "out",
  PageDown: "next_stage", PageUp: "previous_stage", Home: "first", End: "last",
};
const PLAY_EVERY = 1400; // milliseconds
const states = new WeakMap();

const SECTIONS = {
  map: [drawMap, (data) => data.map], tokens: [drawTokens, (data) => [data.tokens, data.edits, data.compared]], source: [drawSource, (data) => data.source],
  picture: [drawPicture, (data) => [data.picture, data.digits, data.tokens]], words: [drawWords, (data) => data.say],
  watch: [drawWatch, (data) => [data.watch, data.digits]],
  inspect: [drawInspector, (data) => [data.inspector, data.compared, data.watch, data.digits, (data.picture.panels || []).map((panel) => [panel.address, panel.shape])]],
  strip: [drawStrip, (data) => data.strip], bar: [drawBar, (data) => data.bar],
};

const start = (root) => {
  const state = { root, open: new Set(), drawn: {}, queue: [], busy: false, playing: null };
  state.boxes = Object.fromEntries(Object.keys(SECTIONS).map((name) => [name, root.querySelector(`.${name}`)]));
  state.tip = root.querySelector(".tip");
  state.live = root.querySelector(".live");
  state.send = (event) => {
    if (state.busy) return state.queue.push(event);
    state.busy = true;
    state.slow = setTimeout(() => root.classList.add("waiting"), 400);
    state.waiting = setTimeout(() => { state.busy = false; }, 8000); // a lost answer must not freeze the page
    state.trigger("event", event);
  };
  state.move = (move) => {
    const last = state.queue[state.queue.length - 1];
    if (state.busy && last && last.move === move) last.times += 1;
    else {
      const ahead = !state.busy && state.data.ahead && state.data.ahead[move];
      state.send({ type: "move", move, times: 1 });
      if (ahead) show(state, { ...state.data, ...ahead, ahead: null, seq: state.data.seq + 1 }); // the answer will be the same
    }
  };
  state.play = () => {
    if (state.playing) clearInterval(state.playing);
    state.playing = state.playing ? null : setInterval(() => {
      if (!state.data.bar.moves.over || state.data.bar.stopped) return state.play();
      if (!state.busy) state.send({ type: "move", move: "over", times: 1, play: true });
    }, PLAY_EVERY);
    drawBar(state.boxes.bar, state);
  };
  state.key = (event) => {
    const target = event.composedPath()[0], tag = target.tagName;
    if (event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented || target.isContentEditable) return;
    const clicker = event.key === "PageDown" || event.key === "PageUp"; // no field needs them
    if (!clicker && (["INPUT", "TEXTAREA", "SELECT"].includes(tag) || (target.closest && target.closest("[role=listbox],[role=dialog],[role=radiogroup],[role=slider],[role=tablist]")))) return;
    if (event.key === " " && tag !== "BUTTON" && tag !== "SUMMARY") state.play();
    else if (event.key === "Escape" && state.data.present) state.send({ type: "present" });
    else if (KEYS[event.key]) {
      if (state.playing) state.play();
      state.move(KEYS[event.key]);
    } else return;
    event.preventDefault();
  };
  document.addEventListener("keydown", state.key);
  state.fit = () => {
    const top = root.getBoundingClientRect().top + (document.querySelector("section.stMain") || document.documentElement).scrollTop;
    root.style.setProperty("--lm-height", `${Math.max(520, window.innerHeight - top - 10)}px`);
  };
  state.observer = new ResizeObserver(() => {
    const { clientWidth: w, clientHeight: t } = state.boxes.picture, size = `${w}x${t}`;
    if (state.data && size !== state.size) { state.size = size; drawPicture(state.boxes.picture, state); }
  });
  state.observer.observe(state.boxes.picture);
  window.addEventListener("resize", state.fit);
  state.dress = () => root.classList.toggle("dark", isDark(root));
  state.themes = new MutationObserver(() => { state.dress(); if (state.data) drawPicture(state.boxes.picture, state); });
  state.themes.observe(document.documentElement, { attributes: true, attributeFilter: ["style", "class", "data-theme"] });
  return state;
};

// What tells a control from the others of its pane, so that the keyboard's focus outlives a redraw.
const nameOf = (element) => element.dataset.move || element.dataset.stage || element.getAttribute("aria-label") || element.textContent;

const show = (state, data) => {
  const first = !state.data, { root } = state;
  const row = !first && state.data.run !== data.run && document.activeElement && document.activeElement.closest(".st-key-top");
  if (row) document.activeElement.blur(); // the choice is made: the arrow keys walk again
  state.data = data;
  state.words = data.words || state.words;
  root.classList.toggle("present", data.present);
  if (root.lang !== data.lang) root.lang = data.lang;
  if (first) state.dress();
  if (first) state.fit();
  for (const [name, [draw, part]] of Object.entries(SECTIONS)) {
    const now = JSON.stringify([part(data), data.lang, root.className]);
    if (state.drawn[name] === now) continue;
    state.drawn[name] = now;
    state.boxes[name].setAttribute("aria-label", state.words[`pane.${name}`] || "");
    const focused = root.getRootNode().activeElement, held = focused && state.boxes[name].contains(focused) && nameOf(focused);
    draw(state.boxes[name], state);
    const again = held && [...state.boxes[name].querySelectorAll(focused.tagName)].find((one) => nameOf(one) === held);
    if (again && !again.disabled) again.focus({ preventScroll: true });
  }
  const pinned = data.inspector && `${data.inspector.address}[${data.inspector.cell}]`;
  if (!first && pinned && pinned !== state.pinned && window.innerWidth <= 820) later(() => state.boxes.inspect.scrollIntoView({ block: "nearest" }));
  state.pinned = pinned;
  root.dataset.step = `${data.bar.grain}:${data.bar.index}`;
  root.dataset.seq = data.seq;
};

export default function (component) {
  const { data, parentElement, setTriggerValue } = component;
  const root = parentElement.querySelector(".lm");
  let state = states.get(root);
  if (!state) states.set(root, (state = start(root)));
  state.trigger = setTriggerValue;
  clearTimeout(state.waiting);
  clearTimeout(state.slow);
  root.classList.remove("waiting");
  state.busy = false;
  show(state, data);
  root.dataset.answered = data.seq;
  if (state.queue.length) state.send(state.queue.shift());
  return () => {
    document.removeEventListener("keydown", state.key);
    window.removeEventListener("resize", state.fit);
    state.observer.disconnect();
    state.themes.disconnect();
    if (state.playing) clearInterval(state.playing);
    states.delete(root);
  };
}
