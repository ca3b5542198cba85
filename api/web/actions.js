// The buttons that act, each behind a confirmation.
import { byId, el } from "./dom.js";
import { idOf, pathOf, post } from "./api.js";

const warnings = {
  start: "Start",
  stop: "Stop",
  restart: "Restart",
  kill: "End by force (work in progress is lost)",
};

// confirmed asks, and resolves to whether the answer was yes.
function confirmed(verb, id) {
  const dialog = byId("confirm");
  byId("confirm-text").textContent = `${warnings[verb]}: ${id}?`;
  byId("confirm-yes").textContent = verb;
  dialog.returnValue = "no";
  dialog.showModal();
  return new Promise((resolve) => {
    dialog.addEventListener("close", () => resolve(dialog.returnValue === "yes"), { once: true });
  });
}

async function act(verb, id, report) {
  if (!(await confirmed(verb, id))) return;
  try {
    const outcomes = await post(`/v1/components/${pathOf(id)}/${verb}`);
    const bad = outcomes.filter((o) => o.outcome === "failed" || o.outcome === "timeout");
    report(bad.map((o) => `${verb} ${o.name}: ${o.outcome} ${o.detail}`).join("; "));
  } catch (err) {
    report(`${verb} ${id}: ${err.message}`);
  }
}

// actionButtons are the buttons of one instance; report is told what failed,
// or "" when nothing did.
export function actionButtons(instance, report) {
  const id = idOf(instance);
  return Object.keys(warnings).map((verb) => el("button", {
    textContent: verb,
    ariaLabel: `${verb} ${id}`,
    onclick: () => act(verb, id, report),
  }));
}
