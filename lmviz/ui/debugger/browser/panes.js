// What stands around the picture: the map, the tokens, the source, the words, the inspector, the invariants, the bar.

const drawMap = (box, state) => {
  const groups = [];
  for (const stage of state.data.map) {
    const last = groups[groups.length - 1];
    if (last && last.block === stage.block) last.stages.push(stage);
    else groups.push({ block: stage.block, stages: [stage] });
  }
  const many = groups.filter((group) => group.block !== null).length > 1;
  box.replaceChildren(...groups.map((group) => {
    const here = group.stages.some((stage) => stage.here);
    const shut = many && group.block !== null && !here && !state.open.has(group.block);
    const toggle = () => { state.open.has(group.block) ? state.open.delete(group.block) : state.open.add(group.block); drawMap(box, state); };
    const name = group.block === null ? null : h("button", { class: "block", "aria-expanded": String(!shut), disabled: !many, onclick: toggle }, `${state.words["map.block"]} ${group.block}`);
    return h("div", { class: `group${group.block === null ? "" : " boxed"}${shut ? " shut" : ""}` }, name,
      shut ? null : h("div", { class: "stops" }, group.stages.map((stage) => h("button", {
        class: "stop", "aria-current": stage.here ? "step" : null, title: stage.shape, "data-stage": stage.index, onclick: () => state.send({ type: "stage", index: stage.index }),
      }, h("span", {}, stage.label), h("small", {}, stage.shape)))));
  }));
  const lit = box.querySelector("[aria-current]");
  if (lit) box.scrollLeft = Math.max(0, lit.offsetLeft - box.clientWidth / 2);
};

const drawTokens = (box, state) => box.replaceChildren(h("span", { class: "caption" }, state.words["tokens.focus"]),
  ...state.data.tokens.map((token, i) => h("button", {
    class: `token${token.unknown ? " unknown" : ""}`, "aria-pressed": String(token.here), title: `${i}: id ${token.id}`, onclick: () => state.send({ type: "focus", pos: i }),
  }, token.text)));

const drawSource = (box, state) => {
  const source = state.data.source;
  if (!source) return box.replaceChildren(h("p", { class: "empty" }, state.words["source.before"]));
  const stack = h("nav", { class: "stack", "aria-label": state.words["source.stack"] }, source.stack.map((call, i) =>
    h("span", {}, i ? " › " : "", h("button", { title: call.class, onclick: () => state.send({ type: "call", last: call.last }) }, i ? call.module.split(".").slice(call.module.startsWith(source.stack[i - 1].module + ".") ? source.stack[i - 1].module.split(".").length : 0).join(".") : call.module))));
  if (!source.lit) return box.replaceChildren(stack, h("p", { class: "empty" }, state.words["source.none"]));
  const code = h("div", { class: "code", role: "region", "aria-label": `${source.file}: ${source.function}` }, source.lines.map((line, i) => codeLine(line, source.first + i, source.lit)));
  box.replaceChildren(stack, h("div", { class: "file" }, `${source.file} · ${source.function}`), code);
  const lit = code.querySelector(".lit");
  if (lit) code.scrollTop = Math.max(0, lit.offsetTop - code.clientHeight / 3);
};

const codeLine = (line, number, lit) => {
  const [first, last] = lit.lines, [from, to] = lit.columns, on = number >= first && number <= last;
  const start = number === first ? from : 0, end = number === last ? to : line.text.length;
  const cuts = [0, line.text.length, ...line.marks.flatMap(([a, b]) => [a, b]), ...(on ? [start, end] : [])];
  const edges = [...new Set(cuts)].filter((cut) => cut >= 0 && cut <= line.text.length).sort((a, b) => a - b);
  const pieces = edges.slice(0, -1).map((a, i) => {
    const b = edges[i + 1], kind = line.marks.find(([c, d]) => a >= c && b <= d);
    const inside = on && a >= start && b <= end && line.text.slice(start, b).trim();
    return h(inside ? "mark" : "span", { class: kind ? kind[2] : null }, line.text.slice(a, b));
  });
  return h("div", { class: on ? "row lit" : "row", "aria-current": on ? "true" : null }, h("span", { class: "no" }, String(number)), h("code", {}, pieces));
};

