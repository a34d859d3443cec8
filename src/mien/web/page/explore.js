// Explore: the faces in photos, how similar each two are, and a map of them. Nothing is stored.

import {
  $, announce, createAlert, createElement, createForm, latestOnly, plural, request, showNotice,
} from "./api.js";
import { createHeatMap } from "./heat.js";
import { createMap } from "./map.js";
import { maxBytesEach, shrink } from "./photos.js";

const MAX_PHOTOS = 60; // of the service, for one request
const PHOTO_NAME = /\.(jpe?g|png|webp|bmp|tiff?|gif|avif|heic)$/i;
const startExploring = latestOnly();

async function explore(files) {
  const photos = files.filter((file) => PHOTO_NAME.test(file.name));
  const output = $("explore-result");
  if (!photos.length) {
    showNotice("None of these files is a photo.", $("drop"));
    return;
  }
  showNotice("");
  const isNewest = startExploring();
  const sent = photos.slice(0, MAX_PHOTOS);
  const progress = `Analysing ${plural(sent.length, "photo")}`;
  announce(progress);
  output.replaceChildren(createElement("p", { class: "busy" }, progress));
  try {
    const fields = [];
    const maxBytes = maxBytesEach(sent.length);
    for (const photo of sent) fields.push(["photos", await shrink(photo, maxBytes)]);
    if (!isNewest()) return;
    const exploration = await request("POST", "/v1/explore", createForm(fields));
    if (isNewest()) output.replaceChildren(...createResult(exploration, photos.length));
  } catch (error) {
    if (isNewest()) output.replaceChildren(createAlert(error));
  }
}

function createResult({ faces, similarity, points, left_out: leftOut }, photoCount) {
  const found = `${plural(faces.length, "face")} found.`;
  const limit = photoCount > MAX_PHOTOS ? ` Only the first ${MAX_PHOTOS} photos were used.` : "";
  announce(found + limit);
  const parts = [createElement("p", {}, found + limit)];
  if (leftOut.length) parts.push(createLeftOut(leftOut));
  if (!faces.length) return parts;
  parts.push(createElement("h3", {}, "Faces"), createFaces(faces));
  parts.push(createElement("h3", { id: "heat-title" }, "Similarity of each pair"));
  parts.push(...createHeatMap(faces, similarity));
  if (faces.length > 2) {
    parts.push(createElement("h3", {}, "Map"), ...createMap(faces, similarity, points));
  }
  return parts;
}

function createLeftOut(photos) {
  const items = photos.map(({ name, reason }) => createElement("li", {}, `${name}: ${reason}`));
  return createElement(
    "details", {},
    createElement("summary", {}, `${plural(photos.length, "photo")} left out`),
    createElement("ul", {}, ...items),
  );
}

function createFaces(faces) {
  const items = faces.map(({ name, picture }) => createElement(
    "li", {},
    createElement("img", { src: picture, alt: name }),
    createElement("p", {}, name),
  ));
  return createElement("ul", { class: "shots", role: "list" }, ...items);
}

// choosing and dropping files -----------------------------------------------------------------

for (const id of ["explore-files", "explore-folder"]) {
  $(id).addEventListener("change", async (event) => {
    const files = [...event.target.files];
    event.target.value = "";
    await explore(files);
  });
}
$("drop").addEventListener("dragover", (event) => {
  event.preventDefault();
  $("drop").classList.add("over");
});
$("drop").addEventListener("dragleave", () => $("drop").classList.remove("over"));
$("drop").addEventListener("drop", async (event) => {
  event.preventDefault();
  $("drop").classList.remove("over");
  const items = [...event.dataTransfer.items].filter((item) => item.kind === "file");
  // taken before any await, after which the browser has emptied the list
  const entries = items.map((item) => item.webkitGetAsEntry() ?? item.getAsFile());
  await explore((await Promise.all(entries.map(filesIn))).flat());
});

// all files of a dropped file or folder, and of the folders in it
async function filesIn(entry) {
  if (entry instanceof File) return [entry];
  if (entry.isFile) return [await new Promise((resolve, reject) => entry.file(resolve, reject))];
  const reader = entry.createReader();
  const entries = [];
  for (;;) {
    const batch = await new Promise((resolve, reject) => reader.readEntries(resolve, reject));
    if (!batch.length) break;
    entries.push(...batch);
  }
  return (await Promise.all(entries.map(filesIn))).flat();
}
