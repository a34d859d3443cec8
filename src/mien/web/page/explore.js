// A folder of photos: its faces, how alike each two are, and a map of them.

import { $, ask, form, make, notice, sentence } from "./api.js";

async function explore(files) {
  const photos = files.filter((file) => /\.(jpe?g|png|webp|bmp|tiff?|gif|avif|heic)$/i.test(file.name));
  const out = $("explore-answer");
  if (!photos.length) { notice("There is no photo among these files."); return; }
  notice("");
  out.replaceChildren(make("p", { class: "busy" }, `Looking at ${Math.min(60, photos.length)} photos`));
  try {
    const data = await ask("POST", "/v1/explore", form(photos.slice(0, 60).map((photo) => ["photos", photo])));
    out.replaceChildren(...found(data, photos.length));
  } catch (error) { out.replaceChildren(make("p", { class: "empty" }, sentence(error.message))); }
}

function found(data, given) {
  const { faces, similarity, points, left_out } = data;
  const parts = [make("p", { role: "status" }, `${faces.length} faces found.${given > 60 ? " Only the first 60 photos were looked at." : ""}`)];
  if (left_out.length) parts.push(make("details", {}, make("summary", {}, `${left_out.length} left out`), make("ul", {}, ...left_out.map((one) => make("li", {}, `${one.name}: ${one.why}`)))));
  if (!faces.length) return parts;
  parts.push(make("h3", {}, "Faces"), make("ul", { class: "shots", role: "list" }, ...faces.map((face) => make("li", {}, make("img", { src: face.picture, alt: face.name }), make("p", {}, face.name)))));
  parts.push(make("h3", { id: "heat-title" }, "How alike each two are"), heat(faces, similarity));
  if (faces.length > 2) parts.push(make("h3", {}, "Map"), map(faces, points));
  return parts;
}

function heat(faces, similarity) {
  const row = (at) => make("tr", {}, make("th", { scope: "row" }, make("img", { src: faces[at].picture, alt: faces[at].name, title: faces[at].name })),
    ...similarity[at].map((value, other) => {
      const cell = make("td", { title: `${faces[at].name} and ${faces[other].name}: ${value.toFixed(3)}` }, value.toFixed(2));
      const strength = Math.round(100 * Math.min(1, Math.max(0, value)));
      cell.style.backgroundColor = `color-mix(in srgb, #0a7a5c ${strength}%, #fff)`;
      cell.style.color = strength > 55 ? "#fff" : "#1b1f23";
      return cell;
    }));
  const head = make("tr", {}, make("td", {}), ...faces.map((face) => make("th", { scope: "col" }, make("img", { src: face.picture, alt: face.name, title: face.name }))));
  return make("div", { class: "scroll", tabindex: "0", role: "region", "aria-labelledby": "heat-title" }, make("table", { class: "heat" }, make("thead", {}, head), make("tbody", {}, ...faces.map((_, at) => row(at)))));
}

function map(faces, points) {
  const NS = "http://www.w3.org/2000/svg";
  const svg = document.createElementNS(NS, "svg");
  const xs = points.map((p) => p[0]), ys = points.map((p) => p[1]);
  const span = Math.max(Math.max(...xs) - Math.min(...xs), Math.max(...ys) - Math.min(...ys), 1e-6);
  let view = [0, 0, 640, 480];
  const frame = () => svg.setAttribute("viewBox", view.join(" "));
  svg.setAttribute("class", "map");
  svg.setAttribute("role", "img");
  svg.setAttribute("aria-label", `Map of ${faces.length} faces on two principal components; near is alike. Plus and minus zoom.`);
  svg.setAttribute("tabindex", "0");
  points.forEach(([px, py], at) => {
    const x = 320 + (px - (Math.max(...xs) + Math.min(...xs)) / 2) / span * 380;
    const y = 240 - (py - (Math.max(...ys) + Math.min(...ys)) / 2) / span * 380;
    const image = document.createElementNS(NS, "image");
    for (const [name, value] of [["href", faces[at].picture], ["x", x - 18], ["y", y - 18], ["width", 36], ["height", 36]]) image.setAttribute(name, value);
    const title = document.createElementNS(NS, "title");
    title.textContent = faces[at].name;
    image.append(title);
    svg.append(image);
  });
  const zoom = (factor, cx = view[0] + view[2] / 2, cy = view[1] + view[3] / 2) => {
    const width = Math.min(640, Math.max(60, view[2] * factor)), real = width / view[2];
    view = [cx - (cx - view[0]) * real, cy - (cy - view[1]) * real, width, view[3] * real];
    if (width === 640) view = [0, 0, 640, 480];
    frame();
  };
  svg.addEventListener("wheel", (event) => {
    event.preventDefault();
    const at = svg.getBoundingClientRect();
    zoom(event.deltaY > 0 ? 1.2 : 1 / 1.2, view[0] + (event.clientX - at.left) / at.width * view[2], view[1] + (event.clientY - at.top) / at.height * view[3]);
  }, { passive: false });
  svg.addEventListener("keydown", (event) => { if (event.key === "+") zoom(1 / 1.2); if (event.key === "-") zoom(1.2); });
  frame();
  return svg;
}

for (const id of ["explore-files", "explore-folder"]) $(id).addEventListener("change", async (event) => {
  const files = [...event.target.files];
  event.target.value = "";
  await explore(files);
});
$("drop").addEventListener("dragover", (event) => { event.preventDefault(); $("drop").classList.add("over"); });
$("drop").addEventListener("dragleave", () => $("drop").classList.remove("over"));
$("drop").addEventListener("drop", async (event) => {
  event.preventDefault();
  $("drop").classList.remove("over");
  const entries = [...event.dataTransfer.items].map((item) => item.webkitGetAsEntry()).filter(Boolean);
  await explore((await Promise.all(entries.map(filesOf))).flat());
});

async function filesOf(entry) {
  if (entry.isFile) return [await new Promise((done, fail) => entry.file(done, fail))];
  const reader = entry.createReader(), inside = [];
  for (;;) {
    const some = await new Promise((done, fail) => reader.readEntries(done, fail));
    if (!some.length) break;
    inside.push(...some);
  }
  return (await Promise.all(inside.map(filesOf))).flat();
}
