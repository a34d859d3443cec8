// Enroll: photos are collected in the page, checked one by one, and sent together.

import {
  $, createElement, createForm, plural, request, showNotice, toSentence, whileBusy,
} from "./api.js";
import { Camera } from "./camera.js";
import { runChallenge } from "./challenge.js";
import { maxBytesEach, shrink } from "./photos.js";

const camera = new Camera(document.querySelector("[data-camera=enroll]"), $("enroll-camera"));
// { file, url, message, isBad, agreement, source }; agreement: similarity to the other photos, once
// known; source: "camera" or "files"
let collected = [];

export function leave() {
  camera.stop();
}

// Why a name cannot be used, or null. The service has the same rules.
function nameError(name) {
  if (!name) return "Type the person's name.";
  if (name.includes("/")) {
    return "A name cannot contain a slash, as in a path; choose one such as ana.";
  }
  if (name === "." || name === "..") {
    return `"${name}" is the name of a folder; choose a name such as ana.`;
  }
  if (name.startsWith("-")) {
    return "A name cannot start with a dash, as an option does; choose one such as ana.";
  }
  if (/[\p{C}\p{Zl}\p{Zp}\p{Default_Ignorable_Code_Point}\u2800]|(?! )\p{Zs}/u.test(name)) {
    return "The name contains an invisible character; type it again.";
  }
  return null;
}

// collecting photos ---------------------------------------------------------------------------

function showCollected() {
  const count = collected.length;
  $("enroll-empty").hidden = count > 0;
  $("enroll-send").setAttribute("aria-disabled", String(count === 0));
  $("enroll-send").textContent = count ? `Enroll ${plural(count, "photo")}` : "Enroll";
  const cards = collected.map((photo, index) => createCard(photo, index, removeButton(index)));
  $("enroll-photos").replaceChildren(...cards);
}

function removeButton(index) {
  return createElement("button", {
    type: "button",
    "aria-label": `Remove photo ${index + 1}`,
    onclick: () => removePhoto(index),
  }, "Remove");
}

function createCard(photo, index, button) {
  return createElement(
    "li", { class: photo.isBad ? "bad" : null },
    createElement("img", { src: photo.url, alt: `Photo ${index + 1}` }),
    createElement("p", { class: photo.isBad ? "warn" : null }, photo.message),
    photo.agreement === undefined ? null : createBar(photo.agreement),
    button,
  );
}

// hidden from screen readers, because the text above it has the same number
function createBar(value) {
  const fill = createElement("span", { class: "fill" });
  fill.style.width = `${Math.round(100 * Math.min(1, Math.max(0, value)))}%`;
  return createElement("div", { class: "bar", "aria-hidden": "true" }, fill);
}

function removePhoto(index) {
  URL.revokeObjectURL(collected[index].url);
  collected = collected.filter((_, other) => other !== index);
  showCollected();
  const buttons = $("enroll-photos").querySelectorAll("button");
  (buttons[Math.min(index, buttons.length - 1)] ?? $("enroll-camera")).focus();
}

async function addPhoto(file, source) {
  const url = URL.createObjectURL(file);
  const photo = { file, url, message: "Checking…", isBad: false, source };
  collected.push(photo);
  showCollected();
  try {
    const seen = await request("POST", "/v1/look", createForm([["photo", file]]));
    photo.isBad = !seen.face;
    photo.message = seen.advice.length ? toSentence(seen.advice[0]) : "Good.";
  } catch (error) {
    photo.isBad = true;
    photo.message = toSentence(error.message);
  }
  if (collected.includes(photo)) showCollected();
}

// sending -------------------------------------------------------------------------------------

async function send() {
  const user = $("enroll-user").value.trim();
  const wrong = nameError(user);
  if (wrong) {
    showNotice(wrong, $("enroll-user"));
    $("enroll-user").focus();
    return;
  }
  if (!collected.length) {
    showNotice("Take a photo or choose files first.", $("enroll-send"));
    return;
  }
  $("enroll-result").hidden = true;
  await whileBusy($("enroll-send"), () => enroll(user, [...collected]));
  $("enroll-send").setAttribute("aria-disabled", String(collected.length === 0));
}

