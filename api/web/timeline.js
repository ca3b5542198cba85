// The statuses of one instance over time, from its history.
import { svg, duration } from "./dom.js";

const width = 960, height = 34, bar = 16;

// segments turns transitions into stretches of one status, up to now.
export function segments(records, now) {
  return records.map((r, i) => ({
    status: r.to,
    from: Date.parse(r.at),
    until: i + 1 < records.length ? Date.parse(records[i + 1].at) : now,
    title: describe(r),
  }));
}

function describe(r) {
  const exit = r.exit ? ` ${r.exit.signal || `code ${r.exit.code}`}` : "";
  return `#${r.seq} ${new Date(r.at).toLocaleString()}: ${r.from} → ${r.to} (${r.cause}${exit}) ${r.detail}`.trim();
}

export function drawTimeline(records, now) {
  const all = segments(records, now);
  if (all.length === 0) return document.createTextNode("no transition yet");
  const start = all[0].from, span = Math.max(now - start, 1);
  const x = (t) => ((t - start) / span) * width;
  const chart = svg("svg", { viewBox: `0 0 ${width} ${height}`, role: "img", "aria-label": all.map((s) => s.title).join("; ") });
  for (const s of all) {
    const piece = svg("rect", { class: s.status, x: x(s.from), y: 0, width: Math.max(x(s.until) - x(s.from), 1), height: bar });
    const title = svg("title");
    title.textContent = s.title;
    piece.append(title);
    chart.append(piece);
  }
  const since = svg("text", { x: 0, y: height - 4 });
  since.textContent = `${duration(now - start)} ago`;
  const until = svg("text", { x: width, y: height - 4, "text-anchor": "end" });
  until.textContent = "now";
  chart.append(since, until);
  return chart;
}
