// What lies under the pointer: a cell, its row and column, and the panel that it is in, as boxes in the window.

// @ts-check

/** @typedef {{ left: number, top: number, width: number, height: number }} Box */
/** @typedef {{ cell: Box, row: Box, column: Box }} Cross */
/** @typedef {{ cross: Cross | null, panel: Box | null }} Under */

const SMALLEST = 0.03; // of the window, that a panel takes
const LARGEST = 0.7;

/** @type {(area: DOMRect | Box) => Box} */
const boxOf = ({ left, top, width, height }) => ({ left, top, width, height });

/**
 * The cell of a drawn tensor at a place in the window. Its row and its column reach over their labels.
 *
 * @type {(area: Box, grid: number[], x: number, y: number) => Cross | null} grid: left, top, width and height of a cell,
 *   rows, columns
 */
export const crossAt = (area, [left, top, w, h, rows, cols], x, y) => {
  const col = Math.floor((x - area.left - left) / w);
  const row = Math.floor((y - area.top - top) / h);
  if (!(row >= 0 && row < rows && col >= 0 && col < cols)) return null;
  const [across, down] = [area.left + left + col * w, area.top + top + row * h];
  return {
    cell: { left: across, top: down, width: w, height: h },
    row: { left: area.left, top: down, width: left + cols * w, height: h },
    column: { left: across, top: area.top, width: w, height: top + rows * h },
  };
};

// The innermost of the boxes around a place that is neither a mere word nor the whole page.
/** @type {(boxes: Box[], window: { width: number, height: number }) => Box | null} */
export const panelAmong = (boxes, { width, height }) => {
  const share = (/** @type {Box} */ box) => (box.width * box.height) / (width * height);
  return boxes.find((box) => share(box) >= SMALLEST && share(box) <= LARGEST) ?? null;
};

/** @type {(found: HTMLTableCellElement) => Cross} */
const crossOfTable = (found) => {
  const table = /** @type {HTMLElement} */ (found.closest("table"));
  const [cell, row, whole] = [found, found.closest("tr") ?? found, table].map((one) => one.getBoundingClientRect());
  return {
    cell: boxOf(cell),
    row: boxOf(row),
    column: { left: cell.left, top: whole.top, width: cell.width, height: whole.height },
  };
};

/** @type {(elements: Element[], x: number, y: number) => Cross | null} */
const crossIn = (elements, x, y) => {
  const [first] = elements;
  if (first instanceof HTMLCanvasElement && first.dataset.grid)
    return crossAt(first.getBoundingClientRect(), first.dataset.grid.split(" ").map(Number), x, y);
  const cell = elements.find((one) => one instanceof HTMLTableCellElement);
  return cell?.closest("table") ? crossOfTable(cell) : null;
};

/** @type {(path: EventTarget[], x: number, y: number) => Under} */
export const under = (path, x, y) => {
  const elements = path.filter((one) => one instanceof Element);
  const figure = elements.find((one) => one.matches("figure, .lm .side, .lm .source, [data-testid='stVegaLiteChart']"));
  const inside = figure ? elements.slice(elements.indexOf(figure)) : elements;
  const boxes = inside.map((one) => boxOf(one.getBoundingClientRect()));
  const panel = figure ? boxes[0] : panelAmong(boxes, { width: window.innerWidth, height: window.innerHeight });
  return { cross: crossIn(elements, x, y), panel };
};
