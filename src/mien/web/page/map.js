// The faces on their two principal components: near is alike. Drag, pinch, wheel, keys or buttons.

import { make } from "./api.js";

const NS = "http://www.w3.org/2000/svg";
const WIDE = 640, HIGH = 480, CLOSEST = 60; // of the drawing, and the width of the closest view
const FACE = 36, FACE_ON_PHONE = 60; // large enough for a finger
const STEP = 1.25;
const HINT = "Point at a face, tap it, or go there with Tab. Plus and minus zoom, arrow keys move, 0 shows all.";
const ARROWS = { ArrowUp: [0, -1], ArrowDown: [0, 1], ArrowLeft: [-1, 0], ArrowRight: [1, 0] };

// its buttons, the picture, and the line under it that says what is pointed at
export function map(faces, similarity, points) {
  const svg = drawing("svg", { class: "map", role: "group", tabindex: "0",
    "aria-label": `Map of ${faces.length} faces on two principal components; near is alike. Plus and minus zoom, arrow keys move, 0 shows all.` });
  const caption = make("p", { class: "caption", role: "status" }, HINT);
  const dots = places(points).map(([x, y], at) => new Dot(faces[at], x, y, words(faces, similarity, at)));
  const raised = new Dot(null, 0, 0, ""); // over the others, the one that is pointed at
  svg.append(...[...dots, raised].map((one) => one.node));
  const view = new View(svg, [...dots, raised]);
  const tell = (event) => {
    const dot = dots.find((one) => one.node === event.target);
    if (!dot) return;
    caption.textContent = dot.said;
    raised.show(dot);
  };
  for (const kind of ["pointerover", "pointerdown", "focusin"]) svg.addEventListener(kind, tell);
  svg.addEventListener("focusin", (event) => view.reveal(dots.find((one) => one.node === event.target)));
  byPointer(svg, view);
  byKeys(svg, view);
  const button = (label, text, onclick) => make("button", { type: "button", "aria-label": label, onclick }, text);
  const buttons = make("div", { class: "row", role: "group", "aria-label": "Zoom of the map" },
    button("Zoom in", "+", () => view.zoom(STEP)), button("Zoom out", "−", () => view.zoom(1 / STEP)), button("Show all", "Show all", () => view.zoom(0)));
  return [buttons, svg, caption];
}

function words(faces, similarity, at) {
  const others = faces.map((_, other) => other).filter((other) => other !== at);
  const nearest = others.reduce((best, other) => (similarity[at][other] > similarity[at][best] ? other : best));
  return `${faces[at].name}; most like ${faces[nearest].name} (${similarity[at][nearest].toFixed(3)})`;
}

function drawing(tag, attributes) {
  const node = document.createElementNS(NS, tag);
  for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
  return node;
}

class Dot {
  constructor(face, x, y, said) {
    Object.assign(this, { x, y, said });
    this.node = face
      ? drawing("image", { href: face.picture, tabindex: "0", role: "img", "aria-label": face.name })
      : drawing("image", { class: "raised", "aria-hidden": "true" });
  }

  show(other) {
    Object.assign(this, { x: other.x, y: other.y });
    this.node.setAttribute("href", other.node.getAttribute("href"));
    this.size(other.side);
  }

  size(side) {
    this.side = side;
    const place = { x: this.x - side / 2, y: this.y - side / 2, width: side, height: side };
    for (const [name, value] of Object.entries(place)) this.node.setAttribute(name, value);
  }
}

function places(points) {
  const xs = points.map((p) => p[0]), ys = points.map((p) => p[1]);
  const span = Math.max(Math.max(...xs) - Math.min(...xs), Math.max(...ys) - Math.min(...ys), 1e-6);
  const middle = (all) => (Math.max(...all) + Math.min(...all)) / 2;
  return points.map(([x, y]) => [WIDE / 2 + (x - middle(xs)) / span * 380, HIGH / 2 - (y - middle(ys)) / span * 380]);
}

