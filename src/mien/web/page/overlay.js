// What is drawn over the camera's picture: boxes on the faces, a ring of progress, an arrow.

import { createElement, createIcon, createSvg } from "./dom.js";

const RADIUS = 46; // of the ring, on a drawing of 100 by 100
const LENGTH = 2 * Math.PI * RADIUS;
const GAP = 3; // between two parts of the ring, in the same units
const ARROWS = {
  left: "M15 5l-8 7 8 7",
  right: "M9 5l8 7-8 7",
  closer: "M5 9l7-5 7 5M5 15l7 5 7-5M12 4v16",
};

export class Overlay {
  constructor(stage) {
    this.stage = stage;
    this.canvas = createElement("canvas", { "aria-hidden": "true" });
    this.ring = createSvg("svg", { class: "ring", viewBox: "0 0 100 100", "aria-hidden": "true" });
    this.flashBox = createElement("div", { class: "flash" });
    stage.append(this.canvas, this.ring, this.flashBox);
    // a box drawn for another size lies beside the face until the next look
    new ResizeObserver(() => this.clearFaces()).observe(stage);
  }

  clear() {
    this.clearFaces();
    this.showRing(0, 0);
    this.showArrow("");
  }

  clearFaces() {
    const { canvas } = this;
    canvas.getContext("2d").clearRect(0, 0, canvas.width, canvas.height);
    delete canvas.dataset.face;
  }

  // seen: the service's answer. One face is drawn, or all of several.
  drawFaces(seen) {
    const { canvas } = this;
    canvas.width = canvas.clientWidth;
    canvas.height = canvas.clientHeight;
    const isGood = seen.advice.length === 0;
    const quality = isGood ? "good" : "poor";
    const faces = seen.face ? [seen.face] : seen.faces ?? [];
    canvas.dataset.face = seen.face ? quality : "none";
    canvas.dataset.boxes = String(faces.length);
    for (const face of faces) this.drawBox(face.box_xyxy, seen, isGood);
  }

  drawBox([left, top, right, bottom], seen, isGood) {
    const { canvas } = this;
    // the video covers the whole stage, and is mirrored
    const scale = Math.max(canvas.width / seen.width, canvas.height / seen.height);
    const x = canvas.width / 2 - (right - seen.width / 2) * scale;
    const y = canvas.height / 2 + (top - seen.height / 2) * scale;
    const context = canvas.getContext("2d");
    const colour = isGood ? "--seen-good" : "--seen-poor";
    context.lineWidth = 3;
    context.strokeStyle = getComputedStyle(canvas).getPropertyValue(colour);
    context.setLineDash(isGood ? [] : [10, 8]);
    context.beginPath();
    context.roundRect(x, y, (right - left) * scale, (bottom - top) * scale, 12);
    context.stroke();
  }

  // done of so many parts; no ring for 0 parts
  showRing(done, parts) {
    const part = parts ? LENGTH / parts - GAP : 0;
    this.ring.replaceChildren(...Array.from({ length: parts }, (_, at) => createSvg("circle", {
      class: at < done ? "done" : "rest",
      cx: 50,
      cy: 50,
      r: RADIUS,
      "stroke-dasharray": `${part} ${LENGTH - part}`,
      transform: `rotate(${(360 * at) / parts - 90} 50 50)`,
    })));
    Object.assign(this.ring.dataset, { done: String(done), parts: String(parts) });
  }

  // direction: "left" or "right" of whoever looks into the mirror, "closer", or "" for none
  showArrow(direction) {
    if (this.arrow?.dataset.direction === direction) return;
    this.arrow?.remove();
    this.arrow = null;
    if (!ARROWS[direction]) return;
    this.arrow = createIcon(ARROWS[direction], `arrow ${direction}`);
    this.arrow.dataset.direction = direction;
    this.stage.append(this.arrow);
  }

  flash() {
    this.flashBox.classList.remove("now");
    void this.flashBox.offsetWidth; // so that the animation starts anew
    this.flashBox.classList.add("now");
  }
}
