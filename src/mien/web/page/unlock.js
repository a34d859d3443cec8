// Unlock: a name and a face, and the decision. With the camera it is decided by itself as soon as
// the face is there, by three of five frames.

import { createForm, request } from "./api.js";
import { Camera } from "./camera.js";
import { runChallenge } from "./challenge.js";
import {
  $, countDown, createElement, createFace, latestOnly, showNotice, toSentence, whileBusy,
} from "./dom.js";
import { fixed, language, plural, setText, t, tService } from "./i18n.js";
import { shrink } from "./photos.js";

const FRAMES = 5;
const FRAME_GAP_MS = 90;
const PATIENCE = 5; // looks at a face that could be seen better, before it is decided all the same
const MAX_PICKS = 8;
const CHALLENGE_NEEDED = Symbol("challenge needed");
const GAUGE_FROM = -0.2; // similarity at the left end of the gauge; the right end is 1

const startAttempt = latestOnly();
const startLoading = latestOnly();
let stopWaiting = () => {};
let isArmed = false; // decide as soon as the face is there
let looks = 0;

const camera = new Camera(document.querySelector("[data-camera=unlock]"), {
  onState: (state) => {
    setText($("unlock-camera"), state === "on" ? "Unlock now" : "Unlock with the camera");
    if (state === "on") $("unlock-look").scrollIntoView({ block: "nearest" });
  },
  onSeen: decideWhenThere,
});

export async function enter() {
  clearDecision();
  const isNewest = startLoading();
  try {
    const { people, more } = await request("GET", "/v1/people");
    if (isNewest()) showPeople(people, more);
  } catch {
    // a token of scope unlock may not list names
  }
}

export function leave() {
  clearDecision();
  camera.stop();
}

// the person who was enrolled just now
export async function tryAs(user) {
  $("unlock-user").value = user;
  markPick();
  await startCamera();
}

// choosing the person ---------------------------------------------------------------------------

function showPeople(people, more) {
  const options = people.map((one) => createElement("option", { value: one.user }));
  $("names").replaceChildren(...options);
  const field = $("unlock-user");
  // whoever began to type meanwhile would get two names in one
  const isUntouched = !field.value && document.activeElement !== field;
  if (people.length === 1 && isUntouched) field.value = people[0].user;
  const picks = people.length > 1 && people.length <= MAX_PICKS && !more ? people : [];
  $("unlock-picks").hidden = !picks.length;
  $("unlock-picks").replaceChildren(...picks.map(createPick));
  markPick();
}

function createPick(person) {
  const pick = createElement(
    "button", { type: "button", class: "pick", "data-user": person.user },
    createFace(person), createElement("span", {}, person.user),
  );
  pick.addEventListener("click", () => {
    $("unlock-user").value = person.user;
    $("unlock-user").dispatchEvent(new Event("input", { bubbles: true }));
  });
  return pick;
}

function markPick() {
  const user = $("unlock-user").value.trim();
  for (const pick of $("unlock-picks").children) {
    pick.setAttribute("aria-pressed", String(pick.dataset.user === user));
  }
}

function userOrNotice() {
  const user = $("unlock-user").value.trim();
  if (user) return user;
  showNotice(t("Type a name first."), $("unlock-user"));
  $("unlock-user").focus();
  return "";
}

// deciding --------------------------------------------------------------------------------------

async function startCamera() {
  if (!userOrNotice()) return;
  showNotice("");
  isArmed = true;
  looks = 0;
  await camera.start();
}

// what the camera asks on each look; the words to show
function decideWhenThere(seen) {
  if (!seen.face) looks = 0;
  if (!isArmed || !seen.face) return null;
  looks += 1;
  if (seen.advice.length && looks < PATIENCE) return null;
  decideByCamera();
  return t("Hold still…");
}

async function decideByCamera() {
  const user = userOrNotice();
  if (!user) return;
  isArmed = false;
  await decide(user, $("unlock-camera"), async () => {
    const decision = await requestDecision("/v1/unlock/frames", user, await takeFrames());
    return decision === CHALLENGE_NEEDED ? runChallenge(camera, user) : decision;
  });
}

async function takeFrames() {
  camera.pauseAdvice();
  camera.setGuidance(t("Hold still…"));
  const fields = [];
  try {
    for (let number = 1; number <= FRAMES && camera.isOn; number += 1) {
      fields.push(["photos", await camera.takeFrame(), `${number}.jpg`]);
      camera.overlay.showRing(number, FRAMES);
      await camera.waitForNextFrame(FRAME_GAP_MS);
    }
  } finally {
    camera.overlay.showRing(0, 0);
    camera.resumeAdvice();
  }
  if (!fields.length) throw new Error(t("The camera was stopped; start it and try again"));
  return fields;
}

