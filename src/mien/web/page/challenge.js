// A challenge: the person is asked to move, and each frame of the camera is sent when it is taken.

import { createForm, request } from "./api.js";
import { toSentence } from "./dom.js";
import { t, tService } from "./i18n.js";

const FRAME_INTERVAL_MS = 80; // the service waits for the next frame for 0.6 s
const MAX_FRAMES = 400;
const PARTS = 3; // of the ring: two movements, and the decision
const ARROW_OF = {
  "turn your head to your left": "left",
  "turn your head to your right": "right",
  "come closer": "closer",
};

// The decision or the enrollment; refusals are decisions too. camera: is on; shows each
// instruction. fields: further ones of the form, such as the purpose. kept: of the frames only.
export async function runChallenge(camera, user, fields = [], kept = []) {
  const form = createForm([["user", user], ...fields]);
  const started = await request("POST", "/v1/challenge", form);
  camera.pauseAdvice();
  const told = new Told(camera);
  try {
    told.show(started.instruction);
    for (let number = 1; number <= MAX_FRAMES && camera.isOn; number += 1) {
      const answer = await sendFrame(camera, [
        ["user", user], ["nonce", started.nonce], ["number", `${number}`], ...fields, ...kept,
      ]);
      if (answer.outcome !== "challenge") return answer;
      told.show(answer.instruction);
    }
    throw new Error(t("The camera was stopped; start it and try again"));
  } finally {
    camera.overlay.showArrow("");
    camera.overlay.showRing(0, 0);
    camera.resumeAdvice();
  }
}

// Shows the instructions, and how many movements were done.
class Told {
  constructor(camera) {
    Object.assign(this, { camera, last: "", done: 0 });
    camera.overlay.showRing(0, PARTS);
  }

  show(instruction) {
    if (instruction === this.last) return;
    if (ARROW_OF[this.last]) this.done += 1;
    this.last = instruction;
    this.camera.setGuidance(toSentence(tService(instruction)));
    this.camera.overlay.showArrow(ARROW_OF[instruction] ?? "");
    this.camera.overlay.showRing(Math.min(this.done, PARTS), PARTS);
  }
}

async function sendFrame(camera, fields) {
  const taken = performance.now();
  const photo = await camera.takeFrame();
  let answer;
  try {
    const form = createForm([...fields, ["photo", photo]]);
    answer = await request("POST", "/v1/challenge/frame", form);
  } catch (error) {
    if (!error.data?.exit_code || error.status >= 500 || error.status === 400) throw error;
    answer = { ...error.data, waitS: error.waitS };
  }
  // a picture that was sent before ends the challenge
  await camera.waitForNextFrame(FRAME_INTERVAL_MS - (performance.now() - taken));
  return answer;
}
