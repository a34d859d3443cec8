// Elements, and what is told to whoever looks or listens.

import { t, tService } from "./i18n.js";

const SVG = "http://www.w3.org/2000/svg";
export const $ = (id) => document.getElementById(id);

// attributes: those that begin with "on" are event listeners; null and undefined are left out
export function createElement(tag, attributes = {}, ...children) {
  return fillElement(document.createElement(tag), attributes, children);
}

export function createSvg(tag, attributes = {}, ...children) {
  return fillElement(document.createElementNS(SVG, tag), attributes, children);
}

function fillElement(element, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (value !== null && value !== undefined) element.setAttribute(name, value);
  }
  element.append(...children.filter((child) => child !== null && child !== undefined));
  return element;
}

// a drawing of lines on 24 by 24
export const createIcon = (path, more = "") => createSvg(
  "svg", { class: `icon ${more}`, viewBox: "0 0 24 24", "aria-hidden": "true" },
  createSvg("path", { d: path }),
);

export const createButton = (text, onclick, more = "") =>
  createElement("button", { type: "button", class: more, onclick }, text);

// the picture of a person, or the first letter of the name
export function createFace({ user, picture }, more = "") {
  const kind = `face ${more}`;
  if (picture) return createElement("img", { class: kind, src: picture, alt: "" });
  return createElement("span", { class: kind, "aria-hidden": "true" }, [...user][0]);
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

const noticeBox = $("notice"); // kept, because redrawing a list may remove it from the document
let noticeOf = null; // the field that it is about: typing there clears it

// An error message next to what caused it: under the field or the actions of `near`, or at the top.
export function showNotice(message, near = null) {
  const place = near?.closest(".field, .actions, .person > .row, .drop");
  if (message) (place ?? $("top")).after(noticeBox);
  noticeBox.textContent = toSentence(message || "");
  noticeBox.hidden = !message;
  noticeOf?.removeAttribute("aria-invalid");
  noticeOf?.removeAttribute("aria-describedby");
  noticeOf = message && near instanceof HTMLInputElement && near.type !== "file" ? near : null;
  noticeOf?.setAttribute("aria-invalid", "true");
  noticeOf?.setAttribute("aria-describedby", "notice");
  if (message) noticeBox.scrollIntoView({ block: "nearest" });
}

// what was wrong is being put right
addEventListener("input", () => {
  if (!noticeBox.hidden) showNotice("");
});

// for screen readers
export function announce(message) {
  $("announcement").textContent = message;
}

export function createAlert(error) {
  return createElement("p", { class: "error", role: "alert" }, toSentence(messageOf(error)));
}

// an error in the language of the page
export function messageOf(error) {
  return tService(error.message);
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
    showNotice(messageOf(error), button);
    return null;
  } finally {
    button.classList.remove("busy");
    if (isButton) button.removeAttribute("aria-disabled");
  }
}

// with a capital letter and a full stop
export function toSentence(text) {
  if (!text) return "";
  const stop = /[.!?。！？]$/.test(text) ? "" : t(".");
  return `${text[0].toUpperCase()}${text.slice(1)}${stop}`;
}

// Waiting after too many attempts: `show` gets the seconds that are left, now and each second, and
// 0 at the end. Returns a function that stops it.
export function countDown(seconds, show) {
  const end = performance.now() + 1000 * seconds;
  let timer = null;
  const tick = () => {
    const left = Math.max(0, Math.ceil((end - performance.now()) / 1000));
    show(left);
    if (left === 0) clearInterval(timer);
  };
  timer = setInterval(tick, 250);
  tick();
  return () => clearInterval(timer);
}

// Files may be dropped on the element. take: gets what was dropped, as [File, path] pairs.
export function acceptDrops(element, take) {
  element.addEventListener("dragover", (event) => {
    event.preventDefault();
    element.classList.add("over");
  });
  element.addEventListener("dragleave", (event) => {
    if (!element.contains(event.relatedTarget)) element.classList.remove("over");
  });
  element.addEventListener("drop", async (event) => {
    event.preventDefault();
    element.classList.remove("over");
    const items = [...event.dataTransfer.items].filter((item) => item.kind === "file");
    // taken before any await, after which the browser has emptied the list
    const entries = items.map((item) => item.webkitGetAsEntry() ?? item.getAsFile());
    await take((await Promise.all(entries.map(filesIn))).flat());
  });
}

// all files of a dropped file or folder, and of the folders in it
async function filesIn(entry) {
  if (entry instanceof File) return [[entry, entry.name]];
  if (entry.isFile) {
    const file = await new Promise((resolve, reject) => entry.file(resolve, reject));
    return [[file, entry.fullPath.replace(/^\//, "")]];
  }
  const reader = entry.createReader();
  const entries = [];
  for (;;) {
    const batch = await new Promise((resolve, reject) => reader.readEntries(resolve, reject));
    if (!batch.length) break;
    entries.push(...batch);
  }
  return (await Promise.all(entries.map(filesIn))).flat();
}
