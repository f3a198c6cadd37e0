// A chart. Its options are data only: nothing in them is run, and tooltips are plain text.
import { echarts } from "nicegui-echart";

export default {
  props: { data: String, label: String },
  render() {
    return Vue.h("div", { class: "chart", role: "img", "aria-label": this.label });
  },
  mounted() {
    this.chart = echarts.init(this.$el, null, { renderer: "svg" });
    this.fit = () => this.chart.resize();
    this.observer = new ResizeObserver(this.fit);
    this.observer.observe(this.$el);
    // The style sheet may come after the first drawing.
    window.addEventListener("load", this.fit);
    this.draw();
  },
  beforeUnmount() {
    window.removeEventListener("load", this.fit);
    this.observer.disconnect();
    this.chart.dispose();
  },
  watch: {
    data() {
      this.draw();
    },
  },
  methods: {
    draw() {
      if (!this.data) return;
      const options = JSON.parse(this.data);
      if (options.tooltip) options.tooltip.renderMode = "richText";
      this.fit();
      this.chart.setOption(options, { notMerge: true });
    },
  },
};