async function enroll(user, photos) {
  const maxBytes = maxBytesEach(photos.length);
  const files = await Promise.all(photos.map((photo) => shrink(photo.file, maxBytes)));
  const source = photos.some((photo) => photo.source === "camera") ? "camera" : "files";
  const mode = ["mode", $("enroll-mode").value];
  const fields = [mode, ["source", source], ...files.map((file) => ["photos", file])];
  let shown = photos;
  try {
    const path = `/v1/people/${encodeURIComponent(user)}`;
    showEnrollment(user, photos, await request("POST", path, createForm(fields)));
  } catch (error) {
    if (error.data?.outcome === "not_live") {
      await enrollByMovements(user, mode);
      shown = [];
      return;
    }
    for (const photo of namedPhotos(photos, error.message)) {
      photo.isBad = true;
      photo.message = "Refused: see the reason below.";
    }
    if (error.status === 409) error.message = takenName(user);
    throw error;
  } finally {
    showPhotos(shown);
  }
}

// The service wants to see a living person: the frames of the movements take the photos' place.
async function enrollByMovements(user, mode) {
  if (!camera.isOn) await camera.start();
  const result = await runChallenge(camera, user, [["purpose", "enroll"], mode]);
  if (result.outcome !== "enrolled") throw new Error(result.reason || result.error);
  collected = [];
  showResult(user, result);
}

const takenName = (user) => `${user} is enrolled already. Choose another name, or under "If the `
  + 'name is taken" choose to add these photos or to replace the earlier ones.';

// the photos that a message names, as in "photo 2"
function namedPhotos(photos, message) {
  const numbers = [...message.matchAll(/\bphoto (\d+)/g)].map((found) => Number(found[1]));
  return numbers.map((number) => photos[number - 1]).filter(Boolean);
}

function showEnrollment(user, photos, enrollment) {
  for (const { photo: name, leave_one_out: agreement } of enrollment.photos) {
    const [photo] = namedPhotos(photos, name);
    photo.message = "The only photo so far.";
    if (agreement === null) continue;
    photo.agreement = agreement;
    photo.message = `Similarity to the others: ${agreement.toFixed(2)}.`;
  }
  for (const { photo: name, same_as: other } of enrollment.skipped) {
    const [photo] = namedPhotos(photos, name);
    photo.message = `Left out: nearly the same as ${other}, so it adds nothing.`;
  }
  showResult(user, enrollment);
  collected = collected.filter((photo) => !photos.includes(photo));
}

function showResult(user, enrollment) {
  const lines = [...enrollment.advice, enrollment.expectation];
  if (enrollment.margin > 0) {
    const margin = enrollment.margin.toFixed(3);
    lines.push(`the most similar of 400 strangers stays ${margin} below the threshold`);
  }
  const items = lines.filter(Boolean).map((line) => createElement("li", {}, toSentence(line)));
  const count = plural(enrollment.photos_in_template, "photo");
  $("enroll-result").hidden = false;
  $("enroll-result").replaceChildren(
    createElement("p", { class: "result" }, `${user} is enrolled from ${count}`),
    createElement("ul", {}, ...items),
  );
  camera.stop();
}

// Enrolled photos stay visible, with their messages, until the next photo is added.
function showPhotos(photos) {
  showCollected();
  if (collected.length) return;
  $("enroll-empty").hidden = true;
  const cards = photos.map((photo, index) => createCard(photo, index, null));
  $("enroll-photos").replaceChildren(...cards);
}

$("enroll-camera").addEventListener("click", async () => {
  if (camera.isOn) await addPhoto(await camera.takeFrame(), "camera");
  else await camera.start();
});
$("enroll-files").addEventListener("change", async (event) => {
  const files = [...event.target.files];
  event.target.value = "";
  for (const file of files) await addPhoto(await shrink(file), "files");
});
$("enroll-form").addEventListener("submit", async (event) => {
  event.preventDefault();
  await send();
});
showCollected();
