// The map: the faces on their two principal components, so that similar ones are near each other.
// It is moved and zoomed by dragging, pinching, the wheel, keys or buttons.

import { createElement, createSvg } from "./dom.js";
import { fixed, t } from "./i18n.js";

const WIDTH = 640;
const HEIGHT = 480;
const MIN_VIEW_WIDTH = 60; // of the closest view, in the same units
const SPREAD = 380; // how far apart the faces are drawn at most
const FACE_SIZE = 36;
const FACE_SIZE_ON_PHONE = 60; // large enough for a finger
const FONT_SIZE = 11;
const FONT_SIZE_ON_PHONE = 20;
const MAX_LABELS = 24;
export const phone = matchMedia("(max-width: 30rem)");
const isPhone = () => phone.matches;
const faceSize = () => (isPhone() ? FACE_SIZE_ON_PHONE : FACE_SIZE);
const ZOOM_STEP = 1.25;
const ARROWS = { ArrowUp: [0, -1], ArrowDown: [0, 1], ArrowLeft: [-1, 0], ArrowRight: [1, 0] };

// the buttons, the picture, and the caption that names the face pointed at
export function createMap(faces, similarity, points) {
  const keys = t("Plus and minus zoom, arrow keys move, 0 shows all.");
  const label = t("Map of {count} faces; similar faces are near each other.", {
    count: faces.length,
  });
  const svg = createSvg("svg", {
    class: "map", role: "group", tabindex: "0", "aria-label": `${label} ${keys}`,
  });
  const hint = `${t("Point at a face, tap it, or go to it with Tab.")} ${keys}`;
  const caption = createElement("p", { class: "caption", role: "status" }, hint);
  const spots = places(points);
  const dots = spreadOut(spots).map((place, at) =>
    new Dot(faces[at], spots[at], place, captionOf(faces, similarity, at)));
  const raised = new Dot(null, [0, 0], [0, 0], ""); // a copy of the one pointed at, above all
  svg.append(...dots.map((dot) => dot.stem), ...dots.map((dot) => dot.image), raised.image);
  svg.append(...createLabels(faces, dots));
  const view = new View(svg, [...dots, raised]);
  const dotOf = (event) => dots.find((dot) => dot.image === event.target);
  const showCaption = (event) => {
    const dot = dotOf(event);
    if (!dot) return;
    caption.textContent = dot.caption;
    raised.copy(dot);
  };
  for (const type of ["pointerover", "pointerdown", "focusin"]) {
    svg.addEventListener(type, showCaption);
  }
  svg.addEventListener("focusin", (event) => view.reveal(dotOf(event)));
  addPointers(svg, view);
  addWheel(svg, view);
  addKeys(svg, view);
  return [createButtons(view), svg, caption];
}

// What is written below each face: its group, or without groups its name. Nothing for many faces,
// which the caption names one by one.
function createLabels(faces, dots) {
  if (faces.length > MAX_LABELS) return [];
  const grouped = faces.some((face) => face.group !== faces[0].group);
  const size = isPhone() ? FONT_SIZE_ON_PHONE : FONT_SIZE;
  const most = isPhone() ? 8 : 14;
  return dots.map((dot, at) => {
    const text = (grouped ? faces[at].group : faces[at].name) || faces[at].name;
    const short = text.length > most ? `${text.slice(0, most - 1)}…` : text;
    const place = { x: dot.x, y: dot.y + faceSize() / 2 + size, "font-size": size };
    return createSvg("text", { ...place, "aria-hidden": "true" }, short);
  });
}

function createButtons(view) {
  const create = (label, text, onclick) =>
    createElement("button", { type: "button", class: "small", "aria-label": label, onclick }, text);
  return createElement(
    "div", { class: "row", role: "group", "aria-label": t("Zoom of the map") },
    create(t("Zoom in"), "+", () => view.zoom(ZOOM_STEP)),
    create(t("Zoom out"), "−", () => view.zoom(1 / ZOOM_STEP)),
    create(t("Show all"), t("Show all"), () => view.showAll()),
  );
}

