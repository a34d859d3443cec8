// The heat map: how similar each two faces are, as a table of colours.

import { createElement } from "./api.js";

const HINT = "Point at a number, tap it, or go to it with Tab and the arrow keys.";
const STEPS = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1] };
const WHITE_TEXT_FROM = 55; // percent of the colour, from which white text is easier to read

// the table in a scrollable box, and the caption that names the pair pointed at
export function createHeatMap(faces, similarity) {
  const caption = createElement("p", { class: "caption", role: "status" }, HINT);
  const cells = similarity.map((row, at) => row.map((value, other) =>
    createCell(`${faces[at].name} and ${faces[other].name}`, value)));
  const head = createElement(
    "tr", {}, createElement("td", {}), ...faces.map((face) => createHeading(face, "col")),
  );
  const rows = cells.map((row, at) =>
    createElement("tr", {}, createHeading(faces[at], "row"), ...row));
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
  return [createElement("div", box, table), caption];
}

function createHeading({ name, picture }, scope) {
  const image = createElement("img", { src: picture, alt: name });
  return createElement("th", { scope, "data-caption": name }, image);
}

function createCell(names, value) {
  const attributes = { "data-caption": `${names}: ${value.toFixed(3)}`, tabindex: "-1" };
  const cell = createElement("td", attributes, value.toFixed(2));
  const strength = Math.round(100 * Math.min(1, Math.max(0, value)));
  cell.style.backgroundColor = `color-mix(in srgb, #0a7a5c ${strength}%, #fff)`;
  cell.style.color = strength > WHITE_TEXT_FROM ? "#fff" : "#1b1f23";
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
