// One tensor with its caption, scale and paging. Hover previews a cell, a click pins it.

const LARGEST = 64; // rows and columns of a window, as in pictures.py

const lookOf = (element, data) => {
  const style = getComputedStyle(element), scale = SCALES[isDark(element) ? "dark" : "light"];
  return {
    scale, digits: data.digits, lang: data.lang, hatch: hatching(scale), accent: style.getPropertyValue("--lm-focus").trim(),
    font: style.getPropertyValue("--lm-font"), mono: style.getPropertyValue("--lm-mono"),
  };
};

const tensorFigure = (panel, size, look, state) => {
  const canvas = h("canvas", { tabindex: "0", role: "img", "aria-label": `${panel.name}: ${shapeText(panel, true) || state.words["picture.number"]}` });
  const place = drawTensor(canvas, panel, size, look);
  attachPointer(canvas, panel, place, state);
  const width = parseFloat(canvas.style.width), wide = width > 300, roomy = width > 150 + 10 * panel.name.length;
  return h("figure", { class: "tensor", "data-address": panel.address, "data-part": panel.part },
    h("figcaption", { title: `${panel.address} · ${shapeText(panel, true)} · ${panel.dtype}`, style: `max-width:${Math.max(width, CAPTION_WIDTH * zoom)}px` },
      h("span", { class: "named" }, h("i", { class: "dot" }), h("b", {}, panel.grad ? `∂${panel.name}` : panel.name, panel.turned ? h("sup", {}, "T") : null), panel.mark ? h("span", { class: "mark" }, panel.mark) : null, roomy ? legend(panel, look) : null),
      h("span", { class: "shape" }, shapeText(panel, wide, width < 190))),
    panel.heads && panel.result && !["B", "A − B"].includes(panel.mark) ? headPicker(panel, state) : null,
    panel.note ? h("p", { class: "empty" }, panel.note) : null,
    panel.no_grad ? h("p", { class: "empty" }, state.words["picture.no_grad"]) : canvas,
    roomy || panel.no_grad ? null : legend(panel, look), panel.overview || panel.part_only ? overviewOf(panel, look, state) : null);
};

// "batch 1 × pos 4 ↓ × d_model 16 →": the arrows say which axis runs down and which runs right.
const shapeText = (panel, whole, narrow = false) => {
  const n = panel.shape.length, arrows = panel.turned ? ["→", "↓"] : ["↓", "→"];
  const parts = panel.shape.map((size, i) => {
    const axis = panel.axes[i] && panel.axes[i] !== "1" ? `${panel.axes[i]} ` : "", arrow = i >= n - 2 ? arrows[i - n + 2] : "";
    return { text: `${axis}${size}${arrow && n > 1 ? arrow : n === 1 ? "→" : ""}`, lead: i < n - 2 && (size === 1 || narrow) };
  });
  const shown = parts.filter((part) => whole || !part.lead);
  return (panel.turned ? [...shown.slice(0, -2), ...shown.slice(-2).reverse()] : shown).map((part) => part.text).join(" × ");
};

const headPicker = (panel, state) => {
  const now = panel.lead[panel.axes.indexOf("head")], off = panel.heads_off.includes(now), { words } = state;
  const go = (head, label, name) => h("button", { class: panel.heads_off.includes(head) ? "off" : null, "aria-label": name, "aria-pressed": name ? null : String(head === now), disabled: head < 0 || head >= panel.heads, onclick: () => state.send({ type: "head", head }) }, label);
  const few = panel.heads <= 4;
  return h("div", { class: "heads", role: "group", "aria-label": words["picture.head"] }, h("span", {}, words["picture.head"]),
    few ? Array.from({ length: panel.heads }, (_, i) => go(i, String(i))) : [go(now - 1, "‹", words["picture.left"]), go(now, `${now} / ${panel.heads}`), go(now + 1, "›", words["picture.right"])],
    h("button", { class: "switch", onclick: () => state.send({ type: "head_off", address: panel.address, head: now }) }, words[off ? "edit.head_on" : "edit.head_off"]));
};

