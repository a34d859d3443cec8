// What every view needs: asking the service, making nodes, saying what went wrong.
// No address but its own, no storage but the tab's.

const KEY = "mien-token";
export const $ = (id) => document.getElementById(id);

export class Refused extends Error {
  constructor(status, data) {
    super(data.error || data.reason || `the service answered ${status}`);
    this.status = status;
    this.data = data;
  }
}

export async function ask(method, path, form) {
  let answer;
  try {
    answer = await fetch(path, {
      method,
      body: form,
      headers: { Authorization: `Bearer ${sessionStorage.getItem(KEY)}` },
      credentials: "omit",
    });
  } catch {
    throw new Refused(0, { error: "the service does not answer; is mien serve still running?" });
  }
  let data = {};
  try { data = await answer.json(); } catch { /* an answer without words has its status */ }
  if (answer.status === 401) { sessionStorage.removeItem(KEY); dispatchEvent(new Event("mien-locked")); }
  if (!answer.ok) throw new Refused(answer.status, data);
  return data;
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

export function make(tag, attributes = {}, ...inside) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
    else if (value !== null && value !== undefined) node.setAttribute(name, value);
  }
  node.append(...inside.filter((one) => one !== null));
  return node;
}

export function notice(words) {
  $("notice").textContent = words || "";
  $("notice").hidden = !words;
}

export async function working(button, work) {
  button.disabled = true;
  button.classList.add("busy");
  notice("");
  try { return await work(); } catch (error) { notice(error.message); return null; } finally {
    button.classList.remove("busy");
    button.disabled = false;
  }
}

export function sentence(words) {
  return words ? `${words[0].toUpperCase()}${words.slice(1)}${/[.!?]$/.test(words) ? "" : "."}` : "";
}

export const hasToken = () => Boolean(sessionStorage.getItem(KEY));
export const setToken = (secret) => sessionStorage.setItem(KEY, secret);
