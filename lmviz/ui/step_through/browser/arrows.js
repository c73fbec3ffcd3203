// Arrows over a picture, from the middle of one cell to that of another.

// @ts-check

const SVG = "http://www.w3.org/2000/svg";
const HEAD = 9; // pixels

/** @type {(tag: string, attributes: Record<string, unknown>) => SVGElement} */
const made = (tag, attributes) => {
  const element = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, String(value));
  return element;
};

/** @type {(ends: number[][][], area: { width: number, height: number }) => SVGElement} */
export const svgArrow = (ends, { width, height }) => {
  const svg = made("svg", { width, height });
  for (const [[x, y], [toX, toY]] of ends) {
    const angle = Math.atan2(toY - y, toX - x);
    const [endX, endY] = [toX - HEAD * Math.cos(angle), toY - HEAD * Math.sin(angle)];
    const sides = [angle - 2.6, angle + 2.6].map((to) => `${endX + HEAD * Math.cos(to)},${endY + HEAD * Math.sin(to)}`);
    svg.append(
      made("line", { x1: x, y1: y, x2: endX, y2: endY }),
      made("polygon", { points: `${endX},${endY} ${sides.join(" ")}` }),
    );
  }
  return svg;
};
