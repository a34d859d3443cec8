// What is kept of a person's unlocks: a template that follows the face, and marked unlocks.

import { createForm, personPath, request } from "./api.js";
import { ask } from "./dialog.js";
import { createButton, createElement, whileBusy } from "./dom.js";
import { formatDate, formatTime, t } from "./i18n.js";

// the lines of a card; onChange: called with what to announce
export function createKept({ user, follows, learned = [], marked = [] }, onChange) {
  const lines = [];
  if (follows) {
    const words = learned.length
      ? t("Follows the face: {count} learned, the last on {date}",
        { count: learned.length, date: formatDate(learned[0]) })
      : t("Follows the face: nothing learned yet");
    lines.push(createElement("p", { class: "quiet small" }, words));
  }
  return [...lines, ...marked.map((at) => createMarked(user, at, onChange))];
}

function createMarked(user, at, onChange) {
  const when = { date: formatDate(at), time: formatTime(at) };
  const undo = createButton(t("Undo"), () => whileBusy(undo, async () => {
    await request("DELETE", `${personPath(user)}/not-me?at=${encodeURIComponent(at)}`);
    await onChange(t("The mark is removed."));
  }), "small plain");
  undo.setAttribute("aria-label", t("Undo: marked on {date}, {time}", when));
  const words = t("Marked as somebody else: {date}, {time}", when);
  return createElement("p", { class: "quiet small" }, `${words} `, undo);
}

// Asks, and gives what to announce; null if nothing was changed.
export async function changeFollowing({ user, follows, learned = [] }) {
  const off = [
    { text: t("Follow the face"), value: "on", kind: "primary" },
    { text: t("Cancel"), value: "" },
  ];
  const on = [
    { text: t("Stop following"), value: "off" },
    learned.length ? { text: t("Remove what was learned"), value: "undo" } : null,
    { text: t("Cancel"), value: "" },
  ].filter(Boolean);
  const chosen = await ask({
    title: follows
      ? t("{user}: the template follows the face", { user })
      : t("Let the template of {user} follow the face?", { user }),
    text: [
      t("After an unlock at a camera that was checked for a living person, the template may learn"
        + " the face of that day, beside the photos, which stay as they are: one a day, and three"
        + " at most."),
      follows ? t("Without it, the template is the photos alone.")
        : t("On this page only the movements of a challenge check that."),
    ],
    choices: follows ? on : off,
  });
  if (chosen === "undo") {
    await request("DELETE", `${personPath(user)}/learned`);
    return t("What the template of {user} learned is removed.", { user });
  }
  if (!chosen) return null;
  const form = createForm([["on", String(chosen === "on")]]);
  await request("POST", `${personPath(user)}/follow`, form);
  return chosen === "on"
    ? t("The template of {user} follows the face.", { user })
    : t("The template of {user} is the photos alone.", { user });
}
