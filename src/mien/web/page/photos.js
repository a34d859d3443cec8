// Photos made small enough to send: a phone's photo has more pixels than a face needs.

import { BODY_LIMIT } from "./api.js";

const LONG_SIDES_PX = [1600, 1100, 760]; // tried in this order
const QUALITY = 0.92;
const MAX_PHOTO_BYTES = 1024 * 1024;

// how many bytes each of `count` photos may have, so that all of them fit into one request
export const maxBytesEach = (count) =>
  Math.min(MAX_PHOTO_BYTES, Math.floor((BODY_LIMIT * 0.95) / count));

// The file itself if it has at most `maxBytes`, otherwise a smaller, upright JPEG.
export async function shrink(file, maxBytes = maxBytesEach(1)) {
  if (file.size <= maxBytes) return file;
  let picture;
  try {
    picture = await createImageBitmap(file, { imageOrientation: "from-image" });
  } catch {
    return file; // a format that the browser cannot read; mien may, or gives the reason
  }
  let jpeg;
  for (const side of LONG_SIDES_PX) {
    jpeg = await toJpeg(picture, side);
    if (jpeg.size <= maxBytes) break;
  }
  picture.close();
  return new File([jpeg], file.name, { type: jpeg.type });
}

function toJpeg(picture, longSide) {
  const scale = Math.min(1, longSide / Math.max(picture.width, picture.height));
  const canvas = document.createElement("canvas");
  canvas.width = Math.max(1, Math.round(picture.width * scale));
  canvas.height = Math.max(1, Math.round(picture.height * scale));
  const context = canvas.getContext("2d");
  context.fillStyle = "#fff"; // behind transparent pixels
  context.fillRect(0, 0, canvas.width, canvas.height);
  context.imageSmoothingQuality = "high";
  context.drawImage(picture, 0, 0, canvas.width, canvas.height);
  return new Promise((resolve) => canvas.toBlob(resolve, "image/jpeg", QUALITY));
}
