// A challenge: the person is asked to move, and each frame of the camera is sent when it is taken.

import { createForm, request, toSentence } from "./api.js";

const FRAME_INTERVAL_MS = 80; // the service waits for the next frame for 0.6 s
const MAX_FRAMES = 400;

// The decision or the enrollment; refusals are decisions too. camera: is on; shows each
// instruction. fields: further ones of the form, such as the purpose.
export async function runChallenge(camera, user, fields = []) {
  const form = createForm([["user", user], ...fields]);
  const started = await request("POST", "/v1/challenge", form);
  camera.pauseAdvice();
  try {
    camera.setGuidance(toSentence(started.instruction));
    for (let number = 1; number <= MAX_FRAMES && camera.isOn; number += 1) {
      const answer = await sendFrame(
        camera, [["user", user], ["nonce", started.nonce], ["number", `${number}`], ...fields],
      );
      if (answer.outcome !== "challenge") return answer;
      camera.setGuidance(toSentence(answer.instruction));
    }
    throw new Error("The camera was stopped; start it and try again");
  } finally {
    camera.resumeAdvice();
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
    answer = error.data;
  }
  // a picture that was sent before ends the challenge
  await camera.waitForNextFrame(FRAME_INTERVAL_MS - (performance.now() - taken));
  return answer;
}