// the part of the drawing that is seen; it never leaves the drawing
class View {
  constructor(svg, dots) {
    Object.assign(this, { svg, dots, face: innerWidth < 480 ? FACE_ON_PHONE : FACE });
    this.set(0, 0, WIDE);
  }

  get high() { return this.width * HIGH / WIDE; }

  set(left, top, width) {
    const before = [this.left, this.top, this.width].join();
    this.width = Math.min(WIDE, Math.max(CLOSEST, width));
    this.left = Math.min(WIDE - this.width, Math.max(0, left));
    this.top = Math.min(HIGH - this.high, Math.max(0, top));
    this.svg.setAttribute("viewBox", [this.left, this.top, this.width, this.high].join(" "));
    // faces grow less than the distances between them, so that zooming parts those that overlap
    const side = this.face * (this.width / WIDE) ** 0.75;
    if (side !== this.dots[0].side) for (const dot of this.dots) dot.size(side);
    this.svg.classList.toggle("zoomed", this.width < WIDE); // then a finger moves the map, not the page
    return before !== [this.left, this.top, this.width].join(); // whether anything moved
  }

  // times: 2 shows half as much, twice as large; 0 shows all. across, down: what stays in place, 0..1
  zoom(times, across = 0.5, down = 0.5) {
    const width = Math.min(WIDE, Math.max(CLOSEST, times ? this.width / times : WIDE));
    const more = this.width - width;
    return this.set(this.left + across * more, this.top + down * more * HIGH / WIDE, width);
  }

  // by parts of what is seen
  move(across, down) { return this.set(this.left + across * this.width, this.top + down * this.high, this.width); }

  // bring a face that is out of sight to the middle
  reveal(dot) {
    if (!dot) return;
    const seen = dot.x > this.left && dot.x < this.left + this.width && dot.y > this.top && dot.y < this.top + this.high;
    if (!seen) this.set(dot.x - this.width / 2, dot.y - this.high / 2, this.width);
  }
}

function byKeys(svg, view) {
  svg.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return; // the browser's own zoom
    const arrow = ARROWS[event.key];
    let moved = false;
    if (arrow) moved = view.move(arrow[0] / 8, arrow[1] / 8);
    else if ("+=".includes(event.key)) moved = view.zoom(STEP);
    else if ("-_".includes(event.key)) moved = view.zoom(1 / STEP);
    else if (event.key === "0") moved = view.zoom(0);
    if (moved) event.preventDefault();
  });
}

function byPointer(svg, view) {
  const held = new Map(); // a mouse or one finger drags, two fingers pinch
  const grip = () => {
    const all = [...held.values()], [a, b] = [all[0], all.at(-1)];
    return { x: (a[0] + b[0]) / 2, y: (a[1] + b[1]) / 2, apart: Math.hypot(a[0] - b[0], a[1] - b[1]) };
  };
  svg.addEventListener("pointerdown", (event) => {
    if (event.button === 0) held.set(event.pointerId, [event.clientX, event.clientY]);
    if (held.has(event.pointerId)) svg.setPointerCapture(event.pointerId);
  });
  svg.addEventListener("pointermove", (event) => {
    if (!held.has(event.pointerId)) return;
    const box = svg.getBoundingClientRect();
    const before = grip();
    held.set(event.pointerId, [event.clientX, event.clientY]);
    const after = grip();
    view.move((before.x - after.x) / box.width, (before.y - after.y) / box.height);
    if (before.apart && after.apart) view.zoom(after.apart / before.apart, (after.x - box.left) / box.width, (after.y - box.top) / box.height);
  });
  for (const kind of ["pointerup", "pointercancel"]) svg.addEventListener(kind, (event) => held.delete(event.pointerId));
  svg.addEventListener("wheel", (event) => {
    const box = svg.getBoundingClientRect();
    const moved = view.zoom(event.deltaY > 0 ? 1 / STEP : STEP, (event.clientX - box.left) / box.width, (event.clientY - box.top) / box.height);
    if (moved) event.preventDefault(); // at the end of it, the page goes on
  }, { passive: false });
}
