// The page: its views, over the HTTP API.

import { $, ask, form, hasToken, make, notice, sentence, setToken, working } from "./api.js";
import { Camera } from "./camera.js";
import "./explore.js";

const VIEWS = ["unlock", "enrol", "people", "explore", "log"];

// what follows the # is a token once, then the name of a view
const given = location.hash.slice(1);
if (given.startsWith("mien_")) {
  setToken(given);
  history.replaceState(null, "", "#unlock");
}

// views ---------------------------------------------------------------------------------------

const entered = { people: showPeople, log: showLog, unlock: fillNames };

function show(name) {
  for (const view of document.querySelectorAll(".view")) view.hidden = view.id !== `view-${name}`;
  for (const link of document.querySelectorAll("nav a")) {
    if (link.dataset.view === name) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
  notice("");
  for (const camera of Object.values(cameras)) if (camera.name !== name) camera.stop();
  document.title = name === "locked" ? "mien" : `mien: ${name}`;
}

async function route() {
  if (!hasToken()) { show("locked"); return; }
  const name = VIEWS.includes(location.hash.slice(1)) ? location.hash.slice(1) : "unlock";
  show(name);
  if (entered[name]) await entered[name]();
}

// the cameras ---------------------------------------------------------------------------------

const cameras = {};
for (const stage of document.querySelectorAll(".stage")) {
  const name = stage.dataset.camera;
  cameras[name] = new Camera(stage, (ready) => { $(`${name}-shoot`).disabled = !ready; });
}

// unlock --------------------------------------------------------------------------------------

async function fillNames() {
  try {
    const { people } = await ask("GET", "/v1/people");
    $("names").replaceChildren(...people.map((one) => make("option", { value: one.user })));
    if (people.length === 1 && !$("unlock-user").value) $("unlock-user").value = people[0].user;
  } catch { /* a token that may only unlock sees no names */ }
}

async function knock(photo, button) {
  const user = $("unlock-user").value.trim();
  if (!user) { notice("Say whose door it is: type a name."); $("unlock-user").focus(); return; }
  await working(button, async () => {
    let data, open = false;
    try {
      data = await ask("POST", "/v1/unlock", form([["user", user], ["photo", photo]]));
      open = data.outcome === "unlocked";
    } catch (error) {
      if (!error.data?.exit_code) throw error;
      data = error.data;
    }
    tell(open, data);
  });
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

$("unlock-shoot").addEventListener("click", async () => knock(await cameras.unlock.frame(), $("unlock-shoot")));
$("unlock-file").addEventListener("change", async (event) => {
  const [file] = event.target.files;
  event.target.value = "";
  if (file) await knock(file, $("unlock-file").previousElementSibling);
});

// enrol ---------------------------------------------------------------------------------------

let kept = [];

function showKept() {
  $("enrol-empty").hidden = kept.length > 0;
  $("enrol-send").disabled = kept.length === 0;
  $("enrol-send").textContent = kept.length ? `Enrol ${kept.length} photo${kept.length === 1 ? "" : "s"}` : "Enrol";
  $("enrol-kept").replaceChildren(...kept.map((shot, at) => make("li", {},
    make("img", { src: shot.url, alt: `Photo ${at + 1}` }),
    make("p", { class: shot.bad ? "warn" : null }, shot.words),
    make("button", { type: "button", "aria-label": `Remove photo ${at + 1}`, onclick: () => {
      URL.revokeObjectURL(shot.url);
      kept = kept.filter((one) => one !== shot);
      showKept();
    } }, "Remove"))));
}

async function keep(photo) {
  const shot = { photo, url: URL.createObjectURL(photo), words: "Looking…", bad: false };
  kept.push(shot);
  showKept();
  try {
    const seen = await ask("POST", "/v1/look", form([["photo", photo]]));
    shot.bad = !seen.face;
    shot.words = seen.advice.length ? sentence(seen.advice[0]) : "Good.";
  } catch (error) { shot.bad = true; shot.words = sentence(error.message); }
  showKept();
}

$("enrol-shoot").addEventListener("click", async () => keep(await cameras.enrol.frame()));
$("enrol-files").addEventListener("change", async (event) => {
  const files = [...event.target.files];
  event.target.value = "";
  for (const file of files) await keep(file);
});
$("enrol-send").addEventListener("click", async (event) => {
  const user = $("enrol-user").value.trim();
  if (!user) { notice("Give the person a name."); $("enrol-user").focus(); return; }
  $("enrol-answer").hidden = true;
  const fields = [["mode", $("enrol-mode").value], ...kept.map((shot) => ["photos", shot.photo])];
  const made = await working(event.currentTarget, () => ask("POST", `/v1/people/${encodeURIComponent(user)}`, form(fields)));
  if (!made) { showKept(); return; }
  const shotOf = (name) => kept[Number(name.replace("photo ", "")) - 1];
  for (const one of made.photos) {
    if (one.leave_one_out !== null) shotOf(one.photo).words = `Agrees with the others at ${one.leave_one_out.toFixed(3)}.`;
  }
  for (const one of made.skipped) shotOf(one.photo).words = `Left out: nearly the same as ${one.same_as}.`;
  const lines = [...made.advice, made.expectation];
  if (made.margin > 0) lines.push(`the closest of 400 strangers stays ${made.margin.toFixed(3)} under the threshold`);
  const count = made.photos_in_template;
  $("enrol-answer").hidden = false;
  $("enrol-answer").replaceChildren(make("p", { class: "word" }, `${user} is enrolled from ${count} photo${count === 1 ? "" : "s"}`),
    make("ul", {}, ...lines.filter(Boolean).map((line) => make("li", {}, sentence(line)))));
  cameras.enrol.stop();
  showKept();
  for (const button of $("enrol-kept").querySelectorAll("button")) button.remove();
  kept = [];
  $("enrol-send").disabled = true;
});

// people --------------------------------------------------------------------------------------

async function showPeople() {
  const list = $("people-list");
  list.replaceChildren(make("p", { class: "busy" }, "Opening the vault"));
  try {
    const { people } = await ask("GET", "/v1/people");
    if (!people.length) { list.replaceChildren(make("p", { class: "empty" }, "Nobody is enrolled yet. ", make("a", { href: "#enrol" }, "Enrol somebody"))); return; }
    list.replaceChildren(...people.map(person));
  } catch (error) { list.replaceChildren(make("p", { class: "empty" }, sentence(error.message))); }
}

function person(one) {
  const facts = [];
  if (one.photos) facts.push(`${one.photos} photo${one.photos === 1 ? "" : "s"}`);
  if (one.agreement !== null && one.agreement !== undefined) facts.push(`they agree at ${one.agreement.toFixed(3)} or more`);
  if (one.margin > 0) facts.push(`the closest of 400 strangers stays ${one.margin.toFixed(3)} under the threshold`);
  const warnings = (one.look_alikes || []).map((other) => `Looks like ${other.user} (${other.similarity.toFixed(3)}): either may open the other's door.`);
  if (one.margin !== null && one.margin !== undefined && one.margin <= 0) warnings.push("One of 400 strangers would get in here: more photos in other light make it stricter.");
  if (one.photos === 1) warnings.push("One photo only: two to four more, in other light, make it surer.");
  const button = make("button", { class: "danger", type: "button" }, `Forget ${one.user}`);
  let sure = false;
  button.addEventListener("click", async () => {
    if (!sure) { sure = true; button.textContent = `Really forget ${one.user}?`; return; }
    const gone = await working(button, () => ask("DELETE", `/v1/people/${encodeURIComponent(one.user)}`));
    if (gone) await showPeople();
  });
  return make("article", { class: "person" }, make("div", {}, make("h3", {}, one.user),
    make("p", {}, sentence(facts.join(", "))),
    make("p", { class: "quiet" }, `Enrolled ${one.enrolled.slice(0, 10)} with ${one.model}. ${sentence(one.expectation || "")}`),
    ...warnings.map((words) => make("p", { class: "warn" }, words))), button);
}

// log -----------------------------------------------------------------------------------------

async function showLog() {
  const list = $("log-list");
  list.replaceChildren(make("p", { class: "busy" }, "Verifying the chain"));
  try {
    const { words, entries, earlier } = await ask("GET", "/v1/log?last=500");
    if (!entries) { list.replaceChildren(make("p", { class: "empty" }, "Nothing happened yet.")); return; }
    const before = earlier ? ` ${earlier} earlier lines are shown by mien log.` : "";
    list.replaceChildren(make("p", {}, `The chain of ${entries} entries checks out: none edited, none removed.${before}`),
      make("ol", { class: "lines", reversed: "" }, ...words.reverse().map((line) => make("li", {}, make("time", {}, `${line.slice(0, 16)} UTC`), make("span", {}, line.slice(18))))));
  } catch (error) { list.replaceChildren(make("p", { class: "empty" }, sentence(error.message))); }
}

// begin ---------------------------------------------------------------------------------------

$("token-form").addEventListener("submit", (event) => {
  event.preventDefault();
  setToken($("token").value.trim());
  $("token").value = "";
  location.hash = "#unlock";
  route();
});
addEventListener("hashchange", route);
addEventListener("mien-locked", () => show("locked"));
addEventListener("pagehide", () => { for (const camera of Object.values(cameras)) camera.stop(); });
route();
