// The page: views over the HTTP API. No address but its own, no storage but the tab's.

const KEY = "mien-token";
const VIEWS = ["unlock", "enrol", "people", "explore", "log"];
const LOOK_EVERY_MS = 350;
const $ = (id) => document.getElementById(id);

// what follows the # is a token once, then the name of a view
const given = location.hash.slice(1);
if (given.startsWith("mien_")) {
  sessionStorage.setItem(KEY, given);
  history.replaceState(null, "", "#unlock");
}

class Refused extends Error {
  constructor(status, data) {
    super(data.error || data.reason || `the service answered ${status}`);
    this.status = status;
    this.data = data;
  }
}

async function ask(method, path, form) {
  let answer;
  try {
    answer = await fetch(path, {
      method,
      body: form,
      headers: { Authorization: `Bearer ${sessionStorage.getItem(KEY)}` },
      credentials: "omit",
    });
  } catch {
    throw new Refused(0, { error: "the service does not answer; is mien serve still running?" });
  }
  let data = {};
  try { data = await answer.json(); } catch { /* an answer without words has its status */ }
  if (answer.status === 401) { sessionStorage.removeItem(KEY); show("locked"); }
  if (!answer.ok) throw new Refused(answer.status, data);
  return data;
}

function form(fields) {
  const made = new FormData();
  for (const [name, value] of fields) {
    if (value instanceof File) made.append(name, value, value.webkitRelativePath || value.name);
    else if (value instanceof Blob) made.append(name, value, "frame.jpg");
    else made.append(name, value);
  }
  return made;
}

function make(tag, attributes = {}, ...inside) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
    else if (value !== null && value !== undefined) node.setAttribute(name, value);
  }
  node.append(...inside.filter((one) => one !== null));
  return node;
}

function notice(words) {
  $("notice").textContent = words || "";
  $("notice").hidden = !words;
}

async function working(button, work) {
  button.disabled = true;
  button.classList.add("busy");
  notice("");
  try { return await work(); } catch (error) { notice(error.message); return null; } finally {
    button.classList.remove("busy");
    button.disabled = false;
  }
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
  if (!sessionStorage.getItem(KEY)) { show("locked"); return; }
  const name = VIEWS.includes(location.hash.slice(1)) ? location.hash.slice(1) : "unlock";
  show(name);
  if (entered[name]) await entered[name]();
}

// the camera ----------------------------------------------------------------------------------

class Camera {
  constructor(stage, onReady) {
    this.name = stage.dataset.camera;
    this.onReady = onReady;
    this.video = make("video", { autoplay: "", muted: "", playsinline: "", "aria-label": "The camera's picture" });
    this.video.muted = true;
    this.over = make("canvas", { "aria-hidden": "true" });
    this.words = make("p", { class: "say", role: "status" }, "The camera is off.");
    this.button = make("button", { class: "start", type: "button", onclick: () => this.start() }, "Start the camera");
    stage.append(this.video, this.over, this.words, this.button);
  }

  async start() {
    this.button.hidden = true;
    this.say("Waiting for the camera…");
    try {
      const wanted = { video: { width: { ideal: 640 }, height: { ideal: 480 }, facingMode: "user" }, audio: false };
      this.stream = await navigator.mediaDevices.getUserMedia(wanted);
    } catch (error) {
      const denied = error.name === "NotAllowedError";
      this.say(denied ? "The browser does not let this page use the camera. Use photos instead." : "No camera was found. Use photos instead.");
      this.button.hidden = false;
      return;
    }
    this.video.srcObject = this.stream;
    await this.video.play();
    this.onReady(true);
    this.look();
  }

  stop() {
    if (!this.stream) return;
    for (const track of this.stream.getTracks()) track.stop();
    this.stream = null;
    this.video.srcObject = null;
    this.over.getContext("2d").clearRect(0, 0, this.over.width, this.over.height);
    this.button.hidden = false;
    this.say("The camera is off.");
    this.onReady(false);
  }

  say(words) { if (this.words.textContent !== words) this.words.textContent = words; }

  frame() {
    const canvas = document.createElement("canvas");
    canvas.width = this.video.videoWidth;
    canvas.height = this.video.videoHeight;
    canvas.getContext("2d").drawImage(this.video, 0, 0);
    return new Promise((done) => canvas.toBlob(done, "image/jpeg", 0.92));
  }