const legend = (panel, look) => {
  if (panel.integers || !(panel.peak > 0)) return null; // ids are names, and nothing has no scale
  const stops = [-1, -0.5, 0, 0.5, 1].map((share) => `rgb(${colourOf(panel.scale === "share" ? (share + 1) / 2 : share * panel.peak, panel, look.scale)})`);
  const ends = panel.scale === "share" ? ["0", "1"] : [written(-panel.peak, look.digits, look.lang), written(panel.peak, look.digits, look.lang)];
  return h("span", { class: "legend", "aria-hidden": "true" }, h("span", {}, ends[0]), h("i", { style: `background:linear-gradient(90deg,${stops})` }), h("span", {}, ends[1]));
};

// A large tensor: where the window stands in the whole, and a click to move it.
const overviewOf = (panel, look, state) => {
  const sample = panel.overview || { window: panel.whole, cells: null };
  const [rows, cols] = sample.window, values = sample.cells ? decoded(sample.cells) : panel.all, canvas = h("canvas", { width: cols, height: rows });
  const g = canvas.getContext("2d"), image = g.createImageData(cols, rows);
  values.forEach((value, i) => image.data.set([...(Number.isFinite(value) ? colourOf(value, panel, look.scale) : [128, 136, 148]), 255], 4 * i));
  g.putImageData(image, 0, 0);
  const [allRows, allCols] = panel.size, percent = (part, whole) => `${(100 * part) / whole}%`;
  const move = (row, col) => state.send({ type: "window", address: panel.address, row: clamp(row, 0, allRows - 1), col: clamp(col, 0, allCols - 1) });
  const box = h("div", { class: "whole", title: state.words["picture.whole"], onclick: (event) => {
    const area = box.getBoundingClientRect();
    move(Math.floor(((event.clientY - area.top) / area.height) * allRows), Math.floor(((event.clientX - area.left) / area.width) * allCols));
  } }, canvas, h("i", { style: `top:${percent(panel.start[0], allRows)};left:${percent(panel.start[1], allCols)};height:${percent(panel.window[0], allRows)};width:${percent(panel.window[1], allCols)}` }));
  const page = (label, row, col, name) => h("button", { "aria-label": name, onclick: () => move(row, col) }, label);
  const [r, c] = panel.start, w = state.words, [stepRows, stepCols] = panel.window;
  return h("div", { class: "paging" }, box,
    c > 0 ? page("◀", r, c - stepCols, w["picture.left"]) : null, c + panel.window[1] < allCols ? page("▶", r, c + stepCols, w["picture.right"]) : null,
    r > 0 ? page("▲", r - stepRows, c, w["picture.up"]) : null, r + panel.window[0] < allRows ? page("▼", r + stepRows, c, w["picture.down"]) : null,
    h("span", {}, `${r}–${r + panel.window[0] - 1} / ${allRows} × ${c}–${c + panel.window[1] - 1} / ${allCols}`));
};

