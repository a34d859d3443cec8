// People: who is enrolled, how good each template is, and how to delete one.

import {
  $, announce, createAlert, createElement, latestOnly, plural, request, toSentence, whileBusy,
} from "./api.js";

const startLoading = latestOnly();

export async function enter() {
  const list = $("people-list");
  const isNewest = startLoading();
  list.replaceChildren(createElement("p", { class: "busy" }, "Loading"));
  try {
    const page = await request("GET", "/v1/people");
    if (isNewest()) showPeople(list, page);
  } catch (error) {
    if (isNewest()) list.replaceChildren(createAlert(error));
  }
}

function showPeople(list, { people, more }) {
  if (people.length) {
    list.replaceChildren(...people.map(createPerson));
    if (more) list.append(createMore(people.at(-1).user));
    announce(more ? `The first ${people.length} people.` : `${people.length} enrolled.`);
    return;
  }
  const none = "Nobody is enrolled yet.";
  const link = createElement("a", { href: "#enroll" }, "Enroll somebody");
  list.replaceChildren(createElement("p", { class: "empty" }, `${none} `, link));
  announce(none);
}

// The button below the people that were loaded, which loads those after `last`.
function createMore(last) {
  const button = createElement("button", { type: "button" }, "Show more people");
  button.addEventListener("click", () => whileBusy(button, async () => {
    const isNewest = startLoading();
    const path = `/v1/people?after=${encodeURIComponent(last)}`;
    const { people, more } = await request("GET", path);
    if (!isNewest()) return;
    const added = people.map(createPerson);
    button.replaceWith(...added, ...(more ? [createMore(people.at(-1).user)] : []));
    added[0]?.querySelector("button")?.focus();
    announce(`${people.length} more people.`);
  }));
  return button;
}

function createPerson(person) {
  const enrolled = `Enrolled ${person.enrolled.slice(0, 10)} with ${person.model}.`;
  const details = createElement(
    "div", {},
    createElement("h3", {}, person.user),
    createElement("p", {}, toSentence(qualityOf(person).join(", "))),
    createElement("p", { class: "quiet" }, `${enrolled} ${toSentence(person.expectation || "")}`),
    ...warningsOf(person).map((text) => createElement("p", { class: "warn" }, text)),
  );
  return createElement("article", { class: "person" }, details, createForget(person.user));
}

// Numbers that the service leaves out or gives as null are unknown.
const isKnown = (value) => value !== null && value !== undefined;

function qualityOf({ photos, agreement, margin }) {
  const facts = [];
  if (photos) facts.push(plural(photos, "photo"));
  if (isKnown(agreement)) facts.push(`lowest similarity to each other ${agreement.toFixed(3)}`);
  if (margin > 0) {
    facts.push(`the most similar of 400 strangers stays ${margin.toFixed(3)} below the threshold`);
  }
  return facts;
}

function warningsOf({ photos, margin, look_alikes: lookAlikes = [] }) {
  const warnings = lookAlikes.map(({ user, similarity }) =>
    `Looks like ${user} (${similarity.toFixed(3)}), so each may be accepted as the other.`);
  if (isKnown(margin) && margin <= 0) {
    warnings.push("One of 400 strangers would be accepted; add photos in different light.");
  }
  if (photos === 1) {
    warnings.push("One photo only; add two to four more in different light.");
  }
  return warnings;
}

// Deleting needs a second press; moving on to something else cancels it.
function createForget(user) {
  const button = createElement("button", { class: "danger", type: "button" }, `Forget ${user}`);
  const cancel = createElement("button", { type: "button", hidden: "" }, "Cancel");
  const group = createElement("div", { class: "row for-admin" }, button, cancel);
  const setArmed = (armed) => {
    if (!armed && document.activeElement === cancel) button.focus();
    cancel.hidden = !armed;
    button.textContent = armed ? `Really forget ${user}?` : `Forget ${user}`;
  };
  button.addEventListener("click", async () => {
    if (cancel.hidden) {
      setArmed(true);
      return;
    }
    const forgotten = await whileBusy(button, () => forget(user));
    setArmed(false);
    if (forgotten) await showForgotten(user);
  });
  cancel.addEventListener("click", () => setArmed(false));
  group.addEventListener("keydown", (event) => {
    if (event.key === "Escape") setArmed(false);
  });
  group.addEventListener("focusout", (event) => {
    if (!group.contains(event.relatedTarget)) setArmed(false);
  });
  return group;
}

async function forget(user) {
  try {
    return await request("DELETE", `/v1/people/${encodeURIComponent(user)}`);
  } catch (error) {
    if (error.status === 404) error.message = `${user} is not enrolled any more.`;
    throw error;
  }
}

async function showForgotten(user) {
  await enter();
  $("people-title").focus();
  announce(`${user} is forgotten.`);
}