const paragraphs = (text) => text.split(/\n{2,}/).filter(Boolean).map((part) => h(part.startsWith("#") ? "h4" : "p", {}, inline(part.replace(/^#+ */, ""))));
const inline = (text) => text.split(/(\*\*[^*]+\*\*|`[^`]+`)/).map((part) =>
  part.startsWith("**") ? h("b", {}, part.slice(2, -2)) : part.startsWith("`") ? h("code", {}, part.slice(1, -1)) : part);

const drawWords = (box, state) => {
  const { say } = state.data, { words } = state;
  box.replaceChildren(...[
    say.under ? h("p", { class: "under" }, say.under) : null, h("h2", {}, say.title),
    say.error ? h("p", { class: "failed", role: "alert" }, say.error) : null, say.opened ? h("p", { class: "opened" }, say.opened) : null,
    paragraphs(say.text), say.formula ? h("div", { class: "formula", html: say.formula }) : null,
    say.settings ? h("p", { class: "settings" }, say.settings) : null, say.hint ? h("p", { class: "hint" }, say.hint) : null,
    say.more ? h("details", {}, h("summary", {}, words["say.more"]), paragraphs(say.more)) : null,
  ].flat().filter(Boolean));
};

const drawInspector = (box, state) => {
  const found = state.data.inspector, { words } = state, { digits, lang } = state.data;
  if (!found) return box.replaceChildren(h("p", { class: "empty" }, words["inspect.empty"]), cellInputs(null, state));
  const operand = (piece) => h("button", {
    class: "num", title: `${piece.gradient ? "∂ " : ""}${piece.name}[${piece.cell.join(", ")}]`, onclick: () => state.send({ type: "walk", address: piece.address, cell: piece.cell }),
  }, written(piece.number, digits, lang));
  const arithmetic = found.pieces.map((piece) => {
    if (piece.text !== undefined) return piece.text;
    if (piece.rest !== undefined) return h("span", { class: "rest" }, `${words["inspect.rest"].replace("{n}", piece.count)} ${written(piece.rest, digits, lang)}`);
    return piece.address ? operand(piece) : h("span", { class: "plain" }, written(piece.number, Number.isInteger(piece.number) && Math.abs(piece.number) < 1e6 ? 0 : digits, lang));
  });
  const tokens = { data: state.data };
  box.replaceChildren(...[
    found.trail.length ? h("nav", { class: "trail", "aria-label": words["inspect.trail"] }, found.trail.map((one, i) => [h("button", { onclick: () => state.send({ type: "trail", index: i }) }, `${one.name}[${one.cell.join(", ")}]`), " ← "])) : null,
    h("p", { class: "what" }, found.gradient ? "∂loss / ∂ " : "", h("b", {}, found.name), `[${cellText(found.cell, found.axes, tokens)}]`,
      h("button", { class: "close", "aria-label": words["inspect.close"], onclick: () => state.send({ type: "unpin" }) }, "×")),
    h("p", { class: "sum" }, found.pieces.length ? ["= ", arithmetic] : null),
    h("p", { class: "sum total" }, "= ", h("b", { class: "value" }, written(found.value, Math.max(digits, 4), lang)),
      found.agrees === undefined ? null : h("span", { class: found.agrees ? "holds" : "fails" }, found.agrees ? `✓ ${words["inspect.agrees"]}` : `✗ ${words["inspect.differs"]} ${written(found.recomputed, 6, lang)}`)),
    found.pieces.length ? null : h("p", { class: "end" }, words[`inspect.end.${found.role}`] || words["inspect.end.activation"]),
    cellInputs(found, state),
  ].filter(Boolean));
};

// Row and column as numbers: the way to a cell without a pointer.
const cellInputs = (found, state) => {
  const panels = state.data.picture.panels || [], target = found || panels.find((panel) => panel.result);
  if (!target || !target.shape.length) return h("div");
  const cell = found ? [...found.cell] : target.shape.map(() => 0);
  const change = (i) => (event) => {
    const value = clamp(Math.round(Number(event.target.value) || 0), 0, target.shape[i] - 1);
    state.send({ type: "pin", address: target.address, cell: cell.map((old, j) => (j === i ? value : old)) });
  };
  return h("form", { class: "inputs", onsubmit: (event) => event.preventDefault() }, h("span", {}, `${target.name}[`), cell.map((index, i) =>
    h("label", {}, h("small", {}, target.axes[i] && target.axes[i] !== "1" ? target.axes[i] : `${state.words["inspect.axis"]} ${i}`),
      h("input", { type: "number", min: "0", max: String(target.shape[i] - 1), value: String(index), onchange: change(i) }))), h("span", {}, "]"));
};

const drawStrip = (box, state) => box.replaceChildren(...state.data.strip.map((check) =>
  h("span", { class: check.holds ? "holds" : "fails" }, h("b", { "aria-hidden": "true" }, check.holds ? "✓" : "✗"), ` ${check.label} `, h("small", {}, check.measured))));

const drawBar = (box, state) => {
  const { bar } = state.data, { words } = state;
  const move = (name, sign, key) => h("button", {
    class: name === "over" ? "move primary" : "move", "data-move": name, disabled: !bar.moves[name], title: `${words[`bar.${name}`]} (${key})`, "aria-label": words[`bar.${name}`], onclick: () => state.move(name),
  }, h("span", { "aria-hidden": "true" }, sign), h("em", {}, words[`bar.${name}`]));
  const grain = h("div", { class: "grain", role: "group", "aria-label": words["bar.grain"] }, ["stage", "line", "op"].map((name) =>
    h("button", { "aria-pressed": String(bar.grain === name), onclick: () => state.send({ type: "grain", grain: name }) }, words[`bar.grain.${name}`])));
  box.replaceChildren(
    move("first", "⏮", "Home"), move("back", "◀", "←"), move("over", "▶", "→"), move("into", "⤵", "↓"), move("out", "⤴", "↑"), move("last", "⏭", "End"),
    h("button", { class: "move", "data-move": "run", disabled: !bar.breakpoints, title: words["bar.run"], "aria-label": words["bar.run"], onclick: () => state.send({ type: "run" }) }, h("span", { "aria-hidden": "true" }, "●▶"), h("em", {}, words["bar.run"])),
    h("button", { class: "move", "data-move": "play", "aria-pressed": String(!!state.playing), title: `${words["bar.play"]} (␣)`, "aria-label": words[state.playing ? "bar.pause" : "bar.play"], onclick: () => state.play() }, h("span", { "aria-hidden": "true" }, state.playing ? "⏸" : "⏵"), h("em", {}, words[state.playing ? "bar.pause" : "bar.play"])),
    grain, h("span", { class: "at", "aria-live": "polite" }, bar.at));
};
