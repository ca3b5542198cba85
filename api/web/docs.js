// The reference of the API, from the OpenAPI document.
import { byId, el } from "./dom.js";

const text = (schema) => {
  if (!schema) return "nothing";
  if (schema.$ref) return schema.$ref.split("/").pop();
  if (schema.type === "array") return `list of ${text(schema.items)}`;
  return [schema.type ?? "any", schema.format].filter(Boolean).join(", ");
};
const table = (rows) => el("table", {}, ...rows.map(([name, what, note]) =>
  el("tr", {}, el("td", {}, el("code", { textContent: name })), el("td", { textContent: what }), el("td", { textContent: note ?? "" }))));
const fields = (schema) => Object.entries(schema?.properties ?? {})
  .map(([name, s]) => [name, text(s), schema.required?.includes(name) ? "required" : ""]);

const operation = (path, method, op) => {
  const d = el("details", {}, el("summary", {},
    el("span", { className: "method", textContent: method.toUpperCase() }), el("code", { textContent: path }), op.summary));
  d.append(el("p", { textContent: op.description ?? "" }));
  const parameters = (op.parameters ?? []).map((p) => [p.name, text(p.schema), `${p.in}${p.required ? ", required" : ""}. ${p.description ?? ""}`]);
  if (parameters.length) d.append(el("h4", { textContent: "Parameters" }), table(parameters));
  const body = op.requestBody?.content["application/json"].schema;
  if (body) d.append(el("h4", { textContent: "Body" }), table(fields(body)));
  const answers = Object.entries(op.responses["200"].content ?? {}).map(([type, c]) => [type, text(c["x-item-schema"] ?? c.schema)]);
  d.append(el("h4", { textContent: "Answer" }), el("p", { textContent: op.responses["200"].description }), table(answers));
  const data = body ? ` -d '{}'` : "";
  d.append(el("pre", { textContent: `curl --unix-socket $PEERD_SOCKET -X ${method.toUpperCase()}${data} localhost${path}` }));
  return d;
};

try {
  const doc = await (await fetch("/openapi.json")).json();
  byId("about").textContent = doc.info.description;
  for (const [path, item] of Object.entries(doc.paths))
    for (const [method, op] of Object.entries(item)) byId("operations").append(operation(path, method, op));
  for (const [name, schema] of Object.entries(doc.components.schemas))
    byId("schemas").append(el("details", { id: name }, el("summary", {}, el("code", { textContent: name })), table(fields(schema))));
} catch (err) {
  byId("about").textContent = `Cannot read /openapi.json: ${err.message}`;
}
