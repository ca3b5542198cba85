// The live output of one instance.
import { byId, el } from "./dom.js";
import { follow, pathOf } from "./api.js";

const keep = 2000; // lines

// visible makes control characters harmless and seen.
export const visible = (text) =>
  text.replace(/[\u0000-\u0008\u000a-\u001f\u007f-\u009f\u202a-\u202e\u2066-\u2069]/g, (c) => `\\x${c.codePointAt(0).toString(16).padStart(2, "0")}`);

// showLogs fills the panel until the function it returns is called.
export function showLogs(id) {
  const panel = byId("logs");
  let line = null; // the element that a partial line goes on in
  const clear = () => {
    panel.replaceChildren();
    line = null;
  };
  clear();
  return follow(`/v1/logs/${pathOf(id)}?follow=true&tail=200`, (item) => {
    if (!line) {
      line = el("span", { className: item.stream });
      panel.append(line);
    }
    line.append(visible(item.text));
    if (!item.partial) {
      line.append("\n");
      line = null;
    }
    while (panel.childElementCount > keep) panel.firstElementChild.remove();
    if (byId("follow").checked) panel.scrollTop = panel.scrollHeight;
  }, clear);
}
