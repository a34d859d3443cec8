// Which view is shown, and which views the token may use.

import { getToken, redeemTicket, request, setToken } from "./api.js";
import { $, latestOnly, showNotice } from "./dom.js";
import { dropOldDrafts } from "./draft.js";
import * as enroll from "./enroll.js";
import * as explore from "./explore.js";
import { chooseLanguage, language, t } from "./i18n.js";
import * as log from "./log.js";
import * as people from "./people.js";
import * as unlock from "./unlock.js";

// a view may have enter() and leave()
const VIEWS = { unlock, enroll, people, explore, log };
const TITLES = {
  unlock: () => t("Unlock"),
  enroll: () => t("Enroll"),
  people: () => t("People"),
  explore: () => t("Explore"),
  log: () => t("Log"),
};
const SCOPES = {
  unlock: ["unlock", "enroll", "admin"],
  enroll: ["enroll", "admin"],
  people: ["enroll", "admin"],
  explore: ["enroll", "admin"],
  log: ["admin"],
};
const TOKEN_PREFIX = "mien_";
const TICKET_PREFIX = "ticket_";
const root = document.documentElement; // the style sheet hides what data-scope may not use

const startRouting = latestOnly();
let current = null;
let isFirst = true; // no view was shown yet with this token

function show(name) {
  const focused = document.activeElement;
  if (name !== current) VIEWS[current]?.leave?.();
  current = name;
  root.dataset.view = name;
  for (const view of document.querySelectorAll(".view")) view.hidden = view.id !== `view-${name}`;
  document.querySelector("nav").hidden = name === "locked";
  for (const link of document.querySelectorAll("nav a")) {
    if (link.dataset.view === name) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
  showNotice("");
  document.title = name === "locked" ? "mien" : `${TITLES[name]()} - mien`;
  // an element that is hidden now cannot keep the focus
  if (focused?.closest("[hidden]")) $("main").focus({ preventScroll: true });
}

function isAllowed(name) {
  return Object.hasOwn(VIEWS, name) && SCOPES[name].includes(root.dataset.scope);
}

async function route() {
  const isNewest = startRouting();
  const fragment = location.hash.slice(1);
  if ([TOKEN_PREFIX, TICKET_PREFIX].some((prefix) => fragment.startsWith(prefix))) {
    history.replaceState(null, "", "#unlock"); // the secret leaves the address bar
    await useSecret(fragment);
    return;
  }
  if (!getToken()) {
    show("locked");
    return;
  }
  if (!root.dataset.scope) {
    const scope = await findScope();
    // meanwhile another address was opened, or the token was rejected, which is shown already
    if (!isNewest() || !getToken()) return;
    root.dataset.scope = scope;
  }
  // a fragment such as #main is a place inside the current view, not a view
  if (!isAllowed(fragment) && isAllowed(current)) return;
  let name = isAllowed(fragment) ? fragment : "unlock";
  if (isFirst && name === "unlock" && await isVaultEmpty()) name = "enroll";
  if (!isNewest()) return;
  isFirst = false;
  if (location.hash.slice(1) !== name) history.replaceState(null, "", `#${name}`);
  show(name);
  await VIEWS[name].enter?.();
}

// Whoever opens the page for the first time enrolls somebody first.
async function isVaultEmpty() {
  if (!isAllowed("enroll")) return false;
  try {
    return (await request("GET", "/v1/people?limit=1")).people.length === 0;
  } catch {
    return false; // the view to unlock says what is wrong
  }
}

// secret: a token, or the ticket of the printed address
async function useSecret(secret) {
  delete root.dataset.scope;
  isFirst = true;
  const isTicket = secret.startsWith(TICKET_PREFIX);
  setToken(isTicket ? await redeemTicket(secret) : secret, { endsWithService: isTicket });
  await route();
  if (isTicket && !getToken()) {
    showNotice(t("This address was used before. mien serve printed a new one: open that."));
  }
}

// The token's scope, found by asking for what each scope may read.
async function findScope() {
  if ((await statusOf("/v1/people?limit=1")) === 403) return "unlock";
  return (await statusOf("/metrics")) === 403 ? "enroll" : "admin";
}

async function statusOf(path) {
  try {
    await request("GET", path);
    return 200;
  } catch (error) {
    return error.status;
  }
}

$("skip").addEventListener("click", (event) => {
  event.preventDefault();
  $("main").focus();
});
$("token-form").addEventListener("submit", (event) => {
  event.preventDefault();
  const pasted = $("token").value.trim();
  $("token").value = "";
  location.hash = "#unlock";
  useSecret(pasted.slice(pasted.indexOf("#") + 1)); // the whole address may be pasted, too
});
$("language").value = language;
$("language").addEventListener("change", () => chooseLanguage($("language").value));
addEventListener("mien-language", () => {
  if (TITLES[current]) document.title = `${TITLES[current]()} - mien`;
  VIEWS[current]?.enter?.();
});
addEventListener("hashchange", route);
addEventListener("mien-token-rejected", () => {
  delete root.dataset.scope;
  show("locked");
  showNotice(t(
    "This token is not valid. Each start of mien serve prints a new address: open that one.",
  ));
});
dropOldDrafts().catch(() => {}); // a browser without storage has none
addEventListener("pagehide", () => VIEWS[current]?.leave?.());
route();