  // live guidance: one look after the other, never two at once
  async look() {
    while (this.stream) {
      const started = performance.now();
      try {
        const seen = await ask("POST", "/v1/look", form([["photo", await this.frame()]]));
        if (!this.stream) return;
        this.draw(seen);
        this.say(seen.advice[0] || "Good. Hold still.");
      } catch (error) {
        if (error.status === 401) return;
        this.say(error.status === 403 ? "Ready." : error.message);
        if (error.status === 403) return;
      }
      const left = LOOK_EVERY_MS - (performance.now() - started);
      await new Promise((done) => setTimeout(done, Math.max(50, left)));
    }
  }

  draw(seen) {
    const { over } = this;
    over.width = over.clientWidth;
    over.height = over.clientHeight;
    const pen = over.getContext("2d");
    pen.clearRect(0, 0, over.width, over.height);
    over.dataset.face = !seen.face ? "none" : seen.advice.length ? "poor" : "good";
    if (!seen.face) return;
    // the picture covers the stage and is shown as in a mirror
    const scale = Math.max(over.width / seen.width, over.height / seen.height);
    const x = (value) => over.width / 2 - (value - seen.width / 2) * scale;
    const y = (value) => over.height / 2 + (value - seen.height / 2) * scale;
    const [left, top, right, bottom] = seen.face.box_xyxy;
    pen.lineWidth = 4;
    pen.strokeStyle = seen.advice.length ? "#ffb454" : "#54d3ac";
    pen.setLineDash(seen.advice.length ? [10, 8] : []);
    pen.strokeRect(x(right), y(top), (right - left) * scale, (bottom - top) * scale);
  }
}

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

