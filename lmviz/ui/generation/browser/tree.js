// A beam search: a column for each step, the likeliest text on top; lines lead from a text to those that it became.

const WIDEST = 104, TALL = 46, BOX = 76, LOW = 38, TOP = 24, LEFT = 8;
const SIGNS = { kept: "", finished: "■", outscored: "✕", late_stop: "✕", beaten: "✕", dead: "†", displaced: "✕" };

const draw = (root, data, send) => {
  const steps = Math.max(...data.nodes.map((node) => node.step)), tallest = Math.max(...data.nodes.map((node) => node.rank)) + 1;
  const first = Math.max(BOX, 22 + 11 * [...data.prompt].length), shift = Math.min(first, 320) - BOX;
  const room = root.clientWidth - LEFT * 2 - shift - BOX, wide = Math.min(WIDEST, Math.max(BOX + 12, Math.floor(room / Math.max(1, steps)))); // all in sight, if lines stay to be seen
  const left = (node) => LEFT + (node.step ? shift + node.step * wide : 0), top = (node) => TOP + node.rank * TALL;
  const path = new Set(data.path), at = new Map(data.nodes.map((node) => [node.index, node]));
  const width = LEFT * 2 + shift + steps * wide + BOX, height = TOP + tallest * TALL + 4;
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  for (const [name, value] of Object.entries({ width, height, "aria-hidden": "true" })) svg.setAttribute(name, value);
  for (const node of data.nodes) {
    if (node.parent === null) continue;
    const parent = at.get(node.parent), x1 = left(parent) + (parent.step ? BOX : shift + BOX), y1 = top(parent) + LOW / 2, x2 = left(node), y2 = top(node) + LOW / 2, line = document.createElementNS("http://www.w3.org/2000/svg", "path");
    line.setAttribute("d", `M${x1},${y1} C${(x1 + x2) / 2},${y1} ${(x1 + x2) / 2},${y2} ${x2},${y2}`);
    line.setAttribute("class", `edge ${["kept", "finished", "dead"].includes(node.fate) ? "on" : "off"} ${path.has(node.index) ? "path" : ""}`);
    svg.append(line);
  }
  const boxes = data.nodes.map((node) => h("button", {
    class: `node ${node.fate} ${path.has(node.index) ? "path" : ""}`, style: `left:${left(node)}px;top:${top(node)}px;width:${node.step ? BOX : shift + BOX}px`, title: node.title,
    "aria-pressed": String(node.index === data.looked), "data-node": node.index, disabled: node.step === 0, onclick: () => send({ type: "node", node: node.index }),
  }, h("b", {}, node.step ? node.text : data.prompt), node.step ? h("small", {}, node.score) : null, SIGNS[node.fate] ? h("i", { "aria-hidden": "true" }, SIGNS[node.fate]) : null));
  const heads = Array.from({ length: steps }, (_, i) => h("span", { class: "head", style: `left:${LEFT + shift + (i + 1) * wide}px;width:${BOX}px` }, String(i + 1)));
  root.replaceChildren(h("div", { class: "tree", "data-scroll": "tree", style: `max-height:${data.height}px` }, h("div", { class: "canvas", style: `width:${width}px;height:${height}px` }, svg, heads, boxes)), legendOf(data));
};

const legendOf = (data) => h("p", { class: "key" }, ["kept", "finished", "outscored", "dead"].map((fate) => h("span", {}, h("i", { class: fate }, SIGNS[fate] || "▢"), data.words[`generation.tree.${fate}`])));

const settle = (root, data) => {
  const box = root.querySelector(".tree"), steps = Math.max(...data.nodes.map((node) => node.step));
  if (box.dataset.steps !== String(steps)) box.scrollLeft = box.scrollWidth;
  box.dataset.steps = steps;
};
