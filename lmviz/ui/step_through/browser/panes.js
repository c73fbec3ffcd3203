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
  if (lit) later(() => { box.scrollLeft = Math.max(0, lit.offsetLeft - box.clientWidth / 2); });
};

const drawTokens = (box, state) => box.replaceChildren(h("span", { class: "caption" }, state.words["tokens.focus"]),
  ...state.data.tokens.map((token, i) => h("button", {
    class: `token${token.unknown ? " unknown" : ""}`, "aria-pressed": String(token.here), title: `${i}: id ${token.id}`, onclick: () => state.send({ type: "focus", pos: i }),
  }, token.text)),
  state.data.compared ? h("button", { class: "compared-with", title: state.words["edit.compare_off"], onclick: () => state.send({ type: "compare_off" }) }, state.data.compared, " ×") : "",
  state.data.edits.length ? h("span", { class: "edits" }, h("b", {}, state.words["edit.edited"]), state.data.edits.map((edit, i) =>
    h("button", { title: `${edit.title} – ${state.words["edit.undo"]}`, onclick: () => state.send({ type: "undo", index: i }) }, edit.text, " ×")),
    h("button", { class: "all", onclick: () => state.send({ type: "reset" }) }, state.words["edit.reset"])) : "");

const drawSource = (box, state) => {
  const source = state.data.source;
  if (!source) return box.replaceChildren(h("p", { class: "empty" }, state.words["source.before"]));
  const stack = h("nav", { class: "stack", "aria-label": state.words["source.stack"] }, source.stack.map((call, i) =>
    h("span", {}, i ? " › " : "", h("button", { title: call.class, onclick: () => state.send({ type: "call", last: call.last }) }, i ? call.module.split(".").slice(call.module.startsWith(source.stack[i - 1].module + ".") ? source.stack[i - 1].module.split(".").length : 0).join(".") : call.module))));
  if (!source.lit) return box.replaceChildren(stack, h("p", { class: "empty" }, source.why || state.words["source.none"]));
  const indent = Math.min(...source.lines.filter((line) => line.text.trim()).map((line) => line.text.search(/\S/)));
  const code = h("div", { class: "code", style: `--indent:${indent}ch`, role: "region", "aria-label": `${source.file}: ${source.function}` }, source.lines.map((line, i) => codeLine(line, source.first + i, source, state)));
  box.replaceChildren(stack, h("div", { class: "file" }, `${source.file} · ${source.function}`), code);
  const lit = code.querySelector(".lit");
  if (lit) later(() => { code.scrollTop = Math.max(0, lit.offsetTop - code.clientHeight / 3); });
};

const codeLine = (line, number, source, state) => {
  const { lit } = source, stop = source.stops.includes(number);
  const [first, last] = lit.lines, [from, to] = lit.columns, on = number >= first && number <= last;
  const start = number === first ? from : 0, end = number === last ? to : line.text.length;
  const cuts = [0, line.text.length, ...line.marks.flatMap(([a, b]) => [a, b]), ...(on ? [start, end] : [])];
  const edges = [...new Set(cuts)].filter((cut) => cut >= 0 && cut <= line.text.length).sort((a, b) => a - b);
  const pieces = edges.slice(0, -1).map((a, i) => {
    const b = edges[i + 1], kind = line.marks.find(([c, d]) => a >= c && b <= d);
    const inside = on && a >= start && b <= end && line.text.slice(start, b).trim();
    return h(inside ? "mark" : "span", { class: kind ? kind[2] : null }, line.text.slice(a, b));
  });
  return h("div", { class: on ? "row lit" : "row", "aria-current": on ? "true" : null }, h("button", {
    class: stop ? "no stop-here" : "no", title: state.words["source.break"], "aria-pressed": String(stop), tabindex: "-1", onclick: () => state.send({ type: "stop", stop: `line ${source.file}:${number}` }),
  }, String(number)), h("code", {}, pieces));
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
    say.more ? h("details", { open: !!state.more, ontoggle: (event) => { state.more = event.target.open; } }, h("summary", {}, words["say.more"]), paragraphs(say.more)) : null,
  ].flat().filter(Boolean));
};

