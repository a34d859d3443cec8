// A challenge: the person is asked to move, and each frame of the camera is sent when it is taken.

import { createForm, request, toSentence } from "./api.js";

const FRAME_INTERVAL_MS = 80; // the service waits for the next frame for 0.6 s
const MAX_FRAMES = 400;

// The decision. camera: is on; shows each instruction. Refusals are decisions too.
export async function runChallenge(camera, user) {
  const started = await request("POST", "/v1/challenge", createForm([["user", user]]));
  camera.pauseAdvice();
  try {
    camera.setGuidance(toSentence(started.instruction));
    for (let number = 1; number <= MAX_FRAMES && camera.isOn; number += 1) {
      const answer = await sendFrame(camera, user, started.nonce, number);
      if (answer.outcome !== "challenge") return answer;
      camera.setGuidance(toSentence(answer.instruction));
    }
    throw new Error("The camera was stopped; start it and try again");
  } finally {
    camera.resumeAdvice();
  }
}

async function sendFrame(camera, user, nonce, number) {
  const taken = performance.now();
  const photo = await camera.takeFrame();
  const fields = [["user", user], ["nonce", nonce], ["number", `${number}`], ["photo", photo]];
  let answer;
  try {
    answer = await request("POST", "/v1/challenge/frame", createForm(fields));
  } catch (error) {
    if (!error.data?.exit_code || error.status >= 500 || error.status === 400) throw error;
    answer = error.data;
  }
  // a picture that was sent before ends the challenge
  await camera.waitForNextFrame(FRAME_INTERVAL_MS - (performance.now() - taken));
  return answer;
}
