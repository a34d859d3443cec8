// The door: a name, a face, and what mien says of them.

import { $, ask, form, latest, make, notice, sentence, working } from "./api.js";
import { Camera } from "./camera.js";
import { fitted } from "./photos.js";

const camera = new Camera(document.querySelector("[data-camera=unlock]"), $("unlock-shoot"));
const newest = latest();

export async function enter() {
  forgetAnswer();
  try {
    const { people } = await ask("GET", "/v1/people");
    $("names").replaceChildren(...people.map((one) => make("option", { value: one.user })));
    if (people.length === 1 && !$("unlock-user").value) $("unlock-user").value = people[0].user;
  } catch { /* a token that may only unlock sees no names */ }
}

export function leave() {
  forgetAnswer();
  camera.stop();
}

// an answer is about one name and one moment; one still on its way is dropped, too
function forgetAnswer() {
  newest();
  $("unlock-answer").hidden = true;
}

async function knock(photoOf, button) {
  const user = $("unlock-user").value.trim();
  if (!user) { notice("Say whose door it is: type a name.", $("unlock-user")); $("unlock-user").focus(); return; }
  if (!photoOf) { await camera.start(); return; }
  await working(button, async () => {
    forgetAnswer();
    const wanted = newest();
    const [open, data] = await answerTo(user, await photoOf());
    if (wanted()) tell(open, data);
  });
}

async function answerTo(user, photo) {
  try {
    const data = await ask("POST", "/v1/unlock", form([["user", user], ["photo", photo]]));
    return [data.outcome === "unlocked", data];
  } catch (error) {
    if (!error.data?.exit_code) throw error;
    return [false, error.data];
  }
}

function tell(open, data) {
  const box = $("unlock-answer");
  box.hidden = false;
  box.classList.toggle("yes", open);
  box.classList.toggle("no", !open);
  $("unlock-word").textContent = open ? "Unlocked" : "Locked";
  $("unlock-reason").textContent = sentence(data.reason || data.error);
  box.scrollIntoView({ block: "nearest" });
  const gauge = $("unlock-gauge");
  gauge.hidden = typeof data.similarity !== "number";
  if (gauge.hidden) { $("unlock-numbers").textContent = ""; return; }
  const at = (value) => `${Math.round(1000 * Math.min(1, Math.max(0, (value + 0.2) / 1.2))) / 10}%`;
  gauge.querySelector(".fill").style.width = at(data.similarity);
  gauge.querySelector(".tick").style.left = at(data.threshold);
  const numbers = `similarity ${data.similarity.toFixed(3)}, threshold ${data.threshold.toFixed(3)}`;
  gauge.setAttribute("aria-label", numbers);
  $("unlock-numbers").textContent = data.odds ? `${sentence(numbers)} ${sentence(data.odds)}` : sentence(numbers);
}

$("unlock-user").addEventListener("input", forgetAnswer);
$("unlock-form").addEventListener("submit", async (event) => {
  event.preventDefault();
  await knock(camera.on ? () => camera.frame() : null, $("unlock-shoot"));
});
$("unlock-file").addEventListener("change", async (event) => {
  const [file] = event.target.files;
  event.target.value = "";
  if (file) await knock(() => fitted(file), $("unlock-file").previousElementSibling);
});
