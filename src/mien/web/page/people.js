// People: who is enrolled, how good each template is, and what can be done with it.

import { request } from "./api.js";
import {
  $, announce, createAlert, createButton, createElement, latestOnly, whileBusy,
} from "./dom.js";
import { plural, t } from "./i18n.js";
import { createPerson } from "./person.js";

const startLoading = latestOnly();

export async function enter() {
  const list = $("people-list");
  const isNewest = startLoading();
  list.replaceChildren(createElement("p", { class: "busy" }, t("Loading")));
  try {
    const page = await request("GET", "/v1/people");
    if (isNewest()) showPeople(list, page);
  } catch (error) {
    const again = createButton(t("Try again"), enter);
    if (isNewest()) list.replaceChildren(createAlert(error), again);
  }
}

function showPeople(list, { people, more }) {
  if (people.length) {
    list.replaceChildren(...people.map(createCard));
    if (more) list.append(createMore(people.at(-1).user));
    announce(plural(people.length, "{count} person is shown.", "{count} people are shown."));
    return;
  }
  const none = t("Nobody is enrolled yet.");
  const link = createElement("a", { class: "button", href: "#enroll" }, t("Enroll somebody"));
  list.replaceChildren(createElement(
    "div", { class: "empty" }, createElement("p", {}, none), link,
  ));
  announce(none);
}

const createCard = (person) => createPerson(person, async (told) => {
  await enter();
  $("people-title").focus();
  announce(told);
});

// The button below the people that were loaded, which loads those after `last`.
function createMore(last) {
  const button = createElement("button", { type: "button" }, t("Show more people"));
  button.addEventListener("click", () => whileBusy(button, async () => {
    const isNewest = startLoading();
    const path = `/v1/people?after=${encodeURIComponent(last)}`;
    const { people, more } = await request("GET", path);
    if (!isNewest()) return;
    const added = people.map(createCard);
    button.replaceWith(...added, ...(more ? [createMore(people.at(-1).user)] : []));
    added[0]?.querySelector("button")?.focus();
    announce(plural(people.length, "{count} person is shown.", "{count} people are shown."));
  }));
  return button;
}
