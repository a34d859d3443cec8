// The heat map: how similar each two faces are, as a table of colours, with the pairs that would be
// taken for one person framed.

import { createElement } from "./dom.js";
import { fixed, t } from "./i18n.js";

const STEPS = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1] };
const HIGH_FROM = 77; // percent of the colour, from which its own text is easier to read

// The scale, the table in a scrollable box, and the caption that names the pair pointed at.
// threshold: from which similarity two photos show the same person
export function createHeatMap(faces, similarity, threshold) {
  const hint = t("Point at a number, tap it, or go to it with Tab and the arrow keys.");
  const caption = createElement("p", { class: "caption", role: "status" }, hint);
  const starts = faces.map((face, at) => at > 0 && face.group !== faces[at - 1].group);
  const cells = similarity.map((row, at) => row.map((value, other) =>
    createCell(faces[at], faces[other], value, { threshold, isStart: starts[other] })));
  const head = createElement(
    "tr", {}, createElement("td", {}), ...faces.map((face) => createHeading(face, "col")),
  );
  const rows = cells.map((row, at) => createElement(
    "tr", { class: starts[at] ? "group-start" : null }, createHeading(faces[at], "row"), ...row,
  ));
  const table = createElement(
    "table", { class: "heat" },
    createElement("thead", {}, head), createElement("tbody", {}, ...rows),
  );
  const showCaption = (event) => {
    const text = event.target.closest("[data-caption]")?.dataset.caption;
    if (text) caption.textContent = text;
  };
  for (const type of ["pointerover", "focusin", "click"]) {
    table.addEventListener(type, showCaption);
  }
  addArrowKeys(table, cells);
  const box = { class: "scroll", role: "region", "aria-labelledby": "heat-title" };
  return [createScale(threshold), createElement("div", box, table), caption];
}

function createScale(threshold) {
  const tick = createElement("span", { class: "tick" });
  tick.style.left = `${Math.round(100 * threshold)}%`;
  const value = fixed(threshold, 2);
  return createElement(
    "div", { class: "scale" },
    fixed(0, 0),
    createElement("div", { class: "colours", "aria-hidden": "true" }, tick),
    fixed(1, 0),
    createElement("span", {}, t("Framed: the same person, from {value}", { value })),
  );
}

function createHeading({ label, picture }, scope) {
  const image = createElement("img", { src: picture, alt: label });
  return createElement("th", { scope, "data-caption": label }, image);
}

function createCell(one, other, value, { threshold, isStart }) {
  const names = t("{one} and {other}", { one: one.label, other: other.label });
  const isSame = value >= threshold;
  const words = isSame ? t("the same person") : t("different people");
  const strength = Math.round(100 * Math.min(1, Math.max(0, value)));
  const kinds = [
    strength >= HIGH_FROM ? "high" : "low", isSame ? "same" : "", isStart ? "group-start" : "",
  ].filter(Boolean).join(" ");
  const cell = createElement("td", {
    "data-caption": `${names}: ${fixed(value, 3)}, ${words}`, tabindex: "-1", class: kinds,
  }, fixed(value, 2));
  cell.style.backgroundColor = `color-mix(in srgb, var(--heat-high) ${strength}%, var(--heat-low))`;
  return cell;
}

// The Tab key stops at one cell only; the arrow keys go from there to the others.
function addArrowKeys(table, cells) {
  let current = cells[0][0];
  current.tabIndex = 0;
  table.addEventListener("focusin", (event) => {
    if (!cells.some((row) => row.includes(event.target))) return;
    current.tabIndex = -1;
    current = event.target;
    current.tabIndex = 0;
  });
  table.addEventListener("keydown", (event) => {
    const step = STEPS[event.key];
    if (!step) return;
    event.preventDefault();
    const row = cells.findIndex((one) => one.includes(current));
    cells[row + step[0]]?.[cells[row].indexOf(current) + step[1]]?.focus();
  });
}
