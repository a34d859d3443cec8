// A question that must be answered before anything goes on.

import { createButton, createElement } from "./dom.js";

// choices: { text, value, kind } in order; kind: "primary", "danger" or nothing. field: an input to
// show, whose value is then checked by `check`, which returns what is wrong with it or "".
// Gives the chosen value; null for Escape.
export function ask({ title, text, choices, field = null }) {
  const id = "dialog-title";
  const dialog = createElement(
    "dialog", { "aria-labelledby": id },
    createElement("h2", { id }, title),
    ...[text].flat().filter(Boolean).map((words) => createElement("p", {}, words)),
    field,
  );
  return new Promise((resolve) => {
    const buttons = choices.map(({ text: words, value, kind }) =>
      createButton(words, () => dialog.close(String(value)), kind ?? ""));
    dialog.append(createElement("div", { class: "actions" }, ...buttons));
    dialog.addEventListener("close", () => {
      dialog.remove();
      opener?.focus?.();
      resolve(dialog.returnValue || null);
    });
    if (field) {
      field.addEventListener("keydown", (event) => {
        if (event.key === "Enter") dialog.close(String(choices[0].value));
      });
    }
    const opener = document.activeElement;
    document.body.append(dialog);
    dialog.showModal();
    // nothing that deletes has the focus at once
    const first = choices.findIndex(({ kind }) => kind !== "danger");
    if (!field) buttons[first]?.focus();
  });
}