const attachPointer = (canvas, panel, place, state) => {
  const under = (event) => {
    const area = canvas.getBoundingClientRect();
    const col = Math.floor((event.clientX - area.left - place.left) / place.w), row = Math.floor((event.clientY - area.top - place.top) / place.h);
    return row >= 0 && col >= 0 && row < panel.rows && col < panel.cols ? [row, col] : null;
  };
  const tell = (cell) => {
    const value = panel.at(...cell);
    const text = `${panel.name}[${cellText(panel.cell(...cell), panel.axes, state)}] = ${value === -Infinity ? state.words["picture.masked"] : written(value, panel.integers ? 0 : 4, state.data.lang)}`;
    state.tip.textContent = text;
    return text;
  };
  canvas.addEventListener("mousemove", (event) => {
    const cell = under(event);
    state.tip.hidden = !cell;
    if (!cell) return;
    tell(cell);
    const area = state.root.getBoundingClientRect();
    state.tip.style.left = `${clamp(event.clientX - area.left + 14, 0, area.width - state.tip.offsetWidth - 4)}px`;
    state.tip.style.top = `${event.clientY - area.top + 16}px`;
  });
  canvas.addEventListener("mouseleave", () => { state.tip.hidden = true; });
  canvas.addEventListener("mousedown", (event) => event.preventDefault()); // the arrow keys stay with the walk
  canvas.addEventListener("click", (event) => {
    const cell = under(event);
    state.tip.hidden = true;
    if (cell) pin(panel, panel.cell(...cell), state);
  });
  let at = [0, 0];
  const mark = h("i", { class: "cursor", hidden: true });
  const show = () => Object.assign(mark.style, { left: `${canvas.offsetLeft + place.left + at[1] * place.w}px`, top: `${canvas.offsetTop + place.top + at[0] * place.h}px`, width: `${place.w}px`, height: `${place.h}px` });
  canvas.addEventListener("blur", () => { mark.hidden = true; });
  canvas.addEventListener("keydown", (event) => {
    const moves = { ArrowLeft: [0, -1], ArrowRight: [0, 1], ArrowUp: [-1, 0], ArrowDown: [1, 0] };
    if (moves[event.key]) {
      at = [clamp(at[0] + moves[event.key][0], 0, panel.rows - 1), clamp(at[1] + moves[event.key][1], 0, panel.cols - 1)];
      if (!mark.isConnected) canvas.after(mark);
      mark.hidden = false;
      show();
      state.live.textContent = tell(at);
      canvas.setAttribute("aria-label", state.live.textContent);
    } else if (event.key === "Enter") pin(panel, panel.cell(...at), state);
    else if (event.key === "Escape") canvas.blur();
    else return;
    event.preventDefault();
    event.stopPropagation();
  });
};

const pin = (panel, cell, state) => {
  const now = state.data.inspector;
  const same = now && now.address === panel.address && now.cell.join() === cell.join();
  state.send(same ? { type: "unpin" } : { type: "pin", address: panel.address, cell });
};

// A cell's index with tokens for positions: 0, ‹k›, ‹p›.
const cellText = (cell, axes, state) => cell.map((index, i) => {
  const token = ["pos", "query", "key"].includes(axes[i]) && state.data.tokens[index];
  return token ? `‹${token.text}›` : String(index);
}).join(", ");

// Whether a picture would be crowded if no window had moved: cells keep their size from one window to the next.
const isCrowded = (raws, width, height) => raws.some((raw) => raw.by_hand && !raw.part_only)
  && arrange(raws.map((raw) => prepare({ ...raw, window: raw.size.map((n) => Math.min(n, LARGEST)) })), width, height).crowded;

// Tensors in the space that a box has, with the signs between them.
const drawTensors = (box, panels, state) => {
  zoom = state.data.present ? 1.4 : window.innerWidth >= 1700 ? 1.2 : 1;
  const given = panels.map((raw) => ({ ...raw, values: decoded(raw.cells), changedValues: raw.changed ? decoded(raw.changed) : null, whole: raw.window, all: decoded(raw.cells) }));
  const width = box.clientWidth - 8, height = box.clientHeight - 8 * given.length;
  const raws = state.numbers ? given.map((raw) => legible(raw, width, height)) : given;
  let way = arrange(raws.map(prepare), width, height);
  if (way.crowded || isCrowded(raws, width, height)) way = squeezed(raws, width, height);
  const look = lookOf(box, state.data);
  for (const line of way.lines) {
    const row = h("div", { class: "line" });
    for (const panel of line) {
      if (panel.sign) row.append(h("span", { class: "sign", "aria-hidden": "true" }, panel.sign));
      row.append(tensorFigure(panel, way.sizes.get(panel), look, state));
    }
    box.append(row);
  }
};
