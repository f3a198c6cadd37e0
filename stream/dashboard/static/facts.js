// Names and values, as text.
const { h } = Vue;

export default {
  props: { data: String },
  computed: {
    pairs() {
      return JSON.parse(this.data || "[]");
    },
  },
  render() {
    return h(
      "dl",
      this.pairs.flatMap(([name, value]) => [h("dt", name), h("dd", value)]),
    );
  },
};
