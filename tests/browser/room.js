// What a test measures of a page in front of a room: letters that are too small, words that are cut, and controls that
// lie over each other. A function of the shares of the window's height that words and axes must take.
([words, axes]) => {
  const tall = window.innerHeight;
  const DRAWN = ".legend, .shape, .ends, .paging, .pieces small, .katex, td, th, svg, kbd, [class*='lt-']"; // axes and cells
  const found = new Set();
  const above = (one) => one.parentElement ?? (one.getRootNode() instanceof ShadowRoot ? one.getRootNode().host : null);
  const up = function* (one) {
    for (; one; one = above(one)) yield one;
  };
  const named = (one) => {
    const own = [...one.classList].filter((name) => !/^(e[0-9a-z]{6,}|st-emotion.*)$/.test(name)).slice(0, 2);
    return [one.tagName.toLowerCase(), one.dataset?.testid, ...own].filter(Boolean).join(".");
  };
  const where = (one) => [...up(one)].slice(0, 3).map(named).reverse().join(" > ");
  const isHidden = (one) => {
    const look = getComputedStyle(one);
    return (
      look.clipPath.startsWith("inset(50%") ||
      look.opacity === "0" ||
      (look.position === "absolute" && one.offsetWidth <= 1)
    );
  };
  const isSeen = (one, box) =>
    box.width >= 1 &&
    box.height >= 1 &&
    one.checkVisibility({ opacityProperty: true, visibilityProperty: true }) &&
    ![...up(one)].some(isHidden);
  const say = (what, one, text) => found.add(`${what}: ${where(one)} “${text.trim().slice(0, 24)}”`);

  const sized = (one, text) => {
    let size = parseFloat(getComputedStyle(one).fontSize);
    if (one instanceof SVGElement) size *= Math.hypot(one.getScreenCTM().b, one.getScreenCTM().d);
    const least = [...up(one)].some((box) => box.matches(DRAWN)) ? axes : words;
    if (size < least * tall - 0.05) say(`${size.toFixed(1)} px`, one, text);
  };
  const whole = (one, box, text) => {
    for (const outer of up(one)) {
      if (outer instanceof SVGElement || !outer.clientWidth) continue;
      const { overflowX, overflowY } = getComputedStyle(outer);
      const area = outer.getBoundingClientRect();
      const isWide = overflowX !== "visible" && outer.scrollWidth > outer.clientWidth + 1;
      if (isWide && (box.right > area.right + 1 || box.left < area.left - 1)) return say("cut", one, text);
      const isTall = overflowY === "hidden" && outer.scrollHeight > outer.clientHeight + 2;
      if (isTall && box.top < area.bottom && box.bottom > area.bottom + 2) return say("cut below", one, text);
    }
  };
  const field = (one) => {
    const text = one.value || one.placeholder;
    if (["range", "checkbox", "radio"].includes(one.type) || !text || !isSeen(one, one.getBoundingClientRect())) return;
    sized(one, text);
    if (one.tagName === "INPUT" && one.scrollWidth > one.clientWidth + 1) say("cut", one, text);
  };
  const read = (tree) => {
    const walker = document.createTreeWalker(tree, NodeFilter.SHOW_ELEMENT | NodeFilter.SHOW_TEXT);
    while (walker.nextNode()) {
      const node = walker.currentNode;
      if (node.shadowRoot) read(node.shadowRoot);
      if (node.dataset?.least && isSeen(node, node.getBoundingClientRect()) && +node.dataset.least < axes * tall - 0.05)
        say(`${node.dataset.least} px`, node, "canvas");
      if (node.tagName === "INPUT" || node.tagName === "TEXTAREA") field(node);
      const one = node.parentElement;
      if (node.nodeType !== Node.TEXT_NODE || !node.data.trim() || !one) continue;
      if (["STYLE", "SCRIPT", "OPTION", "TITLE"].includes(one.tagName)) continue;
      const range = new Range();
      range.selectNodeContents(node);
      const box = range.getBoundingClientRect();
      if (!isSeen(one, box)) continue;
      sized(one, node.data);
      whole(one, box, node.data);
    }
  };
  read(document.body);

  const main = document.querySelector(".stMain");
  if (main.scrollWidth > main.clientWidth + 1) say("wider than the window", main, "");
  const controls = [...document.querySelectorAll(":is(header, .st-key-top, .st-key-reader) :is(a, button, input)")];
  const boxes = controls.map((one) => [one, one.getBoundingClientRect()]).filter(([one, box]) => isSeen(one, box));
  boxes.forEach(([one, a], i) => {
    for (const [other, b] of boxes.slice(i + 1)) {
      const isApart = a.right <= b.left + 1 || b.right <= a.left + 1 || a.bottom <= b.top + 1 || b.bottom <= a.top + 1;
      const isInside = one.closest("[role=group]") && one.closest("[role=group]") === other.closest("[role=group]");
      if (!isApart && !isInside && !one.contains(other) && !other.contains(one))
        say("over each other", one, where(other));
    }
  });
  return [...found];
};
