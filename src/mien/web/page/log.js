// What happened at the door, in words, with its chain verified.

import { $, ask, fault, latest, make, say } from "./api.js";

const SHOWN = 500;
const newest = latest();

export async function enter() {
  const list = $("log-list");
  const wanted = newest();
  list.replaceChildren(make("p", { class: "busy" }, "Verifying the chain"));
  try {
    const { lines, entries, earlier } = await ask("GET", `/v1/log?last=${SHOWN}`);
    if (!wanted()) return;
    if (!entries) { list.replaceChildren(make("p", { class: "empty" }, "Nothing happened yet.")); return; }
    const sound = `The chain of ${entries === 1 ? "1 entry" : `${entries} entries`} checks out: none edited, none removed.`;
    const before = earlier ? ` ${earlier} earlier lines are shown by mien log.` : "";
    list.replaceChildren(make("p", {}, `${sound}${before}`), make("ol", { class: "lines", reversed: "" }, ...lines.reverse().map(line)));
    say(sound);
  } catch (error) { if (wanted()) list.replaceChildren(fault(error)); }
}

const line = (words) => make("li", {}, make("time", {}, `${words.slice(0, 16)} UTC`), make("span", {}, words.slice(18)));
