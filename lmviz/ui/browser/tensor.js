// One tensor as a grid of cells on a canvas: real numbers where they fit, hatching for what a mask hides.

const CAPTION = 44; // pixels above the canvas, for the name, the scale and the shape
const MARGIN = 12; // pixels around it
const PAGING = 26; // pixels below it, where a tensor is larger than a window
const CAPTION_WIDTH = 138; // pixels that a caption takes at least
const MIN_NUMBER = 42; // cell width from which numbers fit
const LOW = 17; // cell height at which they are still read
const MOST = { w: 64, h: 38 }; // the largest cell, where the picture is not wider than 900 pixels

// Pixels above the grid, for the labels of the columns: words that are wider than their column stand upright.
const stands = (panel, w) => tokenAxis(panel.colAxis) && w * 1.1 < 9 * zoom * Math.min(7, Math.max(0, ...panel.colLabels.map((label) => [...label].length)));
const titleHeight = (panel, w) => (stands(panel, w) ? 9 + 9 * zoom * Math.min(7, Math.max(...panel.colLabels.map((label) => [...label].length))) : 20 * zoom);

// Pixels for the choice of a head, and for paging.
const belowHeight = (panel) => (panel.overview || panel.part_only ? PAGING : 0) + (panel.heads && panel.result ? 26 : 0);

let zoom = 1; // how much larger everything is drawn for a room

const labelWidth = (panel) => {
  const longest = Math.max(0, ...panel.rowLabels.map((label) => [...label].length));
  return panel.rowAxis ? clamp(longest * 9 * zoom + 12, 24, 92 * zoom) : 10;
};

// A part of a tensor, around one row of the window: for pictures with more tensors than there is room for.
const cropped = (raw, middle, nRows, nCols) => {
  const rows = raw.window[0], n = Math.min(rows, nRows);
  return cut(raw, clamp(middle - Math.floor(n / 2), 0, rows - n), 0, n, nCols);
};

// The rows and columns of a window from a first one on.
const cut = (raw, row, col, nRows, nCols) => {
  const [rows, cols] = raw.window, n = Math.min(rows - row, nRows), m = Math.min(cols - col, nCols);
  const kept = (values) => Float32Array.from({ length: n * m }, (_, i) => values[(row + Math.floor(i / m)) * cols + col + (i % m)]);
  return {
    ...raw, window: [n, m], start: [raw.start[0] + row, raw.start[1] + col], values: kept(raw.values), changedValues: raw.changedValues && kept(raw.changedValues),
    row_labels: raw.row_labels.slice(row, row + n), col_labels: raw.col_labels.slice(col, col + m), part_only: n < raw.size[0] || m < raw.size[1],
  };
};

// As many cells as their numbers have room for: the page of them that has the pinned cell in it, so that a click moves nothing.
const legible = (raw, width, height) => {
  const panel = prepare(raw), [rows, cols] = raw.window;
  const m = Math.min(cols, Math.max(1, Math.floor((width - labelWidth(panel) - 16) / MIN_NUMBER)));
  const n = Math.min(rows, Math.max(1, Math.floor((height - CAPTION - MARGIN - PAGING - titleHeight(panel, MIN_NUMBER)) / LOW)));
  if (n === rows && m === cols) return raw;
  const place = raw.pinned && !raw.by_hand ? panel.local(raw.pinned) : [0, 0];
  const inside = place[0] >= 0 && place[1] >= 0 && place[0] < rows && place[1] < cols ? place : [0, 0];
  return cut(raw, Math.floor(inside[0] / n) * n, Math.floor(inside[1] / m) * m, n, m);
};

