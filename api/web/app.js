// The page: a table of instances, one of them in detail, and the graph.
import { byId, el, bytes, duration } from "./dom.js";
import { follow, get, idOf } from "./api.js";
import { actionButtons } from "./actions.js";
import { drawGraph } from "./graph.js";
import { drawTimeline } from "./timeline.js";
import { Samples } from "./chart.js";
import { showLogs } from "./logs.js";

const interval = 2000; // ms between looks at figures; transitions show at once

const rows = new Map();    // id → the row's cells
const figures = new Map(); // id → {cpu, memory} samples
let selected = "";         // id of the instance in detail
let leaveLogs = () => {};

// rowOf makes an instance's row once: buttons must stay what they are while
// somebody is on them.
function rowOf(instance) {
  const id = idOf(instance);
  if (rows.has(id)) return rows.get(id);
  const cells = Object.fromEntries(["name", "status", "state", "pid", "uptime", "restarts", "health", "cpu", "memory", "actions"].map((n) => [n, el("td")]));
  const row = { cells, tr: el("tr", {}, ...Object.values(cells)) };
  cells.name.append(el("button", { className: "link", textContent: id, onclick: () => select(id) }));
  cells.actions.append(...actionButtons(instance, (failed) => { byId("outcome").textContent = failed; refresh(); }));
  byId("instances").append(row.tr);
  rows.set(id, row);
  return row;
}

function fill(instance) {
  const { cells, tr } = rowOf(instance);
  const word = (text) => el("span", { className: `status ${text}`, textContent: text });
  const live = instance.pid > 0;
  cells.status.replaceChildren(word(instance.status));
  cells.status.title = instance.reason || instance.says || "";
  cells.state.textContent = instance.state || "–";
  cells.pid.textContent = live ? instance.pid : "–";
  cells.uptime.textContent = live && instance.startedAt ? duration(Date.now() - Date.parse(instance.startedAt)) : "–";
  cells.restarts.textContent = instance.restarts;
  cells.health.replaceChildren(word(instance.health || "unknown"));
  cells.cpu.textContent = live ? instance.cpu.toFixed(2) : "–";
  cells.memory.textContent = live ? bytes(instance.memory) : "–";
  tr.setAttribute("aria-current", String(idOf(instance) === selected));
}

function sample(instance) {
  const id = idOf(instance);
  if (!figures.has(id)) figures.set(id, { cpu: new Samples(), memory: new Samples() });
  figures.get(id).cpu.add(instance.cpu);
  figures.get(id).memory.add(instance.memory);
}

// forget drops the rows of instances that are gone.
function forget(present) {
  for (const [id, row] of rows) {
    if (present.has(id)) continue;
    row.tr.remove();
    rows.delete(id);
    figures.delete(id);
  }
}

function showFigures(instance) {
  const { cpu, memory } = figures.get(idOf(instance));
  byId("cpu").replaceChildren(cpu.draw("CPU over time"));
  byId("memory").replaceChildren(memory.draw("Memory over time"));
  byId("cpu-now").textContent = `${instance.cpu.toFixed(2)} cores`;
  byId("memory-now").textContent = bytes(instance.memory);
  byId("reason").textContent = instance.reason || instance.says || "";
}

async function showTimeline() {
  const [application, name] = selected.split("/");
  const records = await get(`/v1/history?${new URLSearchParams({ name, app: application, last: 200 })}`);
  byId("timeline").replaceChildren(drawTimeline(records, Date.now()));
}

function select(id) {
  selected = id;
  byId("detail").hidden = false;
  byId("detail-title").textContent = id;
  leaveLogs();
  leaveLogs = showLogs(id);
  refresh();
}

async function refresh() {
  try {
    const [status, instances, graph] = await Promise.all([get("/v1/status"), get("/v1/components"), get("/v1/graph")]);
    byId("peer").textContent = status.peer;
    const counts = Object.entries(status.counts ?? {}).map(([s, n]) => `${n} ${s}`).join(", ");
    byId("summary").textContent = `${status.version}, up ${duration(status.uptimeMs)}: ${counts}`;
    instances.forEach(fill);
    forget(new Set(instances.map(idOf)));
    byId("graph").replaceChildren(drawGraph(graph));
    byId("critical").textContent = graph.criticalPath?.length ? `Critical path of the start: ${graph.criticalPath.join(" → ")}` : "";
    const current = instances.find((i) => idOf(i) === selected);
    if (current && figures.has(selected)) {
      showFigures(current);
      await showTimeline();
    }
    const degraded = status.degraded ?? [];
    byId("problem").textContent = degraded.length ? `degraded: ${degraded.join("; ")}` : "";
    return instances;
  } catch (err) {
    byId("problem").textContent = `The peer does not answer: ${err.message}`;
    return [];
  }
}

// measure looks again and again; refresh alone does not add to the charts.
async function measure() {
  for (;;) {
    (await refresh()).forEach(sample);
    await new Promise((resolve) => setTimeout(resolve, interval));
  }
}

// Transitions that come in a burst make one refresh.
let pending = false;
function soon() {
  if (pending) return;
  pending = true;
  setTimeout(() => { pending = false; refresh(); }, 100);
}

const { seq = 0 } = (await get("/v1/history?last=1").catch(() => [])).at(-1) ?? {};
follow(`/v1/events?follow=true&since=${seq}`, soon);
measure();
