// The log: what happened and when, after the service verified its chain.

import { createForm, personPath, request } from "./api.js";
import { ask } from "./dialog.js";
import {
  $, announce, createAlert, createButton, createElement, createIcon, latestOnly, whileBusy,
} from "./dom.js";
import { describe, describeSurface, iconOf, joinEvents, kindOf } from "./events.js";
import { formatDay, formatTime, plural, t } from "./i18n.js";

const MAX_EVENTS = 500;
const startLoading = latestOnly();

export async function enter() {
  const list = $("log-list");
  const isNewest = startLoading();
  list.replaceChildren(createElement("p", { class: "busy" }, t("Verifying the log")));
  try {
    const log = await request("GET", `/v1/log?last=${MAX_EVENTS}`);
    if (isNewest()) showLog(list, log);
  } catch (error) {
    const again = createButton(t("Try again"), enter);
    if (isNewest()) list.replaceChildren(createAlert(error), again);
  }
}

function showLog(list, { events, entries }) {
  if (!entries) {
    const none = createElement("p", {}, t("The log is empty."));
    list.replaceChildren(createElement("div", { class: "empty" }, none));
    return;
  }
  const verified = plural(
    entries,
    "The log is complete and unaltered: {count} entry.",
    "The log is complete and unaltered: {count} entries.",
  );
  const hidden = entries > events.length
    ? t("The {count} oldest are not shown here.", { count: entries - events.length }) : "";
  const rows = createElement("div", { id: "log-rows" });
  const all = joinEvents(events);
  const filters = createFilters((kind, text) => showRows(rows, all, kind, text));
  const said = createElement("p", { class: "quiet small" }, `${verified} ${hidden}`);
  list.replaceChildren(said, filters, rows);
  showRows(rows, all, "", "");
  announce(verified);
}

function createFilters(onChange) {
  const options = [
    ["", t("Everything")], ["yes", t("Unlocked")], ["no", t("Refused")],
    ["blank", t("Nothing seen")], ["change", t("People changed")], ["vault", t("The vault")],
  ].map(([value, text]) => createElement("option", { value }, text));
  const kind = createElement("select", { "aria-label": t("What happened") }, ...options);
  const text = createElement("input", {
    type: "search", placeholder: t("Search a name"), "aria-label": t("Search a name"),
  });
  const change = () => onChange(kind.value, text.value.trim().toLowerCase());
  kind.addEventListener("change", change);
  text.addEventListener("input", change);
  return createElement("div", { class: "filters" }, kind, text);
}

function showRows(box, all, kind, text) {
  const shown = all.filter((row) => (!kind || kindOf(row) === kind)
    && `${row.user} ${row.newName ?? ""}`.toLowerCase().includes(text));
  if (!shown.length) {
    const none = createElement("p", {}, t("No entry matches."));
    box.replaceChildren(createElement("div", { class: "empty" }, none));
    return;
  }
  const days = new Map();
  for (const row of shown) {
    const day = formatDay(row.at);
    if (!days.has(day)) days.set(day, []);
    days.get(day).push(row);
  }
  box.replaceChildren(...[...days].flatMap(([day, rows]) => [
    createElement("h3", { class: "day" }, day),
    createElement("ol", { class: "lines", role: "list" }, ...rows.map(createRow)),
  ]));
}

function createRow(row) {
  const span = row.count > 1 && formatTime(row.last) !== formatTime(row.at)
    ? `${formatTime(row.at)}–${formatTime(row.last)}` : formatTime(row.at);
  return createElement(
    "li", { class: kindOf(row) },
    createIcon(iconOf(row)),
    createElement("span", {}, describe(row), " ",
      createElement("span", { class: "quiet small" }, describeSurface(row.where)),
      row.markable ? createMark(row) : null),
    createElement("time", { datetime: row.at, title: new Date(row.at).toLocaleString() }, span),
  );
}

// The button of an unlock whose face is still kept: whoever it was stays locked from then on.
function createMark({ user, at }) {
  const button = createButton(t("That was not me"), () => whileBusy(button, async () => {
    const when = { user, time: formatTime(at) };
    const chosen = await ask({
      title: t("Was that not {user}?", { user }),
      text: t("A face more like the one of {time} than like the photos of {user} stays locked from"
        + " now on. What the template learned is removed. It can be undone under People.", when),
      choices: [
        { text: t("That was not {user}", { user }), value: "mark", kind: "danger" },
        { text: t("Cancel"), value: "" },
      ],
    });
    if (!chosen) return;
    await request("POST", `${personPath(user)}/not-me`, createForm([["at", at]]));
    await enter();
    $("log-title").focus();
    announce(t("The unlock is marked as somebody else's."));
  }), "small plain");
  button.setAttribute("aria-label", t("That was not me: {user}, {time}",
    { user, time: formatTime(at) }));
  return button;
}
