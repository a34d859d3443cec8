// What every view needs: requests to the service, DOM elements, and error messages.
// Requests go to the page's own origin only; nothing is stored: the token is gone with the page.

let currentToken = "";
const MB = 1024 * 1024;
export const BODY_LIMIT = 32 * MB; // of the service, for one request
export const $ = (id) => document.getElementById(id);

export class RequestError extends Error {
  constructor(status, data) {
    super(data.error || data.reason || `the service responded with status ${status}`);
    this.status = status;
    this.data = data;
  }
}

export async function request(method, path, form) {
  const token = getToken();
  const size = form ? sizeOf(form) : 0;
  if (size > BODY_LIMIT - MB / 8) throw tooLarge(size);
  let response;
  try {
    response = await fetch(path, {
      method,
      body: form,
      headers: { Authorization: `Bearer ${token}` },
      credentials: "omit",
    });
  } catch {
    throw new RequestError(0, { error: "mien does not respond; check that it is still running" });
  }
  let data = {};
  try {
    data = await response.json();
  } catch {
    // a response without JSON still has its status
  }
  if (response.status === 401 && token === getToken()) {
    setToken("");
    dispatchEvent(new Event("mien-token-rejected"));
  }
  if (response.status === 413) throw tooLarge(size);
  if (!response.ok) throw new RequestError(response.status, data);
  return data;
}

function sizeOf(form) {
  let bytes = 0;
  for (const value of form.values()) bytes += value.size ?? value.length;
  return bytes;
}

function tooLarge(bytes) {
  const size = `${(bytes / MB).toFixed(1)} MB`;
  const limit = `${BODY_LIMIT / MB} MB`;
  const error = `the photos have ${size}, and at most ${limit} can be sent at once; `
    + "choose fewer or smaller photos";
  return new RequestError(413, { error });
}

// fields: pairs of a name and a string, File or Blob
export function createForm(fields) {
  const form = new FormData();
  for (const [name, value] of fields) {
    if (value instanceof File) form.append(name, value, value.webkitRelativePath || value.name);
    else if (value instanceof Blob) form.append(name, value, "frame.jpg");
    else form.append(name, value);
  }
  return form;
}

// Of overlapping requests only the newest counts: `const start = latestOnly()`,
// `const isNewest = start()`, and after waiting `if (isNewest())`.
export function latestOnly() {
  let newest = 0;
  return () => {
    const mine = ++newest;
    return () => mine === newest;
  };
}

// attributes: those that begin with "on" are event listeners; null and undefined are left out
export function createElement(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (value !== null && value !== undefined) element.setAttribute(name, value);
  }
  element.append(...children.filter((child) => child !== null));
  return element;
}

const noticeBox = $("notice"); // kept, because redrawing a list may remove it from the document

// An error message next to what caused it: under the row of `near`, or at the top of the page.
export function showNotice(message, near = null) {
  if (message) (near?.closest(".row, .person, .drop") ?? $("top")).after(noticeBox);
  noticeBox.textContent = toSentence(message || "");
  noticeBox.hidden = !message;
  if (message) noticeBox.scrollIntoView({ block: "nearest" });
}

// for screen readers
export function announce(message) {
  $("announcement").textContent = message;
}

export function createAlert(error) {
  return createElement("p", { class: "error", role: "alert" }, toSentence(error.message));
}

// Run `work` and mark the button as busy; it keeps the focus, and a second press does nothing.
// An error is shown next to the button, and null is returned.
export async function whileBusy(button, work) {
  if (button.classList.contains("busy")) return null;
  const isButton = button instanceof HTMLButtonElement; // else a label
  if (isButton) button.setAttribute("aria-disabled", "true");
  button.classList.add("busy");
  showNotice("");
  try {
    return await work();
  } catch (error) {
    showNotice(error.message, button);
    return null;
  } finally {
    button.classList.remove("busy");
    if (isButton) button.removeAttribute("aria-disabled");
  }
}

// with a capital letter and a full stop
export function toSentence(text) {
  if (!text) return "";
  return `${text[0].toUpperCase()}${text.slice(1)}${/[.!?]$/.test(text) ? "" : "."}`;
}

export const plural = (count, noun, nouns = `${noun}s`) => `${count} ${count === 1 ? noun : nouns}`;
export const getToken = () => currentToken;
export const setToken = (token) => {
  currentToken = token;
};

// The token for the ticket of the printed address; "" if it was used before.
export async function redeemTicket(ticket) {
  try {
    const response = await fetch("/v1/session", {
      method: "POST",
      headers: { Authorization: `Ticket ${ticket}` },
      credentials: "omit",
    });
    return response.ok ? (await response.json()).token : "";
  } catch {
    return "";
  }
}