async function decideByPhoto(file) {
  const user = userOrNotice();
  if (!user) return;
  camera.stop();
  await decide(user, $("unlock-file").previousElementSibling, async () => {
    const photo = [["photo", await shrink(file)]];
    const decision = await requestDecision("/v1/unlock", user, photo);
    if (decision !== CHALLENGE_NEEDED) return decision;
    throw new Error(t("A photo opens nothing here; use the camera"));
  });
}

async function decide(user, button, getDecision) {
  await whileBusy(button, async () => {
    clearDecision();
    const isNewest = startAttempt();
    const decision = await getDecision();
    if (isNewest()) showDecision(decision, user);
  });
}

// Refusals have an exit code. What else went wrong is not a decision, and is thrown.
async function requestDecision(path, user, photos) {
  try {
    return await request("POST", path, createForm([["user", user], ...photos]));
  } catch (error) {
    const outcome = error.data?.outcome;
    // the service asks for a challenge, or this token is good for challenges only
    if (outcome === "not_live" || outcome === "forbidden") return CHALLENGE_NEEDED;
    if (!error.data?.exit_code || error.status >= 500) throw error;
    return { ...error.data, waitS: error.waitS };
  }
}

// the decision ----------------------------------------------------------------------------------

// A decision belongs to one name and one moment; one that has not arrived yet is dropped, too.
function clearDecision() {
  startAttempt();
  stopWaiting();
  $("unlock-decision").hidden = true;
  $("unlock-look").hidden = false;
}

function showDecision(decision, user) {
  camera.stop();
  const unlocked = decision.outcome === "unlocked";
  const box = $("unlock-decision");
  $("unlock-look").hidden = true;
  box.hidden = false;
  box.classList.toggle("yes", unlocked);
  box.classList.toggle("no", !unlocked);
  $("unlock-result").textContent = unlocked ? t("Unlocked") : t("Locked");
  $("unlock-reason").textContent = reasonOf(decision, user);
  showScores(decision);
  showAgain(unlocked, decision.outcome === "too_many_attempts" ? decision.waitS : 0);
  box.scrollIntoView({ block: "nearest" });
}

function reasonOf(decision, user) {
  if (decision.outcome === "not_enrolled") return t("{user} is not enrolled.", { user });
  if (decision.waitS) return t("Too many failed attempts.");
  return toSentence(tService(decision.reason || decision.error));
}

function showAgain(unlocked, waitS) {
  const again = $("unlock-again");
  again.removeAttribute("aria-disabled");
  setText(again, unlocked ? "Done" : "Try again");
  if (!waitS) return;
  stopWaiting = countDown(waitS, (left) => {
    if (left) again.setAttribute("aria-disabled", "true");
    else again.removeAttribute("aria-disabled");
    again.textContent = left ? plural(
      left, "Try again in {count} second", "Try again in {count} seconds",
    ) : t("Try again");
  });
}

function showScores({ similarity, threshold, odds, faults }) {
  const gauge = $("unlock-gauge");
  gauge.hidden = typeof similarity !== "number";
  $("unlock-scores").textContent = "";
  if (gauge.hidden) return;
  gauge.querySelector(".fill").style.width = gaugePlace(similarity);
  gauge.querySelector(".tick").style.left = gaugePlace(threshold);
  const values = { similarity: fixed(similarity, 3), threshold: fixed(threshold, 3) };
  const scores = t("similarity {similarity}, threshold {threshold}", values);
  gauge.setAttribute("aria-label", scores);
  const words = [scores, tService(odds || ""), (faults || []).map(tService).join("; ")];
  const space = language === "zh" ? "" : " "; // between sentences
  $("unlock-scores").textContent = words.map(toSentence).filter(Boolean).join(space);
}

function gaugePlace(value) {
  const share = Math.min(1, Math.max(0, (value - GAUGE_FROM) / (1 - GAUGE_FROM)));
  return `${Math.round(1000 * share) / 10}%`;
}

$("unlock-user").addEventListener("input", () => {
  clearDecision();
  markPick();
});
$("unlock-form").addEventListener("submit", async (event) => {
  event.preventDefault();
  if (camera.isOn) await decideByCamera();
  else await startCamera();
});
$("unlock-again").addEventListener("click", async () => {
  if ($("unlock-again").getAttribute("aria-disabled") === "true") return;
  const wasUnlocked = $("unlock-decision").classList.contains("yes");
  clearDecision();
  $("unlock-camera").focus();
  if (!wasUnlocked) await startCamera();
});
$("unlock-file").addEventListener("change", async (event) => {
  const [file] = event.target.files;
  event.target.value = "";
  if (file) await decideByPhoto(file);
});
