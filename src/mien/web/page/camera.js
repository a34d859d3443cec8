// The camera's picture, with the face's place and advice drawn over it.

import { createElement, createForm, request, toSentence } from "./api.js";

const ADVICE_INTERVAL_MS = 350;
const MIN_PAUSE_MS = 50;
const MAX_FRAME_MS = 300;
const CONSTRAINTS = {
  video: { width: { ideal: 640 }, height: { ideal: 480 }, facingMode: "user" },
  audio: false,
};
const ERRORS = {
  NotAllowedError: "The browser does not let this page use the camera. "
    + "Allow it next to the address, or use photos instead.",
  NotFoundError: "No camera was found. Use photos instead.",
  NotReadableError: "The camera does not start: another program may be using it. "
    + "Close that program, or use photos instead.",
};
const INSECURE_ADDRESS = "This address is plain HTTP, and browsers allow no camera there. "
  + "Open https://, or http://127.0.0.1 on the machine itself, or use photos.";
const OFF = "The camera is off.";
const GOOD_COLOUR = "#54d3ac";
const POOR_COLOUR = "#ffb454";

export class Camera {
  // stage: the element to draw in. nextButton: takes the focus from the start button, which is
  // hidden while the camera is on.
  constructor(stage, nextButton) {
    this.stage = stage;
    this.nextButton = nextButton;
    this.video = createElement("video", {
      autoplay: "",
      muted: "",
      playsinline: "",
      "aria-label": "The camera's picture",
    });
    this.video.muted = true;
    this.overlay = createElement("canvas", { "aria-hidden": "true" });
    this.guidance = createElement("p", { class: "guidance", role: "status" }, OFF);
    const onclick = () => this.start();
    this.button = createElement(
      "button", { class: "start", type: "button", onclick }, "Start the camera",
    );
    this.isPaused = false; // a challenge gives the guidance meanwhile
    this.run = 0; // counts starts and stops, so that what waited for an earlier one gives up
    stage.append(this.video, this.overlay, this.guidance, this.button);
    this.setState("off", OFF);
  }

  get isOn() {
    return this.stage.dataset.state === "on";
  }

  setState(state, guidance) {
    this.stage.dataset.state = state;
    this.button.classList.toggle("busy", state === "waiting");
    const hadFocus = document.activeElement === this.button;
    this.button.hidden = state === "on";
    if (hadFocus && state === "on") this.nextButton.focus();
    this.setGuidance(guidance);
  }

  async start() {
    if (this.stage.dataset.state !== "off") return;
    const run = ++this.run;
    this.setState("waiting", "Waiting for the camera…");
    let stream;
    try {
      if (!navigator.mediaDevices) throw new DOMException("", "NotFoundError");
      stream = await navigator.mediaDevices.getUserMedia(CONSTRAINTS);
    } catch (error) {
      if (run !== this.run) return;
      const message = ERRORS[error.name] ?? ERRORS.NotFoundError;
      this.setState("off", window.isSecureContext ? message : INSECURE_ADDRESS);
      return;
    }
    if (run !== this.run) {
      stopStream(stream); // the view was left meanwhile
      return;
    }
    await this.play(stream, run);
  }

  async play(stream, run) {
    this.stream = stream;
    for (const track of stream.getTracks()) {
      track.addEventListener("ended", () => {
        if (run === this.run) this.stop("The camera was disconnected.");
      });
    }
    this.video.srcObject = stream;
    try {
      await this.video.play();
    } catch {
      // stopped meanwhile: the check below ends this run
    }
    if (run !== this.run) return;
    this.setState("on", "Looking for a face…");
    this.showAdvice(run);
  }

  stop(message = OFF) {
    this.run += 1;
    if (this.stream) stopStream(this.stream);
    this.stream = null;
    this.video.srcObject = null;
    this.clearOverlay();
    this.setState("off", message);
  }

  // a text that stays the same is not announced again
  setGuidance(text) {
    if (this.guidance.textContent !== text) this.guidance.textContent = text;
  }

  // the current picture as a JPEG Blob
  takeFrame() {
    const canvas = document.createElement("canvas");
    canvas.width = this.video.videoWidth;
    canvas.height = this.video.videoHeight;
    canvas.getContext("2d").drawImage(this.video, 0, 0);
    return new Promise((resolve) => canvas.toBlob(resolve, "image/jpeg", 0.92));
  }

  // until the picture has changed, and for so many milliseconds at least
  async waitForNextFrame(atLeastMs) {
    await new Promise((resolve) => setTimeout(resolve, Math.max(0, atLeastMs)));
    if (!this.video.requestVideoFrameCallback) return;
    await Promise.race([
      new Promise((resolve) => this.video.requestVideoFrameCallback(resolve)),
      new Promise((resolve) => setTimeout(resolve, MAX_FRAME_MS)),
    ]);
  }

  pauseAdvice() {
    this.isPaused = true;
    this.clearOverlay();
  }

  resumeAdvice() {
    this.isPaused = false;
  }

  // one request after the other, never two at once
  async showAdvice(run) {
    while (run === this.run) {
      const started = performance.now();
      if (this.isPaused) {
        await new Promise((resolve) => setTimeout(resolve, ADVICE_INTERVAL_MS));
        continue;
      }
      try {
        const form = createForm([["photo", await this.takeFrame()]]);
        const seen = await request("POST", "/v1/look", form);
        if (run !== this.run) return;
        if (this.isPaused) continue;
        this.drawFace(seen);
        this.setGuidance(toSentence(seen.advice[0] || "Good. Hold still."));
      } catch (error) {
        if (run !== this.run || error.status === 401) return;
        this.clearOverlay(); // the drawn face belongs to an earlier moment
        const isForbidden = error.status === 403; // a token of scope unlock gets no advice
        this.setGuidance(isForbidden ? "Ready." : toSentence(error.message));
        if (isForbidden) return;
      }
      const leftMs = ADVICE_INTERVAL_MS - (performance.now() - started);
      await new Promise((resolve) => setTimeout(resolve, Math.max(MIN_PAUSE_MS, leftMs)));
    }
  }

  clearOverlay() {
    this.overlay.getContext("2d").clearRect(0, 0, this.overlay.width, this.overlay.height);
    delete this.overlay.dataset.face;
  }

  drawFace(seen) {
    const { overlay } = this;
    overlay.width = overlay.clientWidth;
    overlay.height = overlay.clientHeight;
    const context = overlay.getContext("2d");
    context.clearRect(0, 0, overlay.width, overlay.height);
    const isGood = seen.advice.length === 0;
    const quality = isGood ? "good" : "poor";
    overlay.dataset.face = seen.face ? quality : "none";
    if (!seen.face) return;
    // the video covers the whole stage, and is mirrored
    const scale = Math.max(overlay.width / seen.width, overlay.height / seen.height);
    const x = (value) => overlay.width / 2 - (value - seen.width / 2) * scale;
    const y = (value) => overlay.height / 2 + (value - seen.height / 2) * scale;
    const [left, top, right, bottom] = seen.face.box_xyxy;
    context.lineWidth = 4;
    context.strokeStyle = isGood ? GOOD_COLOUR : POOR_COLOUR;
    context.setLineDash(isGood ? [] : [10, 8]);
    context.strokeRect(x(right), y(top), (right - left) * scale, (bottom - top) * scale);
  }
}

function stopStream(stream) {
  for (const track of stream.getTracks()) track.stop();
}