// Too many tensors: inputs above, three rows of each around the focus token; results below, as much of them as fits.
const FEW = 3, NARROW = 9; // rows of an input, and pixels a cell, in a crowded picture
const squeezed = (raws, width, height) => {
  const lines = [raws.filter((raw) => !raw.result), raws.filter((raw) => raw.result)].filter((line) => line.length);
  const above = 20 + CAPTION + PAGING + 20, first = lines.length > 1 ? above + FEW * 14 : 0;
  const panels = lines.map((line, i) => line.map((raw) => {
    const down = i === 0 && lines.length > 1 ? FEW : Math.max(FEW, Math.floor((height - first - above - (raw.heads ? 26 : 0)) / NARROW));
    const across = Math.max(4, Math.floor((width / line.length - 74) / NARROW));
    const middle = raw.by_hand ? 0 : (raw.pinned ? raw.pinned[0] : raw.focus || 0) - raw.start[0];
    return prepare(raw.turned ? cropped(raw, middle, across, down) : cropped(raw, middle, down, across));
  }));
  return { lines: panels, ...sized(panels, width, panels.length > 1 ? [first, height - first] : [height], 1) };
};

// Turned panels swap rows and columns for the eye only; cells keep their address.
const prepare = (raw) => {
  const panel = { ...raw };
  const [rows, cols] = raw.window;
  panel.focusLocal = raw.focus === null ? null : raw.focus - raw.start[0];
  if (panel.focusLocal !== null && (panel.focusLocal < 0 || panel.focusLocal >= rows)) panel.focusLocal = null;
  panel.rows = raw.turned ? cols : rows;
  panel.cols = raw.turned ? rows : cols;
  panel.rowLabels = raw.turned ? raw.col_labels : raw.row_labels;
  panel.colLabels = raw.turned ? raw.row_labels : raw.col_labels;
  panel.rowAxis = raw.turned ? raw.col_axis : raw.row_axis;
  panel.colAxis = raw.turned ? raw.row_axis : raw.col_axis;
  panel.changed = (row, col) => raw.changedValues && raw.changedValues[raw.turned ? col * cols + row : row * cols + col];
  panel.at = (row, col) => panel.values[raw.turned ? col * cols + row : row * cols + col];
  panel.source = (row, col) => (raw.turned ? [col + raw.start[0], row + raw.start[1]] : [row + raw.start[0], col + raw.start[1]]);
  panel.local = ([row, col]) => {
    const place = [row - raw.start[0], col - raw.start[1]];
    return raw.turned ? [place[1], place[0]] : place;
  };
  panel.cell = (row, col) => [...raw.lead, ...panel.source(row, col)].slice(-raw.shape.length || Infinity);
  return panel;
};

// Cell sizes with which the panels fill the space they have: in one line, inputs above results, one by one, or in pairs.
const arrange = (panels, width, height) => {
  const results = panels.filter((panel) => panel.result), inputs = panels.filter((panel) => !panel.result);
  const ways = [[panels], ...(inputs.length && results.length ? [[inputs, results]] : []), ...(panels.length > 2 ? [panels.map((panel) => [panel])] : []), ...(panels.length > 3 ? [[panels.slice(0, 2), panels.slice(2)]] : [])];
  let best = null;
  for (const lines of ways) {
    for (const small of panels.length > 1 ? [1, 0.8, 0.6, 0.45, 0.32, 0.22] : [1]) { // how much smaller the cells of inputs are than those of results
      const found = sized(lines, width, shares(lines, width, height), small);
      if (!best || found.score > best.score * 1.04) best = { lines, ...found };
    }
  }
  return best;
};

// How the height is shared among lines: what stands around the cells first, the rest by their rows.
const shares = (lines, width, height) => {
  const around = lines.map((line) => Math.max(...line.map((panel) => CAPTION + MARGIN + belowHeight(panel) + titleHeight(panel, width / line.length / panel.cols))));
  const rows = lines.map((line) => Math.max(...line.map((panel) => Math.min(panel.rows, 24) * (panel.result ? 26 : panel.turned ? 9 : 13))));
  const [taken, all] = [around, rows].map((parts) => parts.reduce((sum, one) => sum + one, 0));
  return lines.map((_, i) => around[i] + (Math.max(0, height - taken) * rows[i]) / all);
};