function sentence(words) {
  return words ? `${words[0].toUpperCase()}${words.slice(1)}${/[.!?]$/.test(words) ? "" : "."}` : "";
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
  made.photos.forEach((photo, at) => {
    if (kept[at] && photo.leave_one_out !== null) kept[at].words = `Agrees with the others at ${photo.leave_one_out.toFixed(3)}.`;
  });
  const lines = [...made.advice, ...made.skipped.map((one) => `${one.photo} was skipped: nearly the same as ${one.same_as}`), made.expectation];
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

// explore -------------------------------------------------------------------------------------

async function explore(files) {
  const photos = files.filter((file) => /\.(jpe?g|png|webp|bmp|tiff?|gif|avif|heic)$/i.test(file.name));
  const out = $("explore-answer");
  if (!photos.length) { notice("There is no photo among these files."); return; }
  notice("");
  out.replaceChildren(make("p", { class: "busy" }, `Looking at ${Math.min(60, photos.length)} photos`));
  try {
    const data = await ask("POST", "/v1/explore", form(photos.slice(0, 60).map((photo) => ["photos", photo])));
    out.replaceChildren(...found(data, photos.length));
  } catch (error) { out.replaceChildren(make("p", { class: "empty" }, sentence(error.message))); }
}

function found(data, given) {
  const { faces, similarity, points, left_out } = data;
  const parts = [make("p", { role: "status" }, `${faces.length} faces found.${given > 60 ? " Only the first 60 photos were looked at." : ""}`)];
  if (left_out.length) parts.push(make("details", {}, make("summary", {}, `${left_out.length} left out`), make("ul", {}, ...left_out.map((one) => make("li", {}, `${one.name}: ${one.why}`)))));
  if (!faces.length) return parts;
  parts.push(make("h3", {}, "Faces"), make("ul", { class: "shots", role: "list" }, ...faces.map((face) => make("li", {}, make("img", { src: face.picture, alt: face.name }), make("p", {}, face.name)))));
  parts.push(make("h3", { id: "heat-title" }, "How alike each two are"), heat(faces, similarity));
  if (faces.length > 2) parts.push(make("h3", {}, "Map"), map(faces, points));
  return parts;
}

function heat(faces, similarity) {
  const row = (at) => make("tr", {}, make("th", { scope: "row" }, make("img", { src: faces[at].picture, alt: faces[at].name, title: faces[at].name })),
    ...similarity[at].map((value, other) => {
      const cell = make("td", { title: `${faces[at].name} and ${faces[other].name}: ${value.toFixed(3)}` }, value.toFixed(2));
      const strength = Math.round(100 * Math.min(1, Math.max(0, value)));
      cell.style.backgroundColor = `color-mix(in srgb, #0a7a5c ${strength}%, #fff)`;
      cell.style.color = strength > 55 ? "#fff" : "#1b1f23";
      return cell;
    }));
  const head = make("tr", {}, make("td", {}), ...faces.map((face) => make("th", { scope: "col" }, make("img", { src: face.picture, alt: face.name, title: face.name }))));
  return make("div", { class: "scroll", tabindex: "0", role: "region", "aria-labelledby": "heat-title" }, make("table", { class: "heat" }, make("thead", {}, head), make("tbody", {}, ...faces.map((_, at) => row(at)))));
}

function map(faces, points) {
  const NS = "http://www.w3.org/2000/svg";
  const svg = document.createElementNS(NS, "svg");
  const xs = points.map((p) => p[0]), ys = points.map((p) => p[1]);
  const span = Math.max(Math.max(...xs) - Math.min(...xs), Math.max(...ys) - Math.min(...ys), 1e-6);
  let view = [0, 0, 640, 480];
  const frame = () => svg.setAttribute("viewBox", view.join(" "));
  svg.setAttribute("class", "map");
  svg.setAttribute("role", "img");
  svg.setAttribute("aria-label", `Map of ${faces.length} faces on two principal components; near is alike. Plus and minus zoom.`);
  svg.setAttribute("tabindex", "0");
  points.forEach(([px, py], at) => {
    const x = 320 + (px - (Math.max(...xs) + Math.min(...xs)) / 2) / span * 380;
    const y = 240 - (py - (Math.max(...ys) + Math.min(...ys)) / 2) / span * 380;
    const image = document.createElementNS(NS, "image");
    for (const [name, value] of [["href", faces[at].picture], ["x", x - 18], ["y", y - 18], ["width", 36], ["height", 36]]) image.setAttribute(name, value);
    const title = document.createElementNS(NS, "title");
    title.textContent = faces[at].name;
    image.append(title);
    svg.append(image);
  });
  const zoom = (factor, cx = view[0] + view[2] / 2, cy = view[1] + view[3] / 2) => {
    const width = Math.min(640, Math.max(60, view[2] * factor)), real = width / view[2];
    view = [cx - (cx - view[0]) * real, cy - (cy - view[1]) * real, width, view[3] * real];
    if (width === 640) view = [0, 0, 640, 480];
    frame();
  };
  svg.addEventListener("wheel", (event) => {
    event.preventDefault();
    const at = svg.getBoundingClientRect();
    zoom(event.deltaY > 0 ? 1.2 : 1 / 1.2, view[0] + (event.clientX - at.left) / at.width * view[2], view[1] + (event.clientY - at.top) / at.height * view[3]);
  }, { passive: false });
  svg.addEventListener("keydown", (event) => { if (event.key === "+") zoom(1 / 1.2); if (event.key === "-") zoom(1.2); });
  frame();
  return svg;
}

for (const id of ["explore-files", "explore-folder"]) $(id).addEventListener("change", async (event) => {
  const files = [...event.target.files];
  event.target.value = "";
  await explore(files);
});
$("drop").addEventListener("dragover", (event) => { event.preventDefault(); $("drop").classList.add("over"); });
$("drop").addEventListener("dragleave", () => $("drop").classList.remove("over"));
$("drop").addEventListener("drop", async (event) => {
  event.preventDefault();
  $("drop").classList.remove("over");
  const entries = [...event.dataTransfer.items].map((item) => item.webkitGetAsEntry()).filter(Boolean);
  await explore((await Promise.all(entries.map(filesOf))).flat());
});

async function filesOf(entry) {
  if (entry.isFile) return [await new Promise((done, fail) => entry.file(done, fail))];
  const reader = entry.createReader(), inside = [];
  for (;;) {
    const some = await new Promise((done, fail) => reader.readEntries(done, fail));
    if (!some.length) break;
    inside.push(...some);
  }
  return (await Promise.all(inside.map(filesOf))).flat();
}

// log -----------------------------------------------------------------------------------------

async function showLog() {
  const list = $("log-list");
  list.replaceChildren(make("p", { class: "busy" }, "Verifying the chain"));
  try {
    const { words, entries } = await ask("GET", "/v1/log");
    if (!entries) { list.replaceChildren(make("p", { class: "empty" }, "Nothing happened yet.")); return; }
    list.replaceChildren(make("p", {}, `The chain of ${entries} entries checks out: none edited, none removed.`),
      make("ol", { class: "lines", reversed: "" }, ...words.reverse().map((line) => make("li", {}, make("time", {}, `${line.slice(0, 16)} UTC`), make("span", {}, line.slice(18))))));
  } catch (error) { list.replaceChildren(make("p", { class: "empty" }, sentence(error.message))); }
}

// begin ---------------------------------------------------------------------------------------

$("token-form").addEventListener("submit", (event) => {
  event.preventDefault();
  sessionStorage.setItem(KEY, $("token").value.trim());
  $("token").value = "";
  location.hash = "#unlock";
  route();
});
addEventListener("hashchange", route);
addEventListener("pagehide", () => { for (const camera of Object.values(cameras)) camera.stop(); });
route();