const drawInspector = (box, state) => {
  const found = state.data.inspector, { words } = state, { digits, lang } = state.data;
  state.boxes.words.classList.toggle("brief", !!found);
  if (!found) return box.replaceChildren(...((state.data.picture.panels || []).length ? [h("p", { class: "empty" }, words["inspect.empty"]), cellInputs(null, state)] : []));
  box.replaceChildren(...[
    found.trail.length ? h("nav", { class: "trail", "aria-label": words["inspect.trail"] }, found.trail.length > 4 ? "… ← " : "", found.trail.slice(-4).map((one, i, shown) =>
      [h("button", { onclick: () => state.send({ type: "trail", index: found.trail.length - shown.length + i }) }, `${one.name}[${one.cell.join(",")}]`), " ← "])) : null,
    cellInputs(found, state),
    found.edited || !found.lines.length ? null : h("p", { class: "sum" }, "= ", arithmetic(found.lines[0].pieces, state)),
    h("p", { class: "sum total" }, found.edited || !found.lines.length ? "= " : `${found.lines[0].sign} `, h("b", { class: "value" }, found.edited || !found.lines.length ? written(found.value, found.whole ? 0 : digits, lang) : found.lines[0].value),
      found.edited ? h("span", { class: "fails" }, words["edit.by_hand"]) : found.agrees === undefined ? null : h("span", { class: found.agrees ? "holds" : "fails" }, found.agrees ? `✓ ${words["inspect.agrees"]}` : `✗ ${words["inspect.differs"]} ${written(found.recomputed, 6, lang)}`)),
    found.by_torch && found.lines.length && !found.edited ? h("p", { class: "hint" }, words["inspect.by_torch"]) : null,
    found.edited ? null : found.lines.slice(1).map((line) => h("p", { class: "sum inner" }, line.value, ` ${line.sign} `, arithmetic(line.pieces, state))),
    !found.change || Number(found.other) === Number(found.value) && !state.data.compared ? null : h("p", { class: "other-value" },
      `${state.data.compared ? "B" : words["bars.before"]} ${found.change.other}, ${state.data.compared ? "A − B =" : `${words["edit.change"]}:`} ${found.change.line}`),
    changeForm(found, state),
    found.lines.length || found.edited ? null : h("p", { class: "end" }, words[`inspect.end.${found.role}`] || words["inspect.end.activation"]),
  ].flat().filter(Boolean));
};

// "Put another number here", and "watch this one".
const changeForm = (found, state) => {
  const { words } = state, input = h("input", { type: "text", inputmode: "decimal", "aria-label": words["edit.value"], placeholder: written(found.value, state.data.digits, state.data.lang) });
  const wrong = h("small", { role: "alert" });
  const apply = () => {
    const value = Number(input.value.replace(",", ".").replace("−", "-"));
    if (input.value.trim() && Number.isFinite(value)) state.send({ type: "edit", address: found.address, cell: found.cell, value });
    else {
      input.setAttribute("aria-invalid", "true");
      wrong.textContent = words["edit.invalid"];
    }
  };
  const watching = state.data.watch.some((one) => one.address === found.address && one.cell.join() === found.cell.join());
  return h("form", { class: "change", onsubmit: (event) => { event.preventDefault(); apply(); } },
    found.gradient || found.role === "input" ? null : [h("label", {}, words["edit.instead"], " ", input), h("button", { type: "submit" }, words["edit.run"])],
    h("button", { type: "button", "aria-pressed": String(watching), onclick: () => state.send({ type: "watch", address: found.address, cell: found.cell }) }, words[watching ? "watch.stop" : "watch.start"]), wrong);
};

const drawWatch = (box, state) => box.replaceChildren(...(state.data.watch.length ? [h("b", {}, state.words["watch.title"])] : []), ...state.data.watch.map((one) =>
  h("button", { onclick: () => state.send({ type: "walk", address: one.address, cell: one.cell }), title: one.address },
    `${one.address.split(".").pop()}[${one.cell.join(",")}] = ${one.value === null ? "–" : written(one.value, state.data.digits, state.data.lang)}`)));

