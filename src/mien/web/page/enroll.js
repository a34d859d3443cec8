// Enrolling: photos are kept in the page, looked at, and sent together.

import { $, ask, counted, form, make, notice, sentence, working } from "./api.js";
import { Camera } from "./camera.js";
import { fitted, roomFor } from "./photos.js";

const camera = new Camera(document.querySelector("[data-camera=enroll]"), $("enroll-shoot"));
let kept = [];

export function leave() { camera.stop(); }

// as the vault has it, in words for the one who types; null for a good name
function nameFault(name) {
  if (!name) return "Give the person a name.";
  if (name.includes("/")) return "A name has no slash, for it could pass for a path: choose one such as ana.";
  if (name === "." || name === "..") return `"${name}" stands for a folder: choose a name such as ana.`;
  if (name.startsWith("-")) return "A name does not begin with a dash, for it could pass for an option: choose one such as ana.";
  if (/[\p{C}\p{Zl}\p{Zp}]|(?! )\p{Zs}/u.test(name)) return "The name has a character that cannot be seen: type it anew.";
  return null;
}

// the photos ----------------------------------------------------------------------------------

function showKept() {
  $("enroll-empty").hidden = kept.length > 0;
  $("enroll-send").setAttribute("aria-disabled", String(kept.length === 0));
  $("enroll-send").textContent = kept.length ? `Enroll ${counted(kept.length, "photo")}` : "Enroll";
  $("enroll-kept").replaceChildren(...kept.map((shot, at) => card(shot, at, make("button", {
    type: "button", "aria-label": `Remove photo ${at + 1}`, onclick: () => remove(at),
  }, "Remove"))));
}

function card(shot, at, button) {
  return make("li", { class: shot.bad ? "bad" : null }, make("img", { src: shot.url, alt: `Photo ${at + 1}` }),
    make("p", { class: shot.bad ? "warn" : null }, shot.words),
    shot.agrees === undefined ? null : bar(shot.agrees), button);
}

function bar(value) {
  const fill = make("span", { class: "fill" });
  fill.style.width = `${Math.round(100 * Math.min(1, Math.max(0, value)))}%`;
  return make("div", { class: "bar", "aria-hidden": "true" }, fill); // the words beside it say as much
}

function remove(at) {
  URL.revokeObjectURL(kept[at].url);
  kept = kept.filter((_, other) => other !== at);
  showKept();
  const buttons = $("enroll-kept").querySelectorAll("button");
  (buttons[Math.min(at, buttons.length - 1)] ?? $("enroll-shoot")).focus();
}

async function keep(photo) {
  if (!kept.length) $("enroll-answer").hidden = true;
  const shot = { photo, url: URL.createObjectURL(photo), words: "Looking…", bad: false };
  kept.push(shot);
  showKept();
  try {
    const seen = await ask("POST", "/v1/look", form([["photo", photo]]));
    shot.bad = !seen.face;
    shot.words = seen.advice.length ? sentence(seen.advice[0]) : "Good.";
  } catch (error) { shot.bad = true; shot.words = sentence(error.message); }
  if (kept.includes(shot)) showKept();
}

// sending -------------------------------------------------------------------------------------

async function send() {
  const user = $("enroll-user").value.trim();
  const wrong = nameFault(user);
  if (wrong) { notice(wrong, $("enroll-user")); $("enroll-user").focus(); return; }
  if (!kept.length) { notice("Take a photo or choose files first.", $("enroll-send")); return; }
  $("enroll-answer").hidden = true;
  const sent = [...kept];
  await working($("enroll-send"), async () => {
    const photos = await Promise.all(sent.map((shot) => fitted(shot.photo, roomFor(sent.length))));
    const fields = [["mode", $("enroll-mode").value], ...photos.map((photo) => ["photos", photo])];
    try {
      enrolled(user, sent, await ask("POST", `/v1/people/${encodeURIComponent(user)}`, form(fields)));
    } catch (error) {
      for (const shot of named(sent, error.message)) Object.assign(shot, { bad: true, words: "Refused: the words below say why." });
      throw error;
    } finally { showResult(sent); }
  });
  $("enroll-send").setAttribute("aria-disabled", String(kept.length === 0));
}

// the photos that an error names, as "photo 2"
const named = (sent, words) => [...words.matchAll(/\bphoto (\d+)/g)].map((found) => sent[found[1] - 1]).filter(Boolean);

function enrolled(user, sent, made) {
  const shotOf = (name) => sent[Number(name.replace("photo ", "")) - 1];
  for (const one of made.photos) {
    const shot = shotOf(one.photo);
    shot.words = "The only photo so far.";
    if (one.leave_one_out === null) continue;
    shot.agrees = one.leave_one_out;
    shot.words = `Agrees ${one.leave_one_out.toFixed(2)} with the others.`;
  }
  for (const one of made.skipped) shotOf(one.photo).words = `Left out: nearly the same as ${one.same_as}, so it adds nothing.`;
  const lines = [...made.advice, made.expectation];
  if (made.margin > 0) lines.push(`the closest of 400 strangers stays ${made.margin.toFixed(3)} under the threshold`);
  $("enroll-answer").hidden = false;
  $("enroll-answer").replaceChildren(make("p", { class: "word" }, `${user} is enrolled from ${counted(made.photos_in_template, "photo")}`),
    make("ul", {}, ...lines.filter(Boolean).map((line) => make("li", {}, sentence(line)))));
  camera.stop();
  kept = kept.filter((shot) => !sent.includes(shot));
}

// what was enrolled stays to be seen until the next photo
function showResult(sent) {
  showKept();
  if (kept.length) return;
  $("enroll-empty").hidden = true;
  $("enroll-kept").replaceChildren(...sent.map((shot, at) => card(shot, at, null)));
}

$("enroll-shoot").addEventListener("click", async () => {
  if (camera.on) await keep(await camera.frame());
  else await camera.start();
});
$("enroll-files").addEventListener("change", async (event) => {
  const files = [...event.target.files];
  event.target.value = "";
  for (const file of files) await keep(await fitted(file));
});
$("enroll-form").addEventListener("submit", async (event) => { event.preventDefault(); await send(); });
showKept();
