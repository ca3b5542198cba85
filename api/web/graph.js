// The dependency graph, drawn in layers: what waits stands right of what it
// waits for.
import { svg } from "./dom.js";

const boxWidth = 210, boxHeight = 40, gapX = 70, gapY = 16;

// layers gives each node the length of the longest chain it waits for. The
// peer refuses cycles; the bound only keeps a wrong answer from hanging us.
export function layers(nodes, edges) {
  const layer = new Map(nodes.map((n) => [n.name, 0]));
  for (let round = 0; round < nodes.length; round++) {
    let changed = false;
    for (const e of edges) {
      if (!layer.has(e.from) || !layer.has(e.to)) continue;
      const least = layer.get(e.to) + 1;
      if (layer.get(e.from) < least) {
        layer.set(e.from, least);
        changed = true;
      }
    }
    if (!changed) break;
  }
  return layer;
}

// places puts each node at its layer's next free row.
export function places(nodes, edges) {
  const layer = layers(nodes, edges);
  const rows = [];
  return new Map(nodes.map((n) => {
    const column = layer.get(n.name);
    const row = (rows[column] = (rows[column] ?? -1) + 1);
    return [n.name, { x: column * (boxWidth + gapX), y: row * (boxHeight + gapY) }];
  }));
}

export function drawGraph(graph) {
  const place = places(graph.nodes, graph.edges);
  const all = [...place.values()];
  const width = Math.max(0, ...all.map((p) => p.x)) + boxWidth + 4;
  const height = Math.max(0, ...all.map((p) => p.y)) + boxHeight + 4;
  const words = graph.edges.map((e) => `${e.from} waits for ${e.to} (${e.condition})`).join("; ");
  const chart = svg("svg", { viewBox: `-2 -2 ${width} ${height}`, width, height, role: "img", "aria-label": words || "no dependencies" });
  const critical = new Set(graph.criticalPath ?? []);
  for (const e of graph.edges) {
    const a = place.get(e.to), b = place.get(e.from);
    if (!a || !b) continue;
    const x1 = a.x + boxWidth, y1 = a.y + boxHeight / 2, x2 = b.x, y2 = b.y + boxHeight / 2, mid = (x1 + x2) / 2;
    const kinds = ["edge", e.soft ? "soft" : "", critical.has(e.from) && critical.has(e.to) ? "critical" : ""];
    chart.append(svg("path", { class: kinds.join(" "), d: `M${x1},${y1} C${mid},${y1} ${mid},${y2} ${x2},${y2}` }));
  }
  for (const n of graph.nodes) {
    const { x, y } = place.get(n.name);
    const name = svg("text", { x: x + 22, y: y + 17 });
    name.textContent = n.name;
    const status = svg("text", { x: x + 22, y: y + 32 });
    status.textContent = n.startMs ? `${n.status}, started in ${n.startMs} ms` : n.status;
    chart.append(
      svg("rect", { class: "frame", x, y, width: boxWidth, height: boxHeight, rx: 6 }),
      svg("rect", { class: n.status, x: x + 6, y: y + 6, width: 8, height: boxHeight - 12, rx: 3 }),
      name, status);
  }
  return chart;
}