function captionOf(faces, similarity, at) {
  const row = similarity[at];
  const others = faces.map((_, other) => other).filter((other) => other !== at);
  const nearest = others.reduce((best, other) => (row[other] > row[best] ? other : best));
  const values = {
    name: faces[at].label, other: faces[nearest].label, similarity: fixed(row[nearest], 3),
  };
  return t("{name}; most similar: {other} ({similarity})", values);
}

// Faces that would lie upon each other are pushed apart; a line leads to where each belongs.
function spreadOut(spots) {
  const side = (spots.length > MAX_LABELS ? 1.05 : 1.5) * faceSize(); // room for the label
  const inside = (value, size) => clamp(value, side / 2, size - side);
  const keepInside = ([x, y]) => [inside(x, WIDTH), inside(y, HEIGHT)];
  const moved = spots.map(keepInside);
  for (let round = 0; round < 60; round += 1) {
    let isClear = true;
    for (let a = 0; a < moved.length; a += 1) {
      for (let b = a + 1; b < moved.length; b += 1) {
        if (pushApart(moved, a, b, side)) isClear = false;
      }
    }
    moved.splice(0, moved.length, ...moved.map(keepInside)); // the next round pushes the others
    if (isClear) break;
  }
  return moved;
}

// whether the two were too near
function pushApart(moved, a, b, side) {
  const [dx, dy] = [moved[b][0] - moved[a][0], moved[b][1] - moved[a][1]];
  const distance = Math.hypot(dx, dy);
  if (distance >= side) return false;
  const angle = distance > 1e-6 ? Math.atan2(dy, dx) : (a + 2 * b) * 2.4; // any direction will do
  const push = (side - distance) / 2 + 0.01;
  const [x, y] = [Math.cos(angle) * push, Math.sin(angle) * push];
  moved[a] = [moved[a][0] - x, moved[a][1] - y];
  moved[b] = [moved[b][0] + x, moved[b][1] + y];
  return true;
}

// One face of the map. Without a face it is the raised copy of another dot.
class Dot {
  // spot: where it belongs; place: where it is drawn; both [x, y]
  constructor(face, spot, [x, y], caption) {
    Object.assign(this, { x, y, caption });
    this.stem = createSvg("line", { class: "stem", x1: spot[0], y1: spot[1], x2: x, y2: y });
    this.image = face
      ? createSvg("image", {
        href: face.picture, tabindex: "0", role: "img", "aria-label": face.label,
      })
      : createSvg("image", { class: "raised", "aria-hidden": "true" });
  }

  copy(other) {
    Object.assign(this, { x: other.x, y: other.y });
    this.image.setAttribute("href", other.image.getAttribute("href"));
    this.resize(other.side);
  }

  resize(side) {
    this.side = side;
    const place = { x: this.x - side / 2, y: this.y - side / 2, width: side, height: side };
    for (const [name, value] of Object.entries(place)) this.image.setAttribute(name, value);
  }
}

// points -> [x, y] on the drawing, centred, at one scale for both directions
function places(points) {
  const xs = points.map((point) => point[0]);
  const ys = points.map((point) => point[1]);
  const extent = (all) => Math.max(...all) - Math.min(...all);
  const middle = (all) => (Math.max(...all) + Math.min(...all)) / 2;
  const scale = SPREAD / Math.max(extent(xs), extent(ys), 1e-6);
  return points.map(([x, y]) => [
    WIDTH / 2 + (x - middle(xs)) * scale,
    HEIGHT / 2 - (y - middle(ys)) * scale,
  ]);
}

// The visible part of the drawing; it never leaves the drawing.
class View {
  constructor(svg, dots) {
    Object.assign(this, { svg, dots, faceSize: faceSize() });
    this.set(0, 0, WIDTH);
  }

  get height() {
    return (this.width * HEIGHT) / WIDTH;
  }