const sized = (lines, width, heights, small) => {
  const sizes = new Map(), grown = clamp(width / 900, 1, 1.5) * zoom;
  let score = 0, fits = 1, crowded = false;
  lines.forEach((line, i) => {
    const scaled = (panel) => (panel.result ? 1 : small);
    const fixed = line.reduce((sum, panel) => sum + labelWidth(panel) + 16 + (panel.sign ? 28 : 0), 0);
    let unit = (width - fixed) / line.reduce((sum, panel) => sum + panel.cols * scaled(panel), 0);
    const lost = line.reduce((sum, panel) => sum + Math.max(0, CAPTION_WIDTH * zoom - labelWidth(panel) - panel.cols * unit * scaled(panel)), 0);
    unit *= Math.max(0.2, (width - fixed - lost) / (width - fixed)); // a caption is wider than a narrow picture
    for (const panel of line) {
      const w = Math.min(unit * scaled(panel), MOST.w * grown);
      const room = (heights[i] - titleHeight(panel, w) - CAPTION - MARGIN - belowHeight(panel)) / panel.rows, tall = Math.min(room, w >= MIN_NUMBER ? MOST.h * grown : Math.max(w * 1.25, 15));
      sizes.set(panel, { w: Math.max(3, w), h: Math.max(4, tall) });
      const legible = w >= MIN_NUMBER && tall >= 15 ? 3 : Math.min(w, 24) / 24;
      score += (panel.result ? 2 : 1) * legible * Math.min(tall, 24);
      if (w < 3 || tall < 4) { fits *= 0.02; crowded = true; } else if (tall < (tokenAxis(panel.rowAxis) ? 12 : 7)) fits *= 0.6; // the labels of its rows would not all be there
      if (panel.cols * w + labelWidth(panel) < 96 && line.length > 1) fits *= 0.9; // too narrow for its own caption
    }
  });
  return { sizes, score: score * fits, crowded };
};

const drawTensor = (canvas, panel, size, look) => {
  const left = labelWidth(panel), ratio = window.devicePixelRatio || 1;
  const width = Math.ceil(left + panel.cols * size.w + 6), top = titleHeight(panel, size.w), height = Math.ceil(top + panel.rows * size.h + 6);
  canvas.width = width * ratio;
  canvas.height = height * ratio;
  canvas.style.width = `${width}px`;
  canvas.style.height = `${height}px`;
  const g = canvas.getContext("2d");
  g.scale(ratio, ratio);
  g.textBaseline = "middle";
  const place = { left, top, ...size };
  drawTitles(g, panel, place, look);
  for (let row = 0; row < panel.rows; row++)
    for (let col = 0; col < panel.cols; col++) drawCell(g, panel, row, col, place, look);
  drawMarks(g, panel, place, look);
  return place;
};

const drawTitles = (g, panel, { left, top, w, h: tall }, look) => {
  g.textAlign = "center";
  const every = Math.max(1, Math.ceil(((!tokenAxis(panel.colAxis) ? 26 : panel.colLabels.every((label) => [...label].length === 1) ? 11 : 16) * zoom) / w));
  g.font = `${(tokenAxis(panel.colAxis) ? 15 : 12) * zoom}px ${look.mono}`;
  const upright = stands(panel, w);
  for (let col = 0; col < panel.cols; col += every) {
    g.fillStyle = col === (panel.turned ? panel.focusLocal : -1) ? look.accent : look.scale.ink;
    if (!upright) g.fillText(short(panel.colLabels[col], Math.max(2, Math.floor((w * every) / (9 * zoom)))), left + (col + 0.5) * w, top - 9 * zoom);
    else standing(g, short(panel.colLabels[col], 7), left + (col + 0.5) * w, top - 5);
  }
  g.textAlign = "right";
  const skip = Math.max(1, Math.ceil((13 * zoom) / tall));
  g.font = `${tokenAxis(panel.rowAxis) ? clamp(tall, 11, 15 * zoom) : 12 * zoom}px ${look.mono}`;
  for (let row = 0; row < panel.rows; row += skip) {
    if (!panel.rowAxis) break;
    g.fillStyle = row === panel.focusLocal && !panel.turned ? look.accent : look.scale.ink;
    g.fillText(short(panel.rowLabels[row], 9), left - 6, top + (row + 0.5) * tall);
  }
};

