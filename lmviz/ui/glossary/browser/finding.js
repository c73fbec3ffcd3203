// Terms in a text, and terms that a search finds.

// @ts-check

/** @import { Term } from "./terms.d.ts" */

/** @type {(text: string) => string} */
const escaped = (text) => text.replace(/[.*+?^${}()|[\]\\]/g, "\\$&");

// Small letters without accents, so that "cle" finds "clé".
/** @type {(text: string) => string} */
const folded = (text) => text.normalize("NFD").replace(/\p{M}/gu, "").toLowerCase();

/** @typedef {{ start: number, end: number, term: Term }} Place */

// Finds the terms in a text: whole words alone, the longest where several begin, and each term once.
/** @type {(terms: Term[]) => (text: string) => Place[]} */
export const finder = (terms) => {
  const known = new Map(terms.flatMap((term) => term.forms.map((form) => [form.toLowerCase(), term])));
  if (!known.size) return () => [];
  const forms = [...known.keys()].sort((a, b) => b.length - a.length).map(escaped);
  const pattern = new RegExp(`(?<![\\p{L}\\p{N}_.])(?:${forms.join("|")})(?![\\p{L}\\p{N}_])`, "giu");
  return (text) => {
    const seen = new Set();
    const found = [];
    for (const match of text.matchAll(pattern)) {
      const term = known.get(match[0].toLowerCase());
      if (!term || seen.has(term)) continue;
      seen.add(term);
      found.push({ start: match.index, end: match.index + match[0].length, term });
    }
    return found;
  };
};

// The terms that have a text in their names, then those that have it in what they mean.
/** @type {(terms: Term[], asked: string) => Term[]} */
export const matching = (terms, asked) => {
  const wanted = folded(asked.trim());
  const named = terms.filter((term) => term.forms.some((form) => folded(form).includes(wanted)));
  return [...named, ...terms.filter((term) => !named.includes(term) && folded(term.says).includes(wanted))];
};
