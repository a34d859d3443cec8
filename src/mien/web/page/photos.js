// Photos made small enough to send: a phone's photo has more pixels than a face needs.

import { BODY_LIMIT } from "./api.js";

const LONG_SIDES = [1600, 1100, 760]; // px, the first that fits
const QUALITY = 0.92;

// how much each of so many photos may weigh, so that all of them go in one request
export const roomFor = (count) => Math.min(1024 * 1024, Math.floor((BODY_LIMIT * 0.95) / count));

// the file as it is if it has no more bytes than `room`, else a smaller JPEG, upright
export async function fitted(file, room = roomFor(1)) {
  if (file.size <= room) return file;
  let picture;
  try {
    picture = await createImageBitmap(file, { imageOrientation: "from-image" });
  } catch {
    return file; // of a kind that the browser cannot read; mien may, or says why not
  }
  let made;
  for (const side of LONG_SIDES) {
    made = await drawn(picture, side);
    if (made.size <= room) break;
  }
  picture.close();
  return new File([made], file.webkitRelativePath || file.name, { type: made.type });
}

function drawn(picture, side) {
  const scale = Math.min(1, side / Math.max(picture.width, picture.height));
  const canvas = document.createElement("canvas");
  canvas.width = Math.max(1, Math.round(picture.width * scale));
  canvas.height = Math.max(1, Math.round(picture.height * scale));
  const pen = canvas.getContext("2d");
  pen.fillStyle = "#fff"; // behind what is see-through
  pen.fillRect(0, 0, canvas.width, canvas.height);
  pen.imageSmoothingQuality = "high";
  pen.drawImage(picture, 0, 0, canvas.width, canvas.height);
  return new Promise((done) => canvas.toBlob(done, "image/jpeg", QUALITY));
}
