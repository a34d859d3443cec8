// The language of the page. English texts are the keys of the other languages' catalogs, so a text
// that no catalog has stays English. The service speaks English; its sentences are translated here.

const LANGUAGES = ["en", "de", "zh"];
const CHOICE = "mien-language"; // kept in the browser once somebody chose; nothing else is
const EMPTY = { page: {}, service: {} };

export let language = "en";
let catalog = EMPTY;
let patterns = []; // of the service's sentences: [expression, names of its parts, translation]

// { name } in the text is replaced by values.name
const fill = (text, values) => text.replace(/\{(\w+)\}/g, (whole, name) => values[name] ?? whole);

export const t = (text, values = {}) => fill(catalog.page[text] ?? text, values);

// one: the text for a single thing; {count} in both texts is the number
export const plural = (count, one, many) =>
  t(count === 1 ? one : many, { count: new Intl.NumberFormat(language).format(count) });

// a sentence of the service, which may have parts that vary
export function tService(message) {
  if (!message || language === "en") return message;
  const known = catalog.service[message];
  if (known) return known;
  for (const [expression, names, translation] of patterns) {
    const found = expression.exec(message);
    if (!found) continue;
    const parts = names.map((name, at) => [name, translatePart(name, found[at + 1])]);
    return fill(translation, Object.fromEntries(parts));
  }
  return message;
}

// {reason} is a sentence of the service again, or several; other parts are names and numbers
function translatePart(name, text) {
  if (name !== "reason") {
    return text.replace(/\d+(,\d{3})+/g, (number) => (
      new Intl.NumberFormat(language).format(Number(number.replaceAll(",", "")))
    ));
  }
  return text.split("; ").length > 1 && tService(text) === text
    ? text.split("; ").map(tService).join("; ")
    : tService(text);
}

// what a language has for text of HTML: the text itself, and the names of things without text
export function translate(root = document) {
  for (const element of root.querySelectorAll("[data-t]")) {
    element.dataset.t ||= element.textContent;
    element.textContent = t(element.dataset.t);
  }
  for (const element of root.querySelectorAll("[data-t-label]")) {
    element.setAttribute("aria-label", t(element.dataset.tLabel));
  }
}

// a text that `translate` changes again with the language
export function setText(element, text) {
  element.dataset.t = text;
  element.textContent = t(text);
}

export async function chooseLanguage(wanted) {
  localStorage.setItem(CHOICE, wanted);
  await use(wanted);
  translate();
  dispatchEvent(new Event("mien-language"));
}

async function use(wanted) {
  catalog = EMPTY;
  if (wanted !== "en") {
    const response = await fetch(`/${wanted}.json`, { credentials: "omit" });
    if (response.ok) catalog = await response.json();
  }
  language = catalog === EMPTY ? "en" : wanted;
  const varying = Object.entries(catalog.service).filter(([text]) => text.includes("{"));
  varying.sort(([one], [other]) => other.length - one.length); // the one that says most, first
  patterns = varying.map(
    ([text, translation]) => [expressionOf(text), namesIn(text), translation],
  );
  document.documentElement.lang = language;
}

const namesIn = (text) => [...text.matchAll(/\{(\w+)\}/g)].map((found) => found[1]);

function expressionOf(text) {
  const literal = text.split(/\{\w+\}/).map((part) => part.replace(/[.*+?^${}()|[\]\\]/g, "\\$&"));
  return new RegExp(`^${literal.join("(.+)")}$`);
}

function preferred() {
  const own = navigator.languages ?? [navigator.language];
  const wanted = [localStorage.getItem(CHOICE), ...own].filter(Boolean);
  return wanted.map((one) => one.slice(0, 2)).find((one) => LANGUAGES.includes(one)) ?? "en";
}

// numbers and times -----------------------------------------------------------------------------

// 0.8123 -> "0.81"; never "-0.00"
export function fixed(value, digits) {
  const rounded = Number(value.toFixed(digits)) || 0; // minus zero is zero
  const options = { minimumFractionDigits: digits, maximumFractionDigits: digits };
  return rounded.toLocaleString(language, options);
}

export const formatDate = (at) =>
  new Date(at).toLocaleDateString(language, { day: "numeric", month: "short", year: "numeric" });

export const formatTime = (at) =>
  new Date(at).toLocaleTimeString(language, { hour: "2-digit", minute: "2-digit" });

// "today", "yesterday" or the date, in local time
export function formatDay(at, now = new Date()) {
  const midnight = (date) => new Date(date.getFullYear(), date.getMonth(), date.getDate());
  const days = Math.round((midnight(now) - midnight(new Date(at))) / 86_400_000);
  if (days === 0) return t("Today");
  if (days === 1) return t("Yesterday");
  const weekday = { weekday: "long", day: "numeric", month: "long", year: "numeric" };
  return new Date(at).toLocaleDateString(language, weekday);
}

try {
  await use(preferred());
} catch {
  // the texts stay English
}
translate();