const standing = (g, label, x, y) => {
  g.save();
  g.translate(x, y);
  g.rotate(-Math.PI / 2);
  g.textAlign = "left";
  g.fillText(label, 0, 0);
  g.restore();
};

const tokenAxis = (axis) => ["pos", "query", "key", "d_vocab", "id"].includes(axis);
const short = (label, n) => ([...label].length > n ? [...label].slice(0, Math.max(1, n - 1)).join("") + "…" : label);

const drawCell = (g, panel, row, col, { left, top, w, h: tall }, look) => {
  const value = panel.at(row, col), x = left + col * w, y = top + row * tall, gap = w > 9 && tall > 9 ? 1 : 0;
  let ink = look.scale.ink;
  if (value === -Infinity) {
    g.fillStyle = look.hatch;
    g.fillRect(x, y, w - gap, tall - gap);
  } else if (Number.isNaN(value) || value === Infinity) { // what must not be is seen at any size
    g.fillStyle = "#c81e3a";
    g.fillRect(x, y, w - gap, tall - gap);
    ink = "#ffffff";
    if (w >= 9 && w < MIN_NUMBER) sign(g, Number.isNaN(value) ? "?" : "∞", x + w / 2, y + tall / 2, look);
  } else {
    const colour = colourOf(value, panel, look.scale);
    g.fillStyle = `rgb(${colour})`;
    g.fillRect(x, y, w - gap, tall - gap);
    ink = inkOn(colour);
  }
  if (panel.changed(row, col)) { // a corner: an edit has changed this cell
    g.fillStyle = look.accent;
    g.beginPath();
    g.moveTo(x, y); g.lineTo(x + Math.min(10, w / 2), y); g.lineTo(x, y + Math.min(10, tall / 2));
    g.fill();
  }
  if (w < MIN_NUMBER || tall < 14 || value === -Infinity) return;
  g.fillStyle = ink;
  g.textAlign = "center";
  g.font = `${clamp(Math.min(tall * 0.6, w / 3.4), 11, 26 * zoom)}px ${look.font}`;
  const text = panel.integers ? String(Math.round(value)).replace("-", "−") : written(value, look.digits, look.lang);
  g.fillText(text, x + (w - gap) / 2, y + tall / 2 + 0.5, w - 4);
};

const sign = (g, glyph, x, y, look) => {
  g.fillStyle = "#ffffff";
  g.textAlign = "center";
  g.font = `bold 11px ${look.font}`;
  g.fillText(glyph, x, y);
};

const drawMarks = (g, panel, { left, top, w, h: tall }, look) => {
  if (panel.focusLocal !== null && panel.focusLocal >= 0) {
    g.strokeStyle = look.accent;
    g.lineWidth = 2;
    if (panel.turned) g.strokeRect(left + panel.focusLocal * w - 1, top - 1, w + 1, panel.rows * tall + 1);
    else g.strokeRect(left - 1, top + panel.focusLocal * tall - 1, panel.cols * w + 1, tall + 1);
  }
  if (panel.pinned) {
    const [row, col] = panel.local(panel.pinned);
    g.strokeStyle = look.scale.ink;
    g.lineWidth = 3;
    if (row >= 0 && col >= 0 && row < panel.rows && col < panel.cols) g.strokeRect(left + col * w, top + row * tall, w - 1, tall - 1);
  }
};

const hatching = (scale) => {
  const tile = document.createElement("canvas");
  tile.width = tile.height = 8;
  const g = tile.getContext("2d");
  g.fillStyle = `rgb(${mix(scale.middle, [128, 136, 148], 0.22)})`;
  g.fillRect(0, 0, 8, 8);
  g.strokeStyle = scale.faint;
  g.lineWidth = 1;
  g.beginPath();
  for (const [x, y] of [[-2, 2], [0, 8], [6, 10]]) { g.moveTo(x, y); g.lineTo(x + 8, y - 8); }
  g.stroke();
  return g.createPattern(tile, "repeat");
};
