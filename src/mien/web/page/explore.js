// Explore: the faces in photos, how similar each two are, and a map of them. Nothing is stored.

import { createForm, request } from "./api.js";
import {
  $, acceptDrops, announce, createAlert, createElement, latestOnly, showNotice,
} from "./dom.js";
import { createHeatMap } from "./heat.js";
import { plural, t, tService } from "./i18n.js";
import { createMap, phone } from "./map.js";
import { maxBytesEach, shrink } from "./photos.js";

const MAX_PHOTOS = 60; // of the service, for one request
const PHOTO_NAME = /\.(jpe?g|png|webp|bmp|tiff?|gif|avif|heic)$/i;
const startExploring = latestOnly();
let again = null; // shows the last result once more, in another language

export function enter() {
  again?.();
}

// chosen: pairs of a File and its path in the chosen folder
async function explore(chosen) {
  const photos = chosen.filter(([file]) => PHOTO_NAME.test(file.name));
  const output = $("explore-result");
  if (!photos.length) {
    showNotice(t("None of these files is a photo."), $("drop"));
    return;
  }
  showNotice("");
  const isNewest = startExploring();
  const sent = photos.slice(0, MAX_PHOTOS);
  const progress = plural(sent.length, "Analysing {count} photo", "Analysing {count} photos");
  announce(progress);
  output.replaceChildren(createElement("p", { class: "busy" }, progress));
  try {
    const fields = [];
    const maxBytes = maxBytesEach(sent.length);
    // numbered, so that the paths stay here and long ones are not cut
    for (const [at, [photo]] of sent.entries()) {
      fields.push(["photos", await shrink(photo, maxBytes), `${at}`]);
    }
    if (!isNewest()) return;
    const found = await request("POST", "/v1/explore", createForm(fields));
    if (!isNewest()) return;
    const exploration = withNames(found, sent.map(([, path]) => path));
    again = () => output.replaceChildren(...createResult(exploration, photos.length));
    again();
  } catch (error) {
    if (isNewest()) output.replaceChildren(createAlert(error));
  }
}

// The faces with their names and groups, in the order of the groups. group: the folder that a photo
// lies in, "" at the top.
function withNames(found, paths) {
  const named = ({ name, ...rest }) => {
    const parts = paths[Number(name)].split("/");
    return { ...rest, name: parts.at(-1), group: parts.at(-2) ?? "" };
  };
  const faces = found.faces.map(named);
  const order = [...faces.keys()].sort(
    (a, b) => faces[a].group.localeCompare(faces[b].group) || a - b,
  );
  return {
    ...found,
    faces: order.map((at) => faces[at]),
    similarity: order.map((row) => order.map((other) => found.similarity[row][other])),
    points: order.map((at) => found.points[at]),
    left_out: found.left_out.map(named),
  };
}

// what a face is called: with its folder, where there are several
export function labelOf({ name, group }, groups) {
  return groups > 1 && group ? `${group}/${name}` : name;
}

function createResult(exploration, photoCount) {
  const { similarity, points, threshold, left_out: leftOut } = exploration;
  const groups = new Set(exploration.faces.map((face) => face.group)).size;
  const faces = exploration.faces.map((face) => ({ ...face, label: labelOf(face, groups) }));
  const found = plural(faces.length, "{count} face found.", "{count} faces found.");
  const limit = photoCount > MAX_PHOTOS
    ? t("Only the first {count} photos were used.", { count: MAX_PHOTOS }) : "";
  announce(`${found} ${limit}`);
  const parts = [createElement("p", { class: "quiet" }, `${found} ${limit}`)];
  if (leftOut.length) parts.push(createLeftOut(leftOut));
  if (!faces.length) return parts;
  parts.push(...createFaces(faces));
  parts.push(createElement("h3", { id: "heat-title" }, t("Similarity of each pair")));
  parts.push(...createHeatMap(faces, similarity, threshold));
  if (faces.length > 2) {
    const map = createMap(faces, similarity, points);
    parts.push(createElement("h3", {}, t("Map")), ...map);
  }
  return parts;
}

function createLeftOut(photos) {
  const items = photos.map(({ name, reason }) =>
    createElement("li", {}, `${name}: ${tService(reason)}`));
  const count = plural(photos.length, "{count} photo left out", "{count} photos left out");
  return createElement(
    "details", {},
    createElement("summary", {}, count),
    createElement("ul", {}, ...items),
  );
}

// the faces below the names of their groups
function createFaces(faces) {
  const groups = new Map();
  for (const face of faces) {
    if (!groups.has(face.group)) groups.set(face.group, []);
    groups.get(face.group).push(face);
  }
  return [...groups].flatMap(([group, members]) => {
    const title = groups.size > 1 && group ? group : t("Faces");
    const items = members.map(({ name, label, picture }) => createElement(
      "li", {},
      createElement("img", { src: picture, alt: label }),
      createElement("p", {}, name),
    ));
    return [
      createElement("h3", {}, title),
      createElement("ul", { class: "shots", role: "list" }, ...items),
    ];
  });
}

// choosing and dropping files -----------------------------------------------------------------

for (const id of ["explore-files", "explore-folder"]) {
  $(id).addEventListener("change", async (event) => {
    const files = [...event.target.files];
    event.target.value = "";
    await explore(files.map((file) => [file, file.webkitRelativePath || file.name]));
  });
}
$("explore-choose").addEventListener("click", () => $("explore-folder").click());
acceptDrops($("drop"), explore);
// faces and words of the map are larger on a phone
phone.addEventListener("change", () => again?.());
