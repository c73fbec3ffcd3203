// A part of the page as one SVG that stands by itself: its boxes, letters, drawings and tensors where they lie on screen,
// with every colour and font written out, under a title and above what is said about it.

// @ts-check

import { paintOf, shadingOf } from "./paint.js";

/** @typedef {{ left: number, top: number, right: number, bottom: number }} Extent */
/** @typedef {{ extent: Extent, defs: SVGElement, ids: number }} Sheet */

/**
 * @typedef {object} Told what stands around a picture
 * @property {string} title
 * @property {string[]} lines below the title
 * @property {string[]} notes below the picture: how it is read
 * @property {string} link
 */

const SVG_SPACE = "http://www.w3.org/2000/svg";
const LEFT_OUT =
  "select, input, textarea, summary, kbd, .tip, .live, .paging, .switch, .add, .change, [popover], dialog:not([open]), script, style";
const MARGIN = 24; // pixels around a picture
const [TITLE_STEP, LINE_STEP, NOTE_STEP] = [26, 19, 17]; // pixels from one line to the next
const SLACK = 0.9; // of a line is filled: the letters of whoever opens the file may be wider
const SIDES = /** @type {const} */ (["Top", "Right", "Bottom", "Left"]);

// What a drawing's look hangs on.
const PAINTS = ["fill", "stroke", "stop-color"];
const STYLES =
  "stroke-width stroke-dasharray stroke-linecap stroke-linejoin opacity font-family font-size font-weight font-style " +
  "text-anchor dominant-baseline paint-order image-rendering letter-spacing white-space visibility display";

/** @type {(tag: string, attributes?: Record<string, string | number>, ...children: (Node | string)[]) => SVGElement} */
export const node = (tag, attributes = {}, ...children) => {
  const element = document.createElementNS(SVG_SPACE, tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, String(value));
  element.append(...children);
  return element;
};

/** @type {(name: string, css: string) => Record<string, string | number>} */
const painted = (name, css) => {
  const paint = paintOf(css);
  if (!paint) return { [name]: css };
  return { [name]: paint.colour, ...(paint.alpha < 1 ? { [`${name}-opacity`]: paint.alpha.toFixed(3) } : {}) };
};

/** @type {(sheet: Sheet, box: { left: number, top: number, right: number, bottom: number }) => void} */
const widen = ({ extent }, { left, top, right, bottom }) => {
  if (right <= left || bottom <= top) return;
  extent.left = Math.min(extent.left, left);
  extent.top = Math.min(extent.top, top);
  extent.right = Math.max(extent.right, right);
  extent.bottom = Math.max(extent.bottom, bottom);
};

/** @type {(box: DOMRect) => Record<string, number>} */
const rectOf = ({ left, top, width, height }) => ({ x: left, y: top, width, height });

// Letters as wide as on screen, whichever font there is where the file is opened.
/** @type {(width: number) => { textLength: string, lengthAdjust: string }} */
const asWideAs = (width) => ({ textLength: width.toFixed(2), lengthAdjust: "spacingAndGlyphs" });

// -- drawings --------------------------------------------------------------------------------------------------------

// The look of a drawn element, as attributes.
/** @type {(from: Element, to: Element) => void} */
const dressed = (from, to) => {
  const style = getComputedStyle(from);
  for (const name of [...to.getAttributeNames()])
    if (/^(class|style|role|tabindex|aria-.*|data-.*)$/.test(name)) to.removeAttribute(name);
  for (const name of PAINTS)
    for (const [key, value] of Object.entries(painted(name, style.getPropertyValue(name))))
      to.setAttribute(key, String(value));
  for (const name of STYLES.split(" ")) to.setAttribute(name, style.getPropertyValue(name));
  if (from instanceof SVGTextContentElement && !from.children.length && from.textContent?.trim())
    for (const [name, value] of Object.entries(asWideAs(from.getComputedTextLength()))) to.setAttribute(name, value);
};

/** @type {(svg: SVGElement) => SVGElement} */
const copied = (svg) => {
  const copy = /** @type {SVGElement} */ (svg.cloneNode(true));
  const ours = [copy, ...copy.querySelectorAll("*")];
  const hidden = [svg, ...svg.querySelectorAll("*")].flatMap((from, i) => {
    dressed(from, ours[i]);
    return getComputedStyle(from).display === "none" ? [ours[i]] : [];
  });
  for (const one of hidden) one.remove();
  const box = svg.getBoundingClientRect();
  for (const [name, value] of Object.entries(rectOf(box))) copy.setAttribute(name, String(value));
  if (!copy.hasAttribute("viewBox")) copy.setAttribute("viewBox", `0 0 ${box.width} ${box.height}`);
  copy.setAttribute("overflow", getComputedStyle(svg).overflow === "visible" ? "visible" : "hidden");
  return copy;
};

// -- boxes and letters -----------------------------------------------------------------------------------------------

