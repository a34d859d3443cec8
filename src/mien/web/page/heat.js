// How alike each two of the faces are, as a table of colours.

import { make } from "./api.js";

const HINT = "Point at a number, tap it, or go there with Tab and the arrow keys.";
const STEPS = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1] };

// the table, and the line under it that says what is pointed at
export function heat(faces, similarity) {
  const caption = make("p", { class: "caption", role: "status" }, HINT);
  const cells = similarity.map((row, at) => row.map((value, other) => cell(`${faces[at].name} and ${faces[other].name}`, value)));
  const face = (one, scope) => make("th", { scope, "data-words": one.name }, make("img", { src: one.picture, alt: one.name }));
  const head = make("tr", {}, make("td", {}), ...faces.map((one) => face(one, "col")));
  const rows = cells.map((row, at) => make("tr", {}, face(faces[at], "row"), ...row));
  const table = make("table", { class: "heat" }, make("thead", {}, head), make("tbody", {}, ...rows));
  const tell = (event) => { const words = event.target.closest("[data-words]")?.dataset.words; if (words) caption.textContent = words; };
  for (const kind of ["pointerover", "focusin", "click"]) table.addEventListener(kind, tell);
  walk(table, cells);
  return [make("div", { class: "scroll", role: "region", "aria-labelledby": "heat-title" }, table), caption];
}

function cell(names, value) {
  const made = make("td", { "data-words": `${names}: ${value.toFixed(3)}`, tabindex: "-1" }, value.toFixed(2));
  const strength = Math.round(100 * Math.min(1, Math.max(0, value)));
  made.style.backgroundColor = `color-mix(in srgb, #0a7a5c ${strength}%, #fff)`;
  made.style.color = strength > 55 ? "#fff" : "#1b1f23";
  return made;
}

// one stop of the Tab key for all cells; arrow keys go on from there
function walk(table, cells) {
  let stop = cells[0][0];
  stop.tabIndex = 0;
  table.addEventListener("focusin", (event) => {
    if (!cells.some((row) => row.includes(event.target))) return;
    stop.tabIndex = -1;
    stop = event.target;
    stop.tabIndex = 0;
  });
  table.addEventListener("keydown", (event) => {
    const step = STEPS[event.key];
    if (!step) return;
    event.preventDefault();
    const row = cells.findIndex((one) => one.includes(stop));
    cells[row + step[0]]?.[cells[row].indexOf(stop) + step[1]]?.focus();
  });
}