  // returns whether anything changed
  set(left, top, width) {
    const before = [this.left, this.top, this.width].join();
    this.width = clamp(width, MIN_VIEW_WIDTH, WIDTH);
    this.left = clamp(left, 0, WIDTH - this.width);
    this.top = clamp(top, 0, HEIGHT - this.height);
    this.svg.setAttribute("viewBox", [this.left, this.top, this.width, this.height].join(" "));
    // faces grow less than the distances between them, so that zooming separates overlapping ones
    const side = this.faceSize * (this.width / WIDTH) ** 0.75;
    if (side !== this.dots[0].side) for (const dot of this.dots) dot.resize(side);
    // while zoomed, a finger moves the map and does not scroll the page
    this.svg.classList.toggle("zoomed", this.width < WIDTH);
    return before !== [this.left, this.top, this.width].join();
  }

  // factor: 2 shows everything twice as large. x, y: what stays in place, 0..1 of the view
  zoom(factor, x = 0.5, y = 0.5) {
    const width = clamp(this.width / factor, MIN_VIEW_WIDTH, WIDTH);
    const gain = this.width - width;
    return this.set(this.left + x * gain, this.top + (y * gain * HEIGHT) / WIDTH, width);
  }

  showAll() {
    return this.set(0, 0, WIDTH);
  }

  // x, y: in parts of the view
  move(x, y) {
    return this.set(this.left + x * this.width, this.top + y * this.height, this.width);
  }

  // bring a face that is outside the view to its middle
  reveal(dot) {
    if (!dot) return;
    const isVisible = dot.x > this.left && dot.x < this.left + this.width
      && dot.y > this.top && dot.y < this.top + this.height;
    if (!isVisible) this.set(dot.x - this.width / 2, dot.y - this.height / 2, this.width);
  }
}

const clamp = (value, least, most) => Math.min(most, Math.max(least, value));

function addKeys(svg, view) {
  svg.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return; // the browser's own zoom
    const arrow = ARROWS[event.key];
    let changed = false;
    if (arrow) changed = view.move(arrow[0] / 8, arrow[1] / 8);
    else if ("+=".includes(event.key)) changed = view.zoom(ZOOM_STEP);
    else if ("-_".includes(event.key)) changed = view.zoom(1 / ZOOM_STEP);
    else if (event.key === "0") changed = view.showAll();
    if (changed) event.preventDefault();
  });
}

// a mouse or one finger drags, two fingers pinch
function addPointers(svg, view) {
  const pointers = new Map(); // id -> [x, y]
  svg.addEventListener("pointerdown", (event) => {
    if (event.button === 0) pointers.set(event.pointerId, [event.clientX, event.clientY]);
    if (pointers.has(event.pointerId)) svg.setPointerCapture(event.pointerId);
  });
  svg.addEventListener("pointermove", (event) => {
    if (!pointers.has(event.pointerId)) return;
    const box = svg.getBoundingClientRect();
    const before = gripOf(pointers);
    pointers.set(event.pointerId, [event.clientX, event.clientY]);
    const after = gripOf(pointers);
    view.move((before.x - after.x) / box.width, (before.y - after.y) / box.height);
    if (!before.distance || !after.distance) return;
    const [x, y] = placeIn(box, after.x, after.y);
    view.zoom(after.distance / before.distance, x, y);
  });
  for (const type of ["pointerup", "pointercancel"]) {
    svg.addEventListener(type, (event) => pointers.delete(event.pointerId));
  }
}

// the middle of two fingers and their distance; 0 for a single pointer
function gripOf(pointers) {
  const all = [...pointers.values()];
  const [a, b] = [all[0], all.at(-1)];
  const distance = Math.hypot(a[0] - b[0], a[1] - b[1]);
  return { x: (a[0] + b[0]) / 2, y: (a[1] + b[1]) / 2, distance };
}

function addWheel(svg, view) {
  svg.addEventListener("wheel", (event) => {
    const [x, y] = placeIn(svg.getBoundingClientRect(), event.clientX, event.clientY);
    const changed = view.zoom(event.deltaY > 0 ? 1 / ZOOM_STEP : ZOOM_STEP, x, y);
    if (changed) event.preventDefault(); // at the last step the page scrolls again
  }, { passive: false });
}

// a point of the window as parts of a box, 0..1
const placeIn = (box, x, y) => [(x - box.left) / box.width, (y - box.top) / box.height];