/** @type {(style: CSSStyleDeclaration, box: DOMRect, sheet: Sheet) => SVGElement[]} */
const backing = (style, box, sheet) => {
  const rx = parseFloat(style.borderTopLeftRadius) || 0;
  const paint = paintOf(style.backgroundColor);
  const found = [];
  if (paint && paint.alpha > 0)
    found.push(node("rect", { ...rectOf(box), rx, ...painted("fill", style.backgroundColor) }));
  const stops = shadingOf(style.backgroundImage);
  if (stops.length) {
    const id = `shading${(sheet.ids += 1)}`;
    const inside = stops.map(({ at, paint: { colour, alpha } }) =>
      node("stop", { offset: at, "stop-color": colour, "stop-opacity": alpha }),
    );
    sheet.defs.append(node("linearGradient", { id }, ...inside));
    found.push(node("rect", { ...rectOf(box), rx, fill: `url(#${id})` }));
  }
  return found;
};

/** @type {(style: CSSStyleDeclaration, box: DOMRect) => SVGElement[]} */
const borders = (style, box) => {
  const { left: x1, top: y1, right: x2, bottom: y2 } = box;
  const ends = { Top: [x1, y1, x2, y1], Right: [x2, y1, x2, y2], Bottom: [x1, y2, x2, y2], Left: [x1, y1, x1, y2] };
  const drawn = SIDES.filter(
    (side) => style[`border${side}Style`] !== "none" && parseFloat(style[`border${side}Width`]) > 0,
  ).filter((side) => (paintOf(style[`border${side}Color`])?.alpha ?? 0) > 0);
  /** @type {(side: typeof SIDES[number]) => Record<string, string | number>} */
  const line = (side) => ({
    ...painted("stroke", style[`border${side}Color`]),
    "stroke-width": parseFloat(style[`border${side}Width`]),
    ...(style[`border${side}Style`] === "dashed" ? { "stroke-dasharray": "4 3" } : {}),
  });
  if (drawn.length === 4 && parseFloat(style.borderTopLeftRadius) > 0)
    return [node("rect", { ...rectOf(box), rx: parseFloat(style.borderTopLeftRadius), fill: "none", ...line("Top") })];
  return drawn.map((side) => {
    const [a, b, c, d] = ends[side];
    return node("line", { x1: a, y1: b, x2: c, y2: d, ...line(side) });
  });
};

const measure = document.createElement("canvas").getContext("2d");

// Where letters stand within their line, as a share of its height.
/** @type {(style: CSSStyleDeclaration) => number} */
const baseline = (style) => {
  if (!measure) return 0.8;
  measure.font = `${style.fontStyle} ${style.fontWeight} ${style.fontSize} ${style.fontFamily}`;
  const { fontBoundingBoxAscent: up, fontBoundingBoxDescent: down } = measure.measureText("x");
  return up / (up + down);
};

// The lines of a text as it is broken on screen, each with its box.
/** @type {(text: Text) => { text: string, box: Extent }[]} */
const linesOf = (text) => {
  const range = document.createRange();
  /** @type {{ text: string, box: Extent }[]} */
  const lines = [];
  let at = 0;
  for (const letter of text.data) {
    range.setStart(text, at);
    range.setEnd(text, (at += letter.length));
    const box = range.getBoundingClientRect();
    if (!box.width) continue;
    const last = lines.at(-1);
    const written = /\s/.test(letter) ? "\u00a0" : letter;
    if (last && Math.abs(last.box.top - box.top) < 2) {
      last.text += written;
      last.box.right = box.right;
    } else lines.push({ text: written, box: { left: box.left, top: box.top, right: box.right, bottom: box.bottom } });
  }
  return lines.map((line) => ({ ...line, text: line.text.replace(/\u00a0+$/, "") })).filter((line) => line.text);
};

/** @type {(text: Text, sheet: Sheet) => SVGElement[]} */
const letters = (text, sheet) => {
  const style = getComputedStyle(/** @type {Element} */ (text.parentElement));
  const share = baseline(style);
  return linesOf(text).map(({ text: written, box }) => {
    widen(sheet, box);
    const look = {
      "font-family": style.fontFamily,
      "font-size": style.fontSize,
      "font-weight": style.fontWeight,
      "font-style": style.fontStyle,
    };
    const width = asWideAs(box.right - box.left);
    const y = box.top + share * (box.bottom - box.top);
    return node("text", { x: box.left, y, ...look, ...width, ...painted("fill", style.color) }, written);
  });
};

// -- all together ----------------------------------------------------------------------------------------------------

