// What every view needs: asking the service, making nodes, saying what went wrong.
// No address but its own, no storage but the tab's.

const KEY = "mien-token";
const MB = 1024 * 1024;
export const BODY_LIMIT = 32 * MB; // what the service takes at once
export const $ = (id) => document.getElementById(id);

export class Refused extends Error {
  constructor(status, data) {
    super(data.error || data.reason || `the service answered ${status}`);
    this.status = status;
    this.data = data;
  }
}

export async function ask(method, path, form) {
  const token = sessionStorage.getItem(KEY);
  const weight = form ? weightOf(form) : 0;
  if (weight > BODY_LIMIT - MB / 8) throw tooLarge(weight);
  let answer;
  try {
    answer = await fetch(path, { method, body: form, headers: { Authorization: `Bearer ${token}` }, credentials: "omit" });
  } catch {
    throw new Refused(0, { error: "mien does not answer; is mien serve still running?" });
  }
  let data = {};
  try { data = await answer.json(); } catch { /* an answer without words has its status */ }
  if (answer.status === 401 && token === sessionStorage.getItem(KEY)) {
    sessionStorage.removeItem(KEY);
    dispatchEvent(new Event("mien-locked"));
  }
  if (answer.status === 413) throw tooLarge(weight);
  if (!answer.ok) throw new Refused(answer.status, data);
  return data;
}

function weightOf(form) {
  let bytes = 0;
  for (const value of form.values()) bytes += value.size ?? value.length;
  return bytes;
}

function tooLarge(bytes) {
  const size = `${(bytes / MB).toFixed(1)} MB`;
  return new Refused(413, { error: `this is ${size}, and mien takes ${BODY_LIMIT / MB} MB at once; give fewer or smaller photos` });
}

export function form(fields) {
  const made = new FormData();
  for (const [name, value] of fields) {
    if (value instanceof File) made.append(name, value, value.webkitRelativePath || value.name);
    else if (value instanceof Blob) made.append(name, value, "frame.jpg");
    else made.append(name, value);
  }
  return made;
}

// of several questions that overlap, only the last one's answer counts
export function latest() {
  let newest = 0;
  return () => { const mine = ++newest; return () => mine === newest; };
}

export function make(tag, attributes = {}, ...inside) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
    else if (value !== null && value !== undefined) node.setAttribute(name, value);
  }
  node.append(...inside.filter((one) => one !== null));
  return node;
}

const box = $("notice"); // kept here, since the list that it stands in may be drawn anew

// in red, where it was caused: under the row of `near`, or at the top. It covers nothing.
export function notice(words, near = null) {
  if (words) (near?.closest(".row, .person, .drop") ?? $("top")).after(box);
  box.textContent = sentence(words || "");
  box.hidden = !words;
  if (words) box.scrollIntoView({ block: "nearest" });
}

// for those who hear the page: what changed, once
export function say(words) { $("said").textContent = words; }

export const fault = (error) => make("p", { class: "fault", role: "alert" }, sentence(error.message));

// a button at work keeps its focus; pressing it again does nothing
export async function working(button, work) {
  if (button.classList.contains("busy")) return null;
  const isButton = button instanceof HTMLButtonElement;
  if (isButton) button.setAttribute("aria-disabled", "true");
  button.classList.add("busy");
  notice("");
  try { return await work(); } catch (error) { notice(error.message, button); return null; } finally {
    button.classList.remove("busy");
    if (isButton) button.removeAttribute("aria-disabled");
  }
}

export function sentence(words) {
  return words ? `${words[0].toUpperCase()}${words.slice(1)}${/[.!?]$/.test(words) ? "" : "."}` : "";
}

export const counted = (count, noun) => `${count} ${noun}${count === 1 ? "" : "s"}`;
export const hasToken = () => Boolean(sessionStorage.getItem(KEY));
export const setToken = (secret) => sessionStorage.setItem(KEY, secret);
