// The log: what happened and when, after the service verified its chain.

import { $, announce, createAlert, createElement, latestOnly, plural, request } from "./api.js";

const MAX_LINES = 500;
const startLoading = latestOnly();

export async function enter() {
  const list = $("log-list");
  const isNewest = startLoading();
  list.replaceChildren(createElement("p", { class: "busy" }, "Verifying the log"));
  try {
    const log = await request("GET", `/v1/log?last=${MAX_LINES}`);
    if (isNewest()) showLog(list, log);
  } catch (error) {
    if (isNewest()) list.replaceChildren(createAlert(error));
  }
}

function showLog(list, { lines, entries, earlier }) {
  if (!entries) {
    list.replaceChildren(createElement("p", { class: "empty" }, "The log is empty."));
    return;
  }
  const verified = `The log is complete and unaltered: ${plural(entries, "entry", "entries")}.`;
  const hidden = earlier ? ` The ${earlier} oldest are not shown here.` : "";
  list.replaceChildren(
    createElement("p", {}, verified + hidden),
    createElement("ol", { class: "lines", reversed: "" }, ...lines.reverse().map(createLine)),
  );
  announce(verified);
}

// a line is "2026-01-31 12:00:00 web: anna was identified"; seconds and colon are left out
function createLine(line) {
  return createElement(
    "li", {},
    createElement("time", {}, `${line.slice(0, 16)} UTC`),
    createElement("span", {}, line.slice(18)),
  );
}
