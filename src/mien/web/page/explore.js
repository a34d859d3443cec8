// A folder of photos: its faces, how alike each two are, and a map of them.

import { $, ask, counted, fault, form, latest, make, notice, say } from "./api.js";
import { heat } from "./heat.js";
import { map } from "./map.js";
import { fitted, roomFor } from "./photos.js";

const AT_MOST = 60; // photos, as the service has it
const newest = latest();

async function explore(files) {
  const photos = files.filter((file) => /\.(jpe?g|png|webp|bmp|tiff?|gif|avif|heic)$/i.test(file.name));
  const out = $("explore-answer");
  if (!photos.length) { notice("There is no photo among these files.", $("drop")); return; }
  notice("");
  const wanted = newest();
  const some = photos.slice(0, AT_MOST);
  const doing = `Looking at ${counted(some.length, "photo")}`;
  say(doing);
  out.replaceChildren(make("p", { class: "busy" }, doing));
  try {
    const fields = [];
    for (const photo of some) fields.push(["photos", await fitted(photo, roomFor(some.length))]);
    if (!wanted()) return;
    const data = await ask("POST", "/v1/explore", form(fields));
    if (wanted()) out.replaceChildren(...found(data, photos.length));
  } catch (error) { if (wanted()) out.replaceChildren(fault(error)); }
}

function found(data, given) {
  const { faces, similarity, points, left_out } = data;
  const words = `${counted(faces.length, "face")} found.${given > AT_MOST ? ` Only the first ${AT_MOST} photos were looked at.` : ""}`;
  say(words);
  const parts = [make("p", {}, words)];
  if (left_out.length) parts.push(make("details", {}, make("summary", {}, `${left_out.length} left out`), make("ul", {}, ...left_out.map((one) => make("li", {}, `${one.name}: ${one.reason}`)))));
  if (!faces.length) return parts;
  parts.push(make("h3", {}, "Faces"), make("ul", { class: "shots", role: "list" }, ...faces.map((face) => make("li", {}, make("img", { src: face.picture, alt: face.name }), make("p", {}, face.name)))));
  parts.push(make("h3", { id: "heat-title" }, "How alike each two are"), ...heat(faces, similarity));
  if (faces.length > 2) parts.push(make("h3", {}, "Map"), ...map(faces, similarity, points));
  return parts;
}

// giving photos -------------------------------------------------------------------------------

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
  const items = [...event.dataTransfer.items].filter((item) => item.kind === "file");
  const entries = items.map((item) => item.webkitGetAsEntry() ?? item.getAsFile()); // before any await: then they are gone
  await explore((await Promise.all(entries.map(filesOf))).flat());
});

async function filesOf(entry) {
  if (entry instanceof File) return [entry];
  if (entry.isFile) return [await new Promise((done, fail) => entry.file(done, fail))];
  const reader = entry.createReader(), inside = [];
  for (;;) {
    const some = await new Promise((done, fail) => reader.readEntries(done, fail));
    if (!some.length) break;
    inside.push(...some);
  }
  return (await Promise.all(inside.map(filesOf))).flat();
}
