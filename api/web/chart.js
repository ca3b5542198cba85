// A line chart of the last samples, as SVG.
import { svg } from "./dom.js";

const width = 480, height = 90;
const keep = 300; // samples

// Samples are the figures of one instance over time.
export class Samples {
  #values = [];

  add(value) {
    this.#values.push(value);
    if (this.#values.length > keep) this.#values.shift();
  }

  draw(label) {
    const top = Math.max(...this.#values, 1e-9);
    const x = (i) => (i / (keep - 1)) * width;
    const y = (v) => height - 2 - (v / top) * (height - 16);
    const offset = keep - this.#values.length;
    const points = this.#values.map((v, i) => `${x(i + offset).toFixed(1)},${y(v).toFixed(1)}`);
    const chart = svg("svg", { viewBox: `0 0 ${width} ${height}`, role: "img", "aria-label": label },
      svg("rect", { class: "frame", x: 0, y: 0, width, height }));
    if (points.length > 1) {
      chart.append(
        svg("polygon", { class: "area", points: `${x(offset).toFixed(1)},${height} ${points.join(" ")} ${width},${height}` }),
        svg("polyline", { class: "curve", points: points.join(" ") }));
    }
    return chart;
  }
}
