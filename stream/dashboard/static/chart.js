// A chart. Its options are data only: nothing in them is run, and tooltips are plain text.
import { echarts } from "nicegui-echart";

export default {
  props: { data: String, label: String },
  render() {
    return Vue.h("div", { class: "chart", role: "img", "aria-label": this.label });
  },
  mounted() {
    this.chart = echarts.init(this.$el, null, { renderer: "svg" });
    this.observer = new ResizeObserver(() => this.chart.resize());
    this.observer.observe(this.$el);
    this.draw();
  },
  beforeUnmount() {
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
      this.chart.setOption(options, { notMerge: true });
    },
  },
};
