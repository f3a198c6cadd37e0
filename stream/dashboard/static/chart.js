// A chart. Its options are data only: nothing in them is run, and tooltips are plain text.
import { echarts } from "nicegui-echart";

export default {
  props: { data: String, label: String },
  render() {
    return Vue.h("div", { class: "chart", role: "img", "aria-label": this.label });
  },
  mounted() {
    // What has no width yet, as the page is still being put together, would be drawn with a wrong
    // one: it is drawn as soon as it has one.
    this.observer = new ResizeObserver(() => this.fit());
    this.observer.observe(this.$el);
    this.fit();
  },
  beforeUnmount() {
    this.observer.disconnect();
    this.chart?.dispose();
  },
  watch: {
    data() {
      this.draw();
    },
  },
  methods: {
    fit() {
      if (!this.$el.clientWidth) return;
      if (this.chart) {
        this.chart.resize();
      } else {
        this.chart = echarts.init(this.$el, null, { renderer: "svg" });
        this.draw();
      }
    },
    draw() {
      if (!this.data || !this.chart) return;
      const options = JSON.parse(this.data);
      // An empty box says nothing: the table below it does.
      this.$el.hidden = Boolean(options.hidden);
      delete options.hidden;
      if (options.tooltip) options.tooltip.renderMode = "richText";
      this.chart.setOption(options, { notMerge: true });
    },
  },
};