/** @type {(element: Element, sheet: Sheet) => SVGElement[]} */
const pictured = (element, sheet) => {
  const style = getComputedStyle(element);
  const box = element.getBoundingClientRect();
  if (element.matches(LEFT_OUT) || style.display === "none" || style.visibility !== "visible") return [];
  if (style.clipPath !== "none" || Number(style.opacity) === 0) return []; // said to who does not see
  if (element instanceof SVGElement) {
    widen(sheet, box);
    return [copied(element)];
  }
  if (element instanceof HTMLCanvasElement) {
    widen(sheet, box);
    const look = { preserveAspectRatio: "none", "image-rendering": style.imageRendering };
    return box.width ? [node("image", { ...rectOf(box), ...look, href: element.toDataURL() })] : [];
  }
  const own = [...backing(style, box, sheet), ...borders(style, box)];
  if (own.length) widen(sheet, box);
  const isCut = style.overflowX === "hidden" || style.overflowX === "clip";
  const before = { ...sheet.extent };
  const inside = [...(element.shadowRoot ?? element).childNodes].flatMap((child) => {
    if (child instanceof Text) return letters(child, sheet);
    return child instanceof Element ? pictured(child, sheet) : [];
  });
  const found = [...own, ...inside];
  if (!found.length || (!isCut && style.opacity === "1")) return found;
  const group = node("g", style.opacity === "1" ? {} : { opacity: style.opacity }, ...found);
  if (isCut && box.width && inside.length) {
    const id = `cut${(sheet.ids += 1)}`;
    sheet.defs.append(node("clipPath", { id }, node("rect", rectOf(box))));
    group.setAttribute("clip-path", `url(#${id})`);
    Object.assign(sheet.extent, before); // what is cut off takes no room
    widen(sheet, box);
  }
  return [group];
};

// A text in lines of a width, in pixels; a word that is wider goes on below.
/** @type {(text: string, width: number, font: string) => string[]} */
const brokenLines = (text, width, font) => {
  if (measure) measure.font = font;
  const fits = (/** @type {string} */ line) => !measure || measure.measureText(line).width <= SLACK * width;
  /** @type {string[]} */
  const lines = [];
  for (const word of text.split(/\s+/).filter(Boolean)) {
    const longer = [lines.at(-1), word].join(" ");
    if (lines.length && fits(longer)) {
      lines[lines.length - 1] = longer;
      continue;
    }
    lines.push("");
    for (const letter of word) {
      if (lines[lines.length - 1] && !fits(lines[lines.length - 1] + letter)) lines.push("");
      lines[lines.length - 1] += letter;
    }
  }
  return lines;
};

/** @type {(lines: string[], from: number, step: number, look: Record<string, string | number>) => SVGElement[]} */
const textLines = (lines, from, step, look) =>
  lines.map((line, i) => node("text", { x: MARGIN, y: from + (i + 0.75) * step, ...look }, line));

/**
 * An element of the page as an SVG.
 *
 * @type {(element: Element, told: Told) => { svg: SVGElement, width: number, height: number } | null} null: nothing is drawn there
 */
export const svgOf = (element, { title, lines, notes, link }) => {
  const extent = { left: Infinity, top: Infinity, right: -Infinity, bottom: -Infinity };
  const sheet = { extent, defs: node("defs"), ids: 0 };
  const inside = pictured(element, sheet);
  const [wide, high] = [extent.right - extent.left, extent.bottom - extent.top];
  if (!(wide > 0 && high > 0)) return null;
  const root = getComputedStyle(element);
  const variable = (/** @type {string} */ name, /** @type {string} */ other) =>
    root.getPropertyValue(name).trim() || other;
  const width = Math.ceil(Math.max(wide, 420) + 2 * MARGIN);
  const family = variable("--st-font", "sans-serif");
  const [heads, subs, ends] = [
    brokenLines(title, width - 2 * MARGIN, `650 19px ${family}`),
    [...lines, link].filter(Boolean).flatMap((line) => brokenLines(line, width - 2 * MARGIN, `12.5px ${family}`)),
    notes.flatMap((line) => brokenLines(line, width - 2 * MARGIN, `12px ${family}`)),
  ];
  const top = MARGIN + heads.length * TITLE_STEP + subs.length * LINE_STEP + 12;
  const height = Math.ceil(top + high + (ends.length ? 12 + ends.length * NOTE_STEP : 0) + MARGIN);
  const ink = paintOf(root.color)?.colour ?? "#1c2430";
  const font = { "font-family": family, fill: ink };
  const svg = node(
    "svg",
    { xmlns: SVG_SPACE, width, height, viewBox: `0 0 ${width} ${height}`, role: "img" },
    node("title", {}, title),
    sheet.defs,
    node("rect", { width, height, fill: variable("--st-background-color", "#ffffff") }),
    ...textLines(heads, MARGIN, TITLE_STEP, { ...font, "font-size": 19, "font-weight": 650 }),
    ...textLines(subs, MARGIN + heads.length * TITLE_STEP, LINE_STEP, {
      ...font,
      "font-size": 12.5,
      "fill-opacity": 0.75,
    }),
    node(
      "g",
      { transform: `translate(${(MARGIN - extent.left).toFixed(2)} ${(top - extent.top).toFixed(2)})` },
      ...inside,
    ),
    ...textLines(ends, top + high + 12, NOTE_STEP, { ...font, "font-size": 12, "fill-opacity": 0.75 }),
  );
  return { svg, width, height };
};
