// Enroll: photos are collected in the page, by the guide or from files, and sent together.

import { createForm, personPath, request } from "./api.js";
import { Camera } from "./camera.js";
import { runChallenge } from "./challenge.js";
import { ask } from "./dialog.js";
import {
  $, acceptDrops, createElement, messageOf, showNotice, toSentence, whileBusy,
} from "./dom.js";
import { readDraft, saveDraft } from "./draft.js";
import { showResult } from "./enrolled.js";
import { Guide } from "./guide.js";
import { fixed, plural, setText, t, tService } from "./i18n.js";
import { nameError } from "./names.js";
import { maxBytesEach, shrink } from "./photos.js";

// { file, url, message, isBad, agreement, source }; agreement: similarity to the other photos, once
// known; source: "camera" or "files"
let collected = [];
let wantedMode = "new"; // "add" or "replace", where a person of the People view gets photos
let restored = false;

const camera = new Camera(document.querySelector("[data-camera=enroll]"), {
  onState: (state) => {
    showButtons();
    if (state !== "on") return;
    $("welcome").hidden = true;
    $("enroll-title").hidden = false;
    $("enroll-drop").querySelector(".camera-bar").scrollIntoView({ block: "nearest" });
  },
  onSeen: (seen, frame) => guide.see(seen, frame),
});
const guide = new Guide(camera.overlay, {
  take: (frame, seen) => addPhoto(frame, "camera", seen),
  finish: () => {
    camera.stop(t("All photos are taken."));
    $("enroll-send").focus();
  },
});

export async function enter() {
  showButtons();
  const [draft, nobody] = await Promise.all([restored ? null : readDraft(), isNobodyEnrolled()]);
  $("welcome").hidden = !nobody || !$("enroll-result").hidden;
  $("enroll-title").hidden = !$("welcome").hidden;
  if (restored || !draft) return;
  restored = true;
  $("enroll-user").value ||= draft.user;
  collected = draft.photos.map((photo) => ({ ...photo, url: URL.createObjectURL(photo.file) }));
  showCollected();
}

export function leave() {
  camera.stop();
  if (!$("enroll-result").hidden) startOver();
}

// more photos of somebody, or others in their place; mode: "add" or "replace"
export function enrollAgain(user, mode) {
  startOver();
  $("enroll-user").value = user;
  wantedMode = mode;
}

async function isNobodyEnrolled() {
  try {
    const { people } = await request("GET", "/v1/people?limit=1");
    return people.length === 0;
  } catch {
    return false;
  }
}

// collecting photos ---------------------------------------------------------------------------

function showCollected() {
  const cards = collected.map((photo, index) => createCard(photo, index, removeButton(index)));
  $("enroll-photos").replaceChildren(...cards);
  showButtons();
  keepDraft();
}

function keepDraft() {
  const photos = collected.map(({ file, message, isBad, source }) => (
    { file, message, isBad, source }
  ));
  // a browser without room or storage: the photos live as long as the page
  saveDraft({ user: $("enroll-user").value, photos }).catch(() => {});
}

// one of them is the primary one
function showButtons() {
  const count = collected.length;
  $("enroll-send").hidden = count === 0;
  $("enroll-send").classList.toggle("primary", count > 0);
  $("enroll-camera").classList.toggle("primary", count === 0 && !camera.isOn);
  delete $("enroll-send").dataset.t;
  $("enroll-send").textContent = plural(count, "Enroll {count} photo", "Enroll {count} photos");
  if (camera.isOn) setText($("enroll-camera"), "Take a photo now");
  else setText($("enroll-camera"), count ? "Take more photos" : "Start the camera");
}

function removeButton(index) {
  return createElement("button", {
    type: "button",
    "aria-label": t("Remove photo {number}", { number: index + 1 }),
    onclick: () => removePhoto(index),
  }, "✕");
}

function createCard(photo, index, button) {
  return createElement(
    "li", { class: photo.isBad ? "bad" : null },
    createElement("img", { src: photo.url, alt: t("Photo {number}", { number: index + 1 }) }),
    createElement("p", {}, photo.message),
    photo.agreement === undefined ? null : createMeter(photo.agreement),
    button,
  );
}

// hidden from screen readers, because the text above it has the same number
function createMeter(value) {
  const filled = createElement("span", { class: "fill" });
  filled.style.width = `${Math.round(100 * Math.min(1, Math.max(0, value)))}%`;
  return createElement("div", { class: "meter", "aria-hidden": "true" }, filled);
}

function removePhoto(index) {
  URL.revokeObjectURL(collected[index].url);
  collected = collected.filter((_, other) => other !== index);
  showCollected();
  const buttons = $("enroll-photos").querySelectorAll("button");
  (buttons[Math.min(index, buttons.length - 1)] ?? $("enroll-camera")).focus();
}

// seen: what the service saw on it, if it was asked already
async function addPhoto(file, source, seen = null) {
  const url = URL.createObjectURL(file);
  const photo = { file, url, message: t("Checking…"), isBad: false, source };
  collected.push(photo);
  showCollected();
  try {
    const found = seen ?? await request("POST", "/v1/look", createForm([["photo", file]]));
    photo.isBad = !found.face || found.advice.length > 0;
    photo.message = toSentence(tService(found.advice[0] ?? "")) || t("Good.");
  } catch (error) {
    photo.isBad = true;
    photo.message = toSentence(messageOf(error));
  }
  if (collected.includes(photo)) showCollected();
}

