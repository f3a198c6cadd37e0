// A table whose rows are patched in place: focus and selection survive an update. A cell is a
// text, a number that was made a text, or {text, href, state, note, color, spark}.
const { h } = Vue;

const SIGN = { fine: "●", watch: "▲", act: "■" };
const WIDTH = 90;
const HEIGHT = 20;

function spark(values) {
  const high = Math.max(...values, 1);
  const low = Math.min(...values);
  const span = high - low || 1;
  const step = WIDTH / Math.max(values.length - 1, 1);
  const path = values
    .map((v, i) => `${i ? "L" : "M"}${(i * step).toFixed(1)} ${(HEIGHT - 2 - ((v - low) / span) * (HEIGHT - 4)).toFixed(1)}`)
    .join("");
  return h("svg", { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, "aria-hidden": "true" }, [h("path", { d: path })]);
}

function cell(value) {
  if (value === null || typeof value !== "object") return value;
  if (value.spark) return spark(value.spark);
  const text = value.state
    ? [h("span", { "aria-hidden": "true" }, SIGN[value.state] + " "), value.text]
    : value.text;
  const named = value.href ? h("a", { href: value.href }, text) : h("span", { class: value.state }, text);
  const shown = value.color
    ? [h("span", { class: "swatch", style: { background: value.color }, "aria-hidden": "true" }), named]
    : named;
  return value.note ? [shown, h("small", value.note)] : shown;
}

export default {
  props: { columns: String, data: String, label: String, empty: String },
  computed: {
    titles() {
      return JSON.parse(this.columns);
    },
    rows() {
      return JSON.parse(this.data || "[]");
    },
  },
  render() {
    const columns = this.titles;
    const rows = this.rows;
    if (!rows.length) return h("p", { class: "empty" }, this.empty);
    return h("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": this.label }, [
      h("table", [
        h("caption", { class: "hidden" }, this.label),
        h("thead", [
          h("tr", columns.map((c) => h("th", { scope: "col", class: c.kind }, c.title))),
        ]),
        h(
          "tbody",
          rows.map((row) =>
            h(
              "tr",
              { key: row.key, class: row.class },
              row.cells.map((value, i) =>
                i === 0
                  ? h("th", { scope: "row", class: columns[i].kind }, cell(value))
                  : h("td", { class: columns[i].kind, "data-title": columns[i].title }, cell(value)),
              ),
            ),
          ),
        ),
      ]),
    ]);
  },
};
