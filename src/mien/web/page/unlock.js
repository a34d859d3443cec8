// Unlock: a name and a face, and the decision.

import {
  $, createElement, createForm, latestOnly, request, showNotice, toSentence, whileBusy,
} from "./api.js";
import { Camera } from "./camera.js";
import { runChallenge } from "./challenge.js";
import { shrink } from "./photos.js";

const camera = new Camera(document.querySelector("[data-camera=unlock]"), $("unlock-camera"));
const startAttempt = latestOnly();
const CHALLENGE_NEEDED = Symbol("challenge needed");
const GAUGE_FROM = -0.2; // similarity at the left end of the gauge; the right end is 1

export async function enter() {
  clearDecision();
  try {
    const { people } = await request("GET", "/v1/people");
    const options = people.map((one) => createElement("option", { value: one.user }));
    $("names").replaceChildren(...options);
    const field = $("unlock-user");
    // whoever began to type meanwhile would get two names in one
    const isUntouched = !field.value && document.activeElement !== field;
    if (people.length === 1 && isUntouched) field.value = people[0].user;
  } catch {
    // a token of scope unlock may not list names
  }
}

export function leave() {
  clearDecision();
  camera.stop();
}

// A decision belongs to one name and one moment; one that has not arrived yet is dropped, too.
function clearDecision() {
  startAttempt();
  $("unlock-decision").hidden = true;
}

// getPhoto: gives the photo; null starts the camera first. fromCamera: a challenge can follow
async function unlock(getPhoto, button, fromCamera = false) {
  const user = $("unlock-user").value.trim();
  if (!user) {
    showNotice("Type a name first.", $("unlock-user"));
    $("unlock-user").focus();
    return;
  }
  if (!getPhoto) {
    await camera.start();
    return;
  }
  await whileBusy(button, async () => {
    clearDecision();
    const isNewest = startAttempt();
    let decision = await requestDecision(user, await getPhoto());
    if (decision === CHALLENGE_NEEDED) {
      if (!fromCamera) throw new Error("A photo opens nothing here; use the camera");
      decision = await runChallenge(camera, user);
    }
    if (isNewest()) showDecision(decision);
  });
}

// Refusals have an exit code. What else went wrong is not a decision, and is thrown.
async function requestDecision(user, photo) {
  try {
    return await request("POST", "/v1/unlock", createForm([["user", user], ["photo", photo]]));
  } catch (error) {
    const outcome = error.data?.outcome;
    // the service asks for a challenge, or this token is good for challenges only
    if (outcome === "not_live" || outcome === "forbidden") return CHALLENGE_NEEDED;
    if (!error.data?.exit_code || error.status >= 500) throw error;
    return error.data;
  }
}

function showDecision(decision) {
  const unlocked = decision.outcome === "unlocked";
  const box = $("unlock-decision");
  box.hidden = false;
  box.classList.toggle("yes", unlocked);
  box.classList.toggle("no", !unlocked);
  $("unlock-result").textContent = unlocked ? "Unlocked" : "Locked";
  $("unlock-reason").textContent = toSentence(decision.reason || decision.error);
  showScores(decision);
  box.scrollIntoView({ block: "nearest" });
}

function showScores({ similarity, threshold, odds, faults }) {
  const gauge = $("unlock-gauge");
  gauge.hidden = typeof similarity !== "number";
  $("unlock-scores").textContent = "";
  if (gauge.hidden) return;
  gauge.querySelector(".fill").style.width = gaugePlace(similarity);
  gauge.querySelector(".tick").style.left = gaugePlace(threshold);
  const scores = `similarity ${similarity.toFixed(3)}, threshold ${threshold.toFixed(3)}`;
  gauge.setAttribute("aria-label", scores);
  const sentences = [scores, odds || "", (faults || []).join("; ")].map(toSentence);
  $("unlock-scores").textContent = sentences.filter(Boolean).join(" ");
}

function gaugePlace(value) {
  const share = Math.min(1, Math.max(0, (value - GAUGE_FROM) / (1 - GAUGE_FROM)));
  return `${Math.round(1000 * share) / 10}%`;
}

$("unlock-user").addEventListener("input", clearDecision);
$("unlock-form").addEventListener("submit", async (event) => {
  event.preventDefault();
  await unlock(camera.isOn ? () => camera.takeFrame() : null, $("unlock-camera"), true);
});
$("unlock-file").addEventListener("change", async (event) => {
  const [file] = event.target.files;
  event.target.value = "";
  if (file) await unlock(() => shrink(file), $("unlock-file").previousElementSibling);
});
