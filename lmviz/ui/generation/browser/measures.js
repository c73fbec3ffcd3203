// A few shares from 0 to 1, each a bar with its number and a word on what it counts.

const draw = (root, data) => root.replaceChildren(h("dl", { class: "measures" }, data.rows.map((row) => h("div", { title: row.help },
  h("dt", {}, row.title), h("dd", {}, h("span", { class: "bar" }, row.share === null ? null : h("i", { style: `width:${100 * row.share}%` })), h("b", {}, row.figure)), data.brief ? null : h("p", {}, row.help)))));
