// The card of one person: quality, past unlocks, and adding, replacing, renaming and forgetting.

import { createForm, personPath, request } from "./api.js";
import { ask } from "./dialog.js";
import { createButton, createElement, createFace, createSvg, whileBusy } from "./dom.js";
import { enrollAgain } from "./enroll.js";
import { changeFollowing, createKept } from "./follow.js";
import { fixed, formatDate, formatTime, plural, t } from "./i18n.js";
import { nameError } from "./names.js";
import { qualityTag } from "./quality.js";

// onChange: called with what to announce after the person was changed
export function createPerson(person, onChange) {
  return createElement(
    "article", { class: "card person" },
    createFace(person, "large"),
    createElement("div", {},
      createElement("h3", {}, person.user),
      createElement("p", { class: "quiet small" }, ...factsOf(person))),
    qualityTag(person.quality) || createElement("span"),
    createElement("div", { class: "wide" },
      ...warningsOf(person).map((text) => createElement("p", { class: "advice" }, text)),
      createSpark(person),
      ...createKept(person, onChange)),
    createActions(person, onChange),
  );
}

function factsOf({ photos, enrolled }) {
  const facts = [formatDate(enrolled)];
  if (photos) facts.unshift(plural(photos, "{count} photo", "{count} photos"));
  return facts.flatMap((fact, at) => (
    [at ? " · " : "", createElement("span", { class: "fact" }, fact)]
  ));
}

function warningsOf({ photos, quality, margin, model, look_alikes: lookAlikes = [] }) {
  const warnings = lookAlikes.map(({ user, similarity }) => t(
    "Looks like {user} ({similarity}), so each may be accepted as the other.",
    { user, similarity: fixed(similarity, 2) },
  ));
  if (!quality) warnings.push(t("Enrolled with another model ({model}).", { model }));
  if (typeof margin === "number" && margin <= 0 && quality === "poor") {
    warnings.push(t("One of 400 strangers would be accepted; add photos in different light."));
  }
  if (photos === 1) {
    warnings.push(t("One photo only; add two to four more in different light."));
  }
  if (!warnings.length && quality === "fair") {
    warnings.push(t("More photos in different light would make it better."));
  }
  return warnings;
}

// past unlocks ----------------------------------------------------------------------------------

// the line of the similarities of past unlocks, over the threshold
function createSpark({ unlocks = [], threshold }) {
  const last = unlocks.at(-1);
  if (!last) return createElement("p", { class: "quiet small" }, t("Not unlocked yet."));
  const when = { date: formatDate(last.at), time: formatTime(last.at) };
  const words = createElement(
    "p", { class: "quiet small" }, t("Last unlocked {date}, {time}", when),
  );
  if (unlocks.length < 2) return words;
  const values = unlocks.map((one) => one.similarity);
  const low = Math.min(...values, threshold ?? 1) - 0.05;
  const high = Math.max(...values) + 0.05;
  const y = (value) => 30 - (30 * (value - low)) / (high - low);
  const x = (at) => (100 * at) / (values.length - 1);
  const path = values.map((value, at) => `${at ? "L" : "M"}${x(at)} ${y(value)}`).join("");
  const range = { count: values.length, low: fixed(Math.min(...values), 2),
    high: fixed(Math.max(...values), 2), threshold: fixed(threshold ?? 0, 2) };
  const svg = createSvg(
    "svg", {
      class: "spark", viewBox: "0 0 100 30", preserveAspectRatio: "none", role: "img",
      "aria-label": t("Similarities of the last {count} unlocks: {low} to {high};"
        + " the threshold is {threshold}", range),
    },
    threshold ? createSvg("line", { x1: 0, x2: 100, y1: y(threshold), y2: y(threshold) }) : null,
    createSvg("path", { d: path }),
  );
  return createElement("div", {}, svg, words);
}

// what can be done ------------------------------------------------------------------------------

function createActions(person, onChange) {
  const { user, picture } = person;
  const enroll = (mode) => () => {
    enrollAgain(user, mode);
    location.hash = "#enroll";
  };
  const change = (button, work) => whileBusy(button, async () => {
    const told = await work();
    if (told) await onChange(told);
  });
  const more = (text, work, kind = "") => createButton(
    text, (event) => change(event.currentTarget, () => work(user)), `small plain ${kind}`,
  );
  const forget = more(t("Forget"), forgetAfterQuestion, "danger");
  forget.classList.add("for-admin");
  forget.setAttribute("aria-label", t("Forget {user}", { user }));
  return createElement(
    "div", { class: "row wide" },
    createButton(t("Add photos"), enroll("add"), "small"),
    createButton(t("Replace"), enroll("replace"), "small plain"),
    more(t("Rename"), rename),
    more(t("Follow the face"), () => changeFollowing(person)),
    picture ? more(t("Remove picture"), removePicture) : null,
    forget,
  );
}

async function rename(user) {
  const field = createElement("div", { class: "field" });
  const input = createElement("input", { value: user, maxlength: "64", id: "new-name" });
  field.append(createElement("label", { for: "new-name" }, t("New name")), input);
  const chosen = await ask({
    title: t("Rename {user}", { user }),
    field,
    choices: [
      { text: t("Rename"), value: "rename", kind: "primary" },
      { text: t("Cancel"), value: "" },
    ],
  });
  const name = input.value.trim();
  if (!chosen || name === user) return null;
  const wrong = nameError(name);
  if (wrong) throw new Error(wrong);
  await request("POST", `${personPath(user)}/name`, createForm([["name", name]]));
  return t("{user} is now {name}.", { user, name });
}

async function removePicture(user) {
  await request("DELETE", `${personPath(user)}/picture`);
  return t("The picture of {user} is removed.", { user });
}

// Deleting needs a second press.
async function forgetAfterQuestion(user) {
  const chosen = await ask({
    title: t("Forget {user}?", { user }),
    text: t("Template, picture and past unlocks are deleted. This cannot be undone."),
    choices: [
      { text: t("Forget {user}", { user }), value: "forget", kind: "danger" },
      { text: t("Keep"), value: "" },
    ],
  });
  if (!chosen) return null;
  try {
    await request("DELETE", personPath(user));
  } catch (error) {
    if (error.status === 404) error.message = t("{user} is not enrolled any more.", { user });
    throw error;
  }
  return t("{user} is forgotten.", { user });
}