async function addFiles(files) {
  for (const file of files) await addPhoto(await shrink(file), "files");
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
    await useCamera();
    return;
  }
  await whileBusy($("enroll-send"), () => enroll(user, [...collected], wantedMode));
}

async function enroll(user, photos, mode) {
  const maxBytes = maxBytesEach(photos.length);
  const files = await Promise.all(photos.map((photo) => shrink(photo.file, maxBytes)));
  const source = photos.some((photo) => photo.source === "camera") ? "camera" : "files";
  const picture = ["keep_picture", String($("enroll-picture").checked)];
  const fields = [["mode", mode], ["source", source], picture];
  const sent = createForm([...fields, ...files.map((file) => ["photos", file])]);
  try {
    const enrollment = await request("POST", personPath(user), sent);
    showAgreement(photos, enrollment);
    finish(user, enrollment, photos);
  } catch (error) {
    await settle(error, user, photos, mode);
  }
}

// what the person can decide is asked; what is wrong with a photo is shown at it
async function settle(error, user, photos, mode) {
  if (error.data?.outcome === "not_live") {
    await enrollByMovements(user, mode);
    return;
  }
  const question = QUESTIONS[error.data?.kind];
  if (question) {
    const chosen = await question(user);
    if (chosen === "name") $("enroll-user").focus();
    else if (chosen) await enroll(user, photos, chosen);
    return;
  }
  for (const photo of namedPhotos(photos, error.message)) {
    photo.isBad = true;
    photo.message = t("Refused: see the reason below.");
  }
  showCollected();
  throw error;
}

const askAboutName = (user) => ask({
  title: t("{user} is enrolled already", { user }),
  text: t("What shall happen to these photos?"),
  choices: [
    { text: t("Add them to {user}", { user }), value: "add", kind: "primary" },
    { text: t("Replace the earlier photos"), value: "replace" },
    { text: t("Choose another name"), value: "name" },
  ],
});

const askAboutFace = (user) => ask({
  title: t("These photos show another face"),
  text: t(
    "{user} was enrolled with another face. The new one would unlock in its place.",
    { user },
  ),
  choices: [
    { text: t("Choose another name"), value: "name", kind: "primary" },
    { text: t("Let the new face be {user}", { user }), value: "replace_person", kind: "danger" },
  ],
});

const QUESTIONS = { already_enrolled: askAboutName, another_face: askAboutFace };

// The service wants to see a living person: the frames of the movements take the photos' place.
async function enrollByMovements(user, mode) {
  if (!camera.isOn) await camera.start();
  camera.stage.scrollIntoView({ block: "nearest" }); // the button was below it
  const purpose = [["purpose", "enroll"], ["mode", mode]];
  const picture = [["keep_picture", String($("enroll-picture").checked)]];
  const result = await runChallenge(camera, user, purpose, picture);
  if (result.outcome !== "enrolled") throw new Error(result.reason || result.error);
  finish(user, result, []);
}

// the photos that a message names, as in "photo 2"
function namedPhotos(photos, message) {
  const numbers = [...message.matchAll(/\bphoto (\d+)/g)].map((found) => Number(found[1]));
  return numbers.map((number) => photos[number - 1]).filter(Boolean);
}

function showAgreement(photos, enrollment) {
  for (const { photo: name, leave_one_out: agreement } of enrollment.photos) {
    const [photo] = namedPhotos(photos, name);
    photo.message = t("The only photo so far.");
    if (agreement === null) continue;
    photo.agreement = agreement;
    photo.message = t("Similarity to the others: {value}.", { value: fixed(agreement, 2) });
  }
  for (const { photo: name, same_as: other } of enrollment.skipped) {
    const [photo] = namedPhotos(photos, name);
    const values = { other: tService(other) };
    photo.message = t("Left out: nearly the same as {other}, so it adds nothing.", values);
  }
}

function finish(user, enrollment, photos) {
  camera.stop();
  collected = [];
  wantedMode = "new";
  showCollected();
  $("welcome").hidden = true;
  $("enroll-title").hidden = false;
  $("enroll-form").hidden = true;
  const cards = photos.map((photo, index) => createCard(photo, index, null));
  showResult(user, enrollment, cards, startOver);
}

function startOver() {
  $("enroll-result").hidden = true;
  $("enroll-form").hidden = false;
  $("enroll-user").value = "";
  wantedMode = "new";
}

async function useCamera() {
  if (!camera.isOn) {
    guide.begin(guide.isOver ? 0 : collected.length);
    await camera.start();
    if (camera.isOn) guide.show();
    return;
  }
  const frame = await camera.takeFrame();
  if (guide.isOver) await addPhoto(frame, "camera");
  else guide.add(frame, null);
}

$("enroll-camera").addEventListener("click", useCamera);
$("enroll-files").addEventListener("change", async (event) => {
  const files = [...event.target.files];
  event.target.value = "";
  await addFiles(files);
});
acceptDrops($("enroll-drop"), (dropped) => addFiles(dropped.map(([file]) => file)));
$("enroll-form").addEventListener("submit", async (event) => {
  event.preventDefault();
  await send();
});
