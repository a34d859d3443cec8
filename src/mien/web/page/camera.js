// A camera's picture with live guidance drawn over it.

import { ask, form, make, sentence } from "./api.js";

const LOOK_EVERY_MS = 350;
const WANTED = { video: { width: { ideal: 640 }, height: { ideal: 480 }, facingMode: "user" }, audio: false };
const REASONS = {
  NotAllowedError: "The browser does not let this page use the camera. Allow it beside the address, or use photos instead.",
  NotFoundError: "No camera was found. Use photos instead.",
  NotReadableError: "The camera is there but does not start: another program may use it. Close that one, or use photos instead.",
};
const UNSAFE = "This address is plain HTTP, to which browsers give no camera. "
  + "Open https://, or http://127.0.0.1 on the machine itself, or use photos.";

export class Camera {
  // next: the button that takes the focus when the one that starts the camera is gone
  constructor(stage, next) {
    this.next = next;
    this.video = make("video", { autoplay: "", muted: "", playsinline: "", "aria-label": "The camera's picture" });
    this.video.muted = true;
    this.over = make("canvas", { "aria-hidden": "true" });
    this.words = make("p", { class: "say", role: "status" }, "The camera is off.");
    this.button = make("button", { class: "start", type: "button", onclick: () => this.start() }, "Start the camera");
    this.stage = stage;
    this.run = 0; // counts starts and stops: what waited for an earlier one is of no use any more
    stage.append(this.video, this.over, this.words, this.button);
    this.become("off", "The camera is off.");
  }

  get on() { return this.stage.dataset.state === "on"; }

  become(state, words) {
    this.stage.dataset.state = state;
    this.button.classList.toggle("busy", state === "waiting");
    const held = document.activeElement === this.button;
    this.button.hidden = state === "on";
    if (held && state === "on") this.next.focus();
    this.say(words);
  }

  async start() {
    if (this.stage.dataset.state !== "off") return;
    const run = ++this.run;
    this.become("waiting", "Waiting for the camera…");
    let stream;
    try {
      if (!navigator.mediaDevices) throw new DOMException("", "NotFoundError");
      stream = await navigator.mediaDevices.getUserMedia(WANTED);
    } catch (error) {
      if (run === this.run) this.become("off", window.isSecureContext ? REASONS[error.name] ?? REASONS.NotFoundError : UNSAFE);
      return;
    }
    if (run !== this.run) { end(stream); return; } // the view was left meanwhile
    this.stream = stream;
    for (const track of stream.getTracks()) track.addEventListener("ended", () => { if (run === this.run) this.stop("The camera went away."); });
    this.video.srcObject = stream;
    try { await this.video.play(); } catch { /* stopped meanwhile, which the counter says */ }
    if (run !== this.run) return;
    this.become("on", "Looking…");
    this.look(run);
  }

  stop(words = "The camera is off.") {
    this.run += 1;
    if (this.stream) end(this.stream);
    this.stream = null;
    this.video.srcObject = null;
    this.clear();
    this.become("off", words);
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
  async look(run) {
    while (run === this.run) {
      const started = performance.now();
      try {
        const seen = await ask("POST", "/v1/look", form([["photo", await this.frame()]]));
        if (run !== this.run) return;
        this.draw(seen);
        this.say(sentence(seen.advice[0] || "Good. Hold still."));
      } catch (error) {
        if (run !== this.run || error.status === 401) return;
        this.clear(); // what was drawn is of a moment that is over
        this.say(error.status === 403 ? "Ready." : sentence(error.message));
        if (error.status === 403) return;
      }
      const left = LOOK_EVERY_MS - (performance.now() - started);
      await new Promise((done) => setTimeout(done, Math.max(50, left)));
    }
  }

  clear() {
    this.over.getContext("2d").clearRect(0, 0, this.over.width, this.over.height);
    delete this.over.dataset.face;
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

function end(stream) { for (const track of stream.getTracks()) track.stop(); }
