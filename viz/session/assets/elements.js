// Elements of the session's page:
//   <dd-chart :figure="..." :cursor="..." @moment="...">  a time plot, drawn by plotly; a click sends its time
//   <dd-pick @pick="..." @size="...">                      what is inside; a click that did not drag sends [x, y]
(function () {
  "use strict";
  const CURSOR = { type: "line", yref: "paper", y0: 0, y1: 1, line: { color: "#ff8a3d", width: 2 } };
  const chart = {
    props: { figure: Object, cursor: String },
    template: '<div class="dd-chart" style="width:100%;height:100%"></div>',
    mounted() {
      this.draw();
      this.observer = new ResizeObserver(() => { if (this.drawn) Plotly.Plots.resize(this.$el); });
      this.observer.observe(this.$el);
    },
    beforeUnmount() { this.observer.disconnect(); Plotly.purge(this.$el); },
    watch: {
      figure() { this.draw(); },
      cursor() { if (this.drawn) Plotly.relayout(this.$el, { shapes: this.shapes() }); },
    },
    methods: {
      shapes() {
        const own = (this.figure.layout.shapes || []).slice();
        if (this.cursor) own.push(Object.assign({ x0: this.cursor, x1: this.cursor }, CURSOR));
        return own;
      },
      draw() {
        if (!this.figure || !this.figure.data) { Plotly.purge(this.$el); this.drawn = false; return; }
        const layout = Object.assign({}, this.figure.layout, { shapes: this.shapes(), autosize: true });
        delete layout.height;
        Plotly.react(this.$el, this.figure.data, layout, { displayModeBar: false, responsive: true });
        this.drawn = true;
        if (!this.listening && this.$el.on) {
          this.listening = true;
          this.$el.on("plotly_click", event => this.$emit("moment", event.points[0].x));
        }
      },
    },
    emits: ["moment"],
  };
  const pick = {
    template: '<div @pointerdown.capture="press" @click.capture="release"><slot></slot></div>',
    emits: ["pick", "size"],
    mounted() {
      this.observer = new ResizeObserver(() => {
        const box = this.$el.getBoundingClientRect();
        if (box.width > 20 && box.height > 20) this.$emit("size", [box.width, box.height]);
      });
      this.observer.observe(this.$el);
    },
    beforeUnmount() { this.observer.disconnect(); },
    methods: {
      press(event) { this.from = [event.clientX, event.clientY]; },
      release(event) {
        const box = this.$el.getBoundingClientRect();
        const moved = this.from ? Math.hypot(event.clientX - this.from[0], event.clientY - this.from[1]) : 0;
        if (moved < 4) {
          this.$emit("pick", [(event.clientX - box.left) / box.width, 1 - (event.clientY - box.top) / box.height]);
        }
      },
    },
  };
  window.dawnduskElements = {
    install(app) { app.component("dd-chart", chart); app.component("dd-pick", pick); },
  };
})();