// The pieces of a line; a negative number after a sign stands in brackets, as in −1.87 × (−0.29).
const arithmetic = (pieces, state, after = false) => pieces.map((piece, i) => {
  const before = i ? pieces[i - 1].text || "" : after ? "+" : "";
  if (piece.number !== undefined && Number(piece.number) < 0 && /[+−×÷/*-]\s*$/.test(before)) return h("span", { class: "held" }, "(", operandOf(piece, state), ")");
  return operandOf(piece, state);
});

const operandOf = (piece, state) => {
  if (piece.text !== undefined) return piece.text;
  if (piece.terms) return sumOf(piece, state);
  return piece.address ? h("button", {
    class: "num", title: `${piece.gradient ? "∂ " : ""}${piece.name}[${piece.cell.join(", ")}]`, onclick: () => state.send({ type: "walk", address: piece.address, cell: piece.cell, gradient: piece.gradient }),
  }, piece.shown) : h("span", { class: "plain" }, piece.shown);
};

// A sum with its largest terms in order, and a button for what the others come to.
const sumOf = (sum, state) => {
  const span = h("span", {});
  const fill = (all) => {
    const rest = sum.rest[all ? 1 : 0], shown = all ? [...sum.terms.keys()] : sum.short;
    const held = rest.shown.startsWith("−") ? `(${rest.shown})` : rest.shown;
    const more = rest.n ? [" + ", h("button", { class: "rest", disabled: all, onclick: () => fill(true) }, `${held} ${state.words["inspect.rest"].replace("{n}", rest.n)}`)] : [];
    span.replaceChildren(...shown.flatMap((index, i) => [i ? " + " : "", arithmetic(sum.terms[index].pieces, state, i > 0)]).flat(Infinity), ...more);
  };
  fill(false);
  return span;
};

// A cell by its indices, as numbers that can be typed: the way to a cell without a pointer.
const cellInputs = (found, state) => {
  const panels = state.data.picture.panels || [], target = found || panels.filter((panel) => panel.result).pop();
  if (!target) return h("div");
  const cell = found ? [...found.cell] : target.shape.map(() => 0);
  const change = (i) => (event) => {
    const value = clamp(Math.round(Number(event.target.value) || 0), 0, target.shape[i] - 1);
    state.send({ type: "pin", address: target.address, cell: cell.map((old, j) => (j === i ? value : old)) });
  };
  const axisName = (i) => (target.axes[i] && target.axes[i] !== "1" ? target.axes[i] : `${state.words["inspect.axis"]} ${i}`);
  const tokens = cell.map((index, i) => ["pos", "query", "key"].includes(target.axes[i]) && state.data.tokens[index] ? `‹${state.data.tokens[index].text}›` : null);
  return h("form", { class: "what", onsubmit: (event) => event.preventDefault() }, h("b", {}, found && found.gradient ? `∂loss/∂${target.name}` : target.name), "[",
    cell.map((index, i) => [i ? ", " : "", h("label", { title: axisName(i) }, tokens[i] ? h("small", {}, tokens[i]) : null,
      h("input", { type: "number", min: "0", max: String(target.shape[i] - 1), value: String(index), "aria-label": axisName(i), style: `width:${Math.max(1, String(target.shape[i] - 1).length) + 1.2}ch`, onchange: change(i) }))]), "]",
    found ? h("button", { class: "close", type: "button", "aria-label": state.words["inspect.close"], onclick: () => state.send({ type: "unpin" }) }, "×") : null);
};

const drawStrip = (box, state) => box.replaceChildren(...state.data.strip.map((check) =>
  h("span", { class: check.holds ? "holds" : "fails" }, h("b", { "aria-hidden": "true" }, check.holds ? "✓" : "✗"), ` ${check.label} `, h("small", {}, check.measured))));

const ICONS = {
  first: "M6 5v14M19 5 9 12l10 7z", back: "M17 5 6 12l11 7z", over: "M7 5l11 7-11 7z", last: "M18 5v14M5 5l10 7-10 7z",
  into: "M5 6h6a4 4 0 0 1 4 4v8M10.500 14 15 19l4.500-5", out: "M5 18h6a4 4 0 0 0 4-4V6M10.500 10 15 5l4.500 5",
  run: "M3.500 12a3 3 0 1 0 6 0a3 3 0 1 0-6 0M12 5l9 7-9 7z", play: "M5 5l6 7-6 7zM13 5l6 7-6 7z", pause: "M7 5v14M16 5v14",
};
const icon = (name) => h("span", { class: "icon", "aria-hidden": "true", html: `<svg viewBox="0 0 24 24" width="22" height="22" fill="${["into", "out"].includes(name) ? "none" : "currentColor"}" stroke="currentColor" stroke-width="2.200" stroke-linejoin="round" stroke-linecap="round"><path d="${ICONS[name]}"/></svg>` });

const drawBar = (box, state) => {
  const { bar } = state.data, { words } = state;
  const button = (name, key, label, disabled, act, more = {}) => h("button", {
    class: name === "over" ? "move primary" : "move", "data-move": name, disabled, title: key ? `${label} (${key})` : label, "aria-label": label, onclick: act, ...more,
  }, icon(more.icon || name), h("em", {}, label));
  const move = (name, key) => button(name, key, words[`bar.${name}`], !bar.moves[name], () => state.move(name));
  const grain = h("div", { class: "grain", role: "group", "aria-label": words["bar.grain"] }, ["stage", "line", "op"].map((name) =>
    h("button", { "aria-pressed": String(bar.grain === name), onclick: () => state.send({ type: "grain", grain: name }) }, words[`bar.grain.${name}`])));
  const playing = state.playing ? "pause" : "play";
  box.replaceChildren(...[
    move("first", "Home"), move("back", "←"), move("over", "→"), move("into", "↓"), move("out", "↑"), move("last", "End"),
    button("run", "", words["bar.run"], !bar.breakpoints, () => state.send({ type: "run" })),
    button("play", "␣", words[`bar.${playing}`], false, () => state.play(), { icon: playing, "aria-pressed": String(!!state.playing) }),
    h("div", { class: "grain kind", role: "group", "aria-label": words["bar.kind"] }, ["value", "gradient"].map((name) =>
      h("button", { "aria-pressed": String((name === "gradient") === bar.grad), disabled: name === "gradient" && !bar.can_grad && !bar.grad, title: name === "gradient" && !bar.can_grad ? words["bar.needs_target"] : "", onclick: () => state.send({ type: "grad", grad: name === "gradient" }) }, words[`bar.${name}`]))),
    state.data.present ? h("button", { class: "move", "data-move": "present", title: `${words["bar.present_off"]} (Esc)`, onclick: () => state.send({ type: "present" }) }, "✕ ", h("em", {}, words["bar.present_off"])) : null,
    grain, h("span", { class: "at", "aria-live": "polite" }, bar.stopped ? [h("b", { class: "halt" }, `${bar.stopped} `)] : null, bar.at)].filter(Boolean));
};
