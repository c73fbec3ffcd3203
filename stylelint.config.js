// Of the styles: what no browser would take. Rules stand together by what they are about, not by their weight.
export default {
  extends: "stylelint-config-recommended",
  rules: { "no-descending-specificity": null, "no-duplicate-selectors": null },
};
