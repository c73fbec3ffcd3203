// The centre: what a place looks like. Tensors, or a table where a table says more.

const drawPicture = (box, state) => {
  const { data, words } = state, picture = data.picture;
  box.replaceChildren();
  if (picture.kind === "tokens") return drawTokenSheet(box, picture, state);
  if (picture.kind === "bars") return box.append(barTable(picture, state));
  if (picture.kind === "loss") return box.append(lossTable(picture, state));
  if (!picture.panels.length) return box.append(h("p", { class: "empty" }, words["picture.none"]));
  drawTensors(box, picture.panels, state);
};

// The text and its pieces, smaller where there is not enough room; compared, the other text's below.
const drawTokenSheet = (box, picture, { words }) => {
  const pieces = (rows) => h("ol", { class: "pieces" }, rows.map((row) => h("li", { class: row.unknown ? "unknown" : "" },
    h("b", {}, row.text), h("span", { class: "id" }, String(row.id)), h("small", {}, `${row.span[0]}–${row.span[1]}`))));
  const part = (one, mark) => [h("p", { class: "given" }, mark ? h("b", { class: "mark" }, `${mark} `) : null, one.text || "∅"), h("p", { class: "down", "aria-hidden": "true" }, "↓"), pieces(one.rows)];
  const sheet = h("div", { class: "sheet" }, ...part(picture, picture.other ? "A" : ""), ...(picture.other ? part(picture.other, "B") : []), h("p", { class: "note" }, words["picture.tokens"]));
  box.append(sheet);
  if ([...sheet.querySelectorAll(".pieces")].some((list) => list.scrollHeight > list.clientHeight + 1)) sheet.classList.add("dense");
  sheet.style.maxHeight = "100%";
};

const ROW = 30; // pixels that a row of a table takes

// The likeliest next tokens, as many as fit; bars run from 0 to 1, with a mark where the compared run's would end.
const barTable = (picture, state) => {
  const { data, words } = state, { digits, lang } = data;
  const fit = clamp(Math.floor((state.boxes.picture.clientHeight - 120) / ROW), 5, picture.rows.length);
  const rows = picture.rows.slice(0, fit), left = picture.rows.slice(fit), others = picture.others + left.length;
  const rest = left.reduce((sum, row) => sum + Number(row.p), Number(picture.rest)), compared = rows.some((row) => row.b !== null);
  const cellButton = (value, [address, cell]) => h("td", {}, h("button", { class: "num", onclick: () => state.send({ type: "pin", address, cell }) }, written(value, digits, lang)));
  const slider = h("input", { type: "range", min: "-1", max: "1", step: "0.050", value: String(Math.log10(picture.temperature)), "aria-label": words["bars.temperature"] });
  const shown = h("output", {}, written(picture.temperature, 2, lang));
  slider.addEventListener("input", () => { shown.textContent = written(10 ** Number(slider.value), 2, lang); });
  slider.addEventListener("change", () => state.send({ type: "temperature", temperature: Number((10 ** Number(slider.value)).toFixed(3)) }));
  const share = (value) => `${100 * clamp(Number(value) || 0, 0, 1)}%`, other = data.compared ? "B" : words["bars.before"];
  const bar = (row) => h("td", { class: "bar" }, h("div", { class: "track" }, h("i", { style: `width:${share(row.p)}` }), row.b === null ? null : h("u", { style: `left:${share(row.b)}` }),
    h("button", { class: "num", onclick: () => state.send({ type: "pin", address: row.cells[2][0], cell: row.cells[2][1] }) }, percent(row.p, lang)),
    row.b === null ? null : h("small", {}, `${other} ${percent(row.b, lang)}`)));
  const add = picture.last && Number.isFinite(Number(rows[0].p)) && h("button", { class: "add", onclick: () => state.send({ type: "append", id: rows[0].id }) }, words["bars.append"].replace("{token}", rows[0].text));
  return h("div", { class: "readout" }, h("div", { class: "controls" }, h("label", {}, words["bars.temperature"], " ", slider, shown), targetForm(picture, state)),
    h("table", { class: compared ? "bars compared" : "bars" },
    h("thead", {}, h("tr", {}, ["token", "id", "logit", "scaled", "probs"].map((name) => h("th", { scope: "col" }, words[`bars.${name}`])))),
    h("tbody", {}, rows.map((row, i) => h("tr", { class: i === 0 ? "best" : "" },
      h("th", { scope: "row" }, row.text, row.target ? h("span", { class: "target" }, words["bars.target"]) : null), h("td", { class: "id" }, String(row.id)),
      cellButton(row.logit, row.cells[0]), cellButton(row.scaled, row.cells[1]), bar(row))),
      others ? h("tr", { class: "others" }, h("th", { scope: "row" }, words["bars.others"].replace("{n}", others)), h("td"), h("td"), h("td"), h("td", { class: "bar" }, percent(rest, lang))) : null)), add);
};

// What really came next, so that there is a loss at the last position too.
const targetForm = (picture, state) => {
  const input = h("input", { type: "text", value: picture.target, maxlength: "60", placeholder: state.words["loss.target_example"] });
  const apply = () => input.value !== picture.target && state.send({ type: "target", target: input.value });
  return h("form", { onsubmit: (event) => { event.preventDefault(); apply(); } }, h("label", {}, state.words["loss.target"], " ", input));
};

const lossTable = (picture, state) => {
  const { data, words } = state, { digits, lang } = data;
  const most = Math.max(...picture.rows.flatMap((row) => (row.target === null ? [0] : [Number(row.nll) || 0, row.b ? Number(row.b.nll) || 0 : 0])), 1e-9);
  const mark = data.compared ? "B" : words["bars.before"];
  const other = (b, target) => (b ? h("small", {}, `${mark} ${b.target === target ? "" : `‹${b.input}› → ‹${b.target}› `}${written(b.nll, digits, lang)}`) : null);
  const number = (value, [address, cell]) => h("button", { class: "num", onclick: () => state.send({ type: "pin", address, cell }) }, written(value, digits, lang));
  return h("div", { class: "readout" }, h("div", { class: "controls" }, targetForm(picture, state)), h("table", { class: "bars loss" },
    h("thead", {}, h("tr", {}, ["input", "wanted", "p", "nll"].map((name) => h("th", { scope: "col" }, words[`loss.${name}`])))),
    h("tbody", {}, picture.rows.map((row) => h("tr", {}, h("th", { scope: "row" }, row.input), h("td", {}, row.target === null ? "–" : row.target),
      h("td", {}, row.target === null ? "" : percent(row.p, lang)),
      h("td", { class: "bar" }, row.target === null ? words["loss.uncounted"] : [h("i", { style: `width:${(100 * row.nll) / most}%` }), number(row.nll, row.cell), other(row.b, row.target)]))),
      h("tr", { class: "best" }, h("th", { scope: "row", colspan: "3" }, picture.n_texts > 1 ? words["loss.mean_of_batch"].replace("{n}", picture.n_texts) : words["loss.mean"]), h("td", { class: "bar" }, number(picture.mean, picture.cell), picture.b_mean === null ? null : h("small", {}, `${mark} ${written(picture.b_mean, digits, lang)}`))))));
};
