// Cards of figures with a trend line each. Everything is a text node or a number: nothing that
// comes from outside is ever read as HTML.
const { h } = Vue;

const WORD = { fine: "fine", watch: "watch", act: "act", unknown: "no data" };
const SIGN = { fine: "●", watch: "▲", act: "■", unknown: "○" };
const WIDTH = 120;
const HEIGHT = 28;

function line(values) {
  const known = values.filter((v) => v !== null);
  if (known.length < 2) return "";
  const low = Math.min(...known, 0);
  const high = Math.max(...known);
  const span = high - low || 1;
  const step = WIDTH / (values.length - 1);
  let path = "";
  let pen = "M";
  values.forEach((v, i) => {
    if (v === null) {
      pen = "M";
      return;
    }
    path += `${pen}${(i * step).toFixed(1)} ${(HEIGHT - 2 - ((v - low) / span) * (HEIGHT - 4)).toFixed(1)}`;
    pen = "L";
  });
  return path;
}

export default {
  props: { data: String, label: String },
  computed: {
    cards() {
      return JSON.parse(this.data || "[]");
    },
  },
  render() {
    return h(
      "ul",
      { class: "board", "aria-label": this.label },
      this.cards.map((card) =>
        h("li", { key: card.id, class: ["card", card.state], id: `figure-${card.id}` }, [
          h("h3", card.title),
          h("p", { class: "value" }, [h("span", card.value)]),
          h("p", { class: ["state", card.state] }, [
            h("span", { "aria-hidden": "true" }, SIGN[card.state]),
            " " + WORD[card.state],
          ]),
          h("p", { class: "detail" }, card.detail),
          h(
            "svg",
            { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, preserveAspectRatio: "none", "aria-hidden": "true" },
            [h("path", { d: line(card.trend || []) })],
          ),
        ]),
      ),
    );
  },
};
