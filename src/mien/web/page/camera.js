// The camera: which one, on or off, and what the service sees in its picture.

import { createForm, request } from "./api.js";
import { createElement, createIcon, toSentence } from "./dom.js";
import { setText, t, tService } from "./i18n.js";
import { Overlay } from "./overlay.js";

const ADVICE_INTERVAL_MS = 350;
const MIN_PAUSE_MS = 50;
const MAX_FRAME_MS = 300;
const SIZE = { width: { ideal: 640 }, height: { ideal: 480 } };
const LENS = "M4 8h3l1.5-2.5h7L17 8h3v11H4zM12 16.5a3.2 3.2 0 1 0 0-6.4 3.2 3.2 0 0 0 0 6.4z";

// what to tell about the error of a camera that does not start
function describeError(error) {
  if (!window.isSecureContext) {
    return t(
      "This address is plain HTTP, and browsers allow no camera there. Open https://,"
      + " or http://127.0.0.1 on the machine itself, or use photos.",
    );
  }
  if (error.name === "NotAllowedError") {
    return t(
      "The browser does not let this page use the camera. Allow it next to the address,"
      + " or use photos instead.",
    );
  }
  if (error.name === "NotReadableError") {
    return t(
      "The camera does not start: another program may be using it. Close that program,"
      + " or use photos instead.",
    );
  }
  return t("No camera was found. Use photos instead.");
}

export class Camera {
  // stage: the element to draw in. onState: called when the camera went on or off. onSeen: gets
  // what the service saw on each frame, and returns what to tell in place of the service's advice.
  constructor(stage, { onState = () => {}, onSeen = () => null } = {}) {
    Object.assign(this, { stage, onState, onSeen });
    this.video = createElement("video", {
      autoplay: "", muted: "", playsinline: "", "data-t-label": "The camera's picture",
    });
    this.video.muted = true;
    this.guidance = createElement("p", { class: "guidance", role: "status" });
    this.isPaused = false; // a challenge gives the guidance meanwhile
    this.run = 0; // counts starts and stops, so that what waited for an earlier one gives up
    this.deviceId = "";
    stage.append(this.video, createIcon(LENS, "resting"));
    this.overlay = new Overlay(stage);
    stage.append(this.guidance);
    this.addBar();
    setText(this.guidance, "The camera is off.");
    stage.dataset.state = "off";
  }

  get isOn() {
    return this.stage.dataset.state === "on";
  }

  // below the picture: the choice of a camera if there are several, and how to stop it
  addBar() {
    this.choice = createElement("select", { "data-t-label": "Camera", hidden: "" });
    this.choice.addEventListener("change", async () => {
      this.deviceId = this.choice.value;
      this.stop();
      await this.start();
    });
    const stop = createElement("button", { type: "button", class: "small stop" });
    setText(stop, "Stop the camera");
    stop.addEventListener("click", () => this.stop());
    this.bar = createElement("div", { class: "camera-bar", hidden: "" }, this.choice, stop);
    this.stage.after(this.bar);
  }

  async showChoice() {
    const devices = await navigator.mediaDevices.enumerateDevices();
    const cameras = devices.filter(({ kind }) => kind === "videoinput");
    const current = this.stream?.getVideoTracks()[0].getSettings().deviceId;
    this.choice.hidden = cameras.length < 2;
    this.choice.replaceChildren(...cameras.map(({ deviceId, label }, at) => {
      const name = label || t("Camera {number}", { number: at + 1 });
      return createElement("option", { value: deviceId }, name);
    }));
    this.choice.value = current ?? "";
    this.stage.dataset.device = this.stream?.getVideoTracks()[0].label ?? "";
  }

  setState(state, guidance) {
    this.stage.dataset.state = state;
    this.bar.hidden = state !== "on";
    this.setGuidance(guidance);
    this.onState(state);
  }

  async start() {
    if (this.stage.dataset.state !== "off") return;
    const run = ++this.run;
    this.setState("waiting", t("Waiting for the camera…"));
    const device = this.deviceId ? { deviceId: { exact: this.deviceId } } : { facingMode: "user" };
    let stream;
    try {
      if (!navigator.mediaDevices) throw new DOMException("", "NotFoundError");
      const video = { ...SIZE, ...device };
      stream = await navigator.mediaDevices.getUserMedia({ video, audio: false });
    } catch (error) {
      if (run === this.run) this.setState("off", describeError(error));
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
        if (run === this.run) this.stop(t("The camera was disconnected."));
      });
    }
    this.video.srcObject = stream;
    try {
      await this.video.play();
    } catch {
      // stopped meanwhile: the check below ends this run
    }
    if (run !== this.run) return;
    this.setState("on", t("Looking for a face…"));
    await this.showChoice();
    this.showAdvice(run);
  }

  stop(message = t("The camera is off.")) {
    this.run += 1;
    if (this.stream) stopStream(this.stream);
    this.stream = null;
    this.video.srcObject = null;
    this.overlay.clear();
    this.setState("off", message);
  }

  // a text that stays the same is not announced again
  setGuidance(text) {
    delete this.guidance.dataset.t;
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
    this.overlay.clearFaces();
  }

  resumeAdvice() {
    this.isPaused = false;
  }

  // one request after the other, never two at once
  async showAdvice(run) {
    while (run === this.run) {
      const started = performance.now();
      if (!this.isPaused && !(await this.look(run))) return;
      const leftMs = ADVICE_INTERVAL_MS - (performance.now() - started);
      await new Promise((resolve) => setTimeout(resolve, Math.max(MIN_PAUSE_MS, leftMs)));
    }
  }

  // whether to go on looking
  async look(run) {
    try {
      const frame = await this.takeFrame();
      const seen = await request("POST", "/v1/look", createForm([["photo", frame]]));
      if (run !== this.run) return false;
      if (this.isPaused) return true;
      this.overlay.drawFaces(seen);
      const told = await this.onSeen(seen, frame);
      const advice = told ?? tService(seen.advice[0] || "") ?? "";
      if (run === this.run && !this.isPaused) {
        this.setGuidance(toSentence(advice || t("Good. Hold still.")));
      }
      return true;
    } catch (error) {
      if (run !== this.run || error.status === 401) return false;
      this.overlay.clearFaces(); // the drawn face belongs to an earlier moment
      const isForbidden = error.status === 403; // a token of scope unlock gets no advice
      this.setGuidance(isForbidden ? t("Ready.") : toSentence(tService(error.message)));
      return !isForbidden;
    }
  }
}

function stopStream(stream) {
  for (const track of stream.getTracks()) track.stop();
}
