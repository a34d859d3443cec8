// A camera's picture with live guidance drawn over it.

import { ask, form, make } from "./api.js";

const LOOK_EVERY_MS = 350;

export class Camera {
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
