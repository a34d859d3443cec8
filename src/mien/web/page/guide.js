// Guided enrollment: photos are taken by themselves when the face does what was asked, so that the
// template knows it from several sides. Nobody is held up: after some good looks the photo is taken
// all the same.

import { announce } from "./dom.js";
import { t } from "./i18n.js";

const FRONTAL = 0.14; // of the service's `turn`, in distances of the eyes
const TURNED = 0.1;
const CLOSER = 1.12; // times as far between the eyes as on the first photo
const PATIENCE = 7; // good looks, about three seconds

// turn: the nose of whoever turns to their own left moves to the viewer's right
const STEPS = [
  { text: () => t("Look straight into the camera"), fits: ({ turn }) => Math.abs(turn) < FRONTAL },
  { text: () => t("Turn your head a little to your left"), arrow: "left",
    fits: ({ turn }) => turn > TURNED },
  { text: () => t("Turn your head a little to your right"), arrow: "right",
    fits: ({ turn }) => turn < -TURNED },
  { text: () => t("Come a little closer"), arrow: "closer",
    fits: (seen, first) => seen.eye_distance_px > CLOSER * first.eye_distance_px },
  { text: () => t("Look straight again, and smile"), fits: ({ turn }) => Math.abs(turn) < FRONTAL },
];
export const PHOTOS = STEPS.length;

export class Guide {
  // take: gets the frame and what was seen on it. finish: called after the last photo.
  constructor(overlay, { take, finish }) {
    Object.assign(this, { overlay, take, finish, done: 0, looks: 0, first: null });
  }

  // done: photos that there are already
  begin(done) {
    this.done = Math.min(done, PHOTOS);
    this.looks = 0;
    this.show();
  }

  get isOver() {
    return this.done >= PHOTOS;
  }

  show() {
    this.overlay.showRing(this.done, PHOTOS);
    this.overlay.showArrow(STEPS[this.done]?.arrow ?? "");
  }

  // what to tell in place of the service's advice; null to tell that
  see(seen, frame) {
    if (this.isOver || !seen.face || seen.advice.length) return null;
    this.first ??= seen;
    this.looks += 1;
    const step = STEPS[this.done];
    if (!step.fits(seen, this.first) && this.looks < PATIENCE) return step.text();
    this.add(frame, seen);
    return this.isOver ? t("That is enough.") : STEPS[this.done].text();
  }

  // also for a photo that was taken by hand
  add(frame, seen) {
    this.done += 1;
    this.looks = 0;
    this.overlay.flash();
    this.show();
    announce(t("Photo {number} of {count} was taken.", { number: this.done, count: PHOTOS }));
    this.take(frame, seen);
    if (this.isOver) this.finish();
  }
}
