// A picture of the page as a file to keep: SVG or PNG.

// @ts-check

/** @import { Told } from "./picture_of.js" */

import { h } from "./dom.js";
import { svgOf } from "./picture_of.js";

export const PICTURE_KINDS = /** @type {const} */ (["svg", "png"]);
const DENSITY = 200 / 96; // dots of a PNG for each pixel of the page: 200 an inch
const LARGEST = 12_000; // dots of a PNG's side
const TAKEN = 10_000; // milliseconds after which a browser has taken what it was given

/** @typedef {typeof PICTURE_KINDS[number]} PictureKind */

/** @type {(svg: SVGElement) => string} */
export const svgText = (svg) => new XMLSerializer().serializeToString(svg);

/** @type {(text: string) => string} */
export const svgLink = (text) => `data:image/svg+xml;charset=utf-8,${encodeURIComponent(text)}`;

/** @type {(text: string, width: number, height: number) => Promise<Blob | null>} */
const asPng = async (text, width, height) => {
  const image = new Image();
  image.src = svgLink(text);
  await image.decode();
  const density = Math.min(DENSITY, LARGEST / Math.max(width, height));
  const canvas = h("canvas", { width: Math.round(width * density), height: Math.round(height * density) });
  canvas.getContext("2d")?.drawImage(image, 0, 0, canvas.width, canvas.height);
  return new Promise((done) => canvas.toBlob(done));
};

/** @type {(content: Blob, name: string) => void} */
const handOver = (content, name) => {
  const href = URL.createObjectURL(content);
  h("a", { href, download: name }).click();
  setTimeout(() => URL.revokeObjectURL(href), TAKEN);
};

// A name for a file: letters and digits of what it is called.
/** @type {(title: string) => string} */
export const fileName = (title) =>
  title
    .replace(/[^\p{L}\p{N}_.@]+/gu, "-")
    .replace(/^[-.]+|[-.]+$/g, "")
    .slice(0, 80) || "picture";

// The link of what is on screen; a file on one's disk has none that others could open.
/** @type {() => string} */
export const linkHere = () => (location.protocol.startsWith("http") ? location.href : "");

/**
 * Save an element as a picture.
 *
 * @type {(element: Element, told: Told, kind: PictureKind) => Promise<void>}
 */
export const savePicture = async (element, told, kind) => {
  const picture = svgOf(element, told);
  if (!picture) return;
  const text = svgText(picture.svg);
  const content =
    kind === "svg" ? new Blob([text], { type: "image/svg+xml" }) : await asPng(text, picture.width, picture.height);
  if (content) handOver(content, `${fileName(told.title)}.${kind}`);
};
