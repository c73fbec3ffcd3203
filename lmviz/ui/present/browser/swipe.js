// A finger that scrolls the page moves no slider: styles leave its thumb alone to touches, and here a tap is taken.

// @ts-check

const TRACK = '.stSlider [role="group"] > [data-orientation]';
const THUMB = `${TRACK} > [style*="left"]`;

// The track that was tapped, where it takes no touches.
/** @type {(event: MouseEvent) => Element | undefined} */
const tapped = ({ clientX: x, clientY: y, target }) => {
  if (!(target instanceof Element) || target.closest(THUMB)) return undefined;
  return [...(target.closest(".stSlider")?.querySelectorAll(TRACK) ?? [])].find((track) => {
    const { left, right, top, bottom } = track.getBoundingClientRect();
    const isIn = x >= left && x <= right && y >= top && y <= bottom;
    return isIn && getComputedStyle(track).pointerEvents === "none";
  });
};

/** @type {() => () => void} returns what ends it */
export const takeTaps = () => {
  /** @type {(event: MouseEvent) => void} */
  const onTap = (event) => {
    const { clientX, clientY } = event;
    const at = { bubbles: true, cancelable: true, clientX, clientY };
    const track = tapped(event);
    for (const type of ["mousedown", "mouseup"]) track?.dispatchEvent(new MouseEvent(type, at));
  };
  document.addEventListener("click", onTap);
  return () => document.removeEventListener("click", onTap);
};
