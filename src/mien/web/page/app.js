// The page: which of its views is shown, and to whom.

import { $, ask, hasToken, latest, notice, setToken } from "./api.js";
import * as enroll from "./enroll.js";
import * as explore from "./explore.js";
import * as log from "./log.js";
import * as people from "./people.js";
import * as unlock from "./unlock.js";

// a view may have enter() and leave()
const VIEWS = { unlock, enroll, people, explore, log };
const NEEDS = { enroll: ["enroll", "admin"], people: ["enroll", "admin"], explore: ["enroll", "admin"], log: ["admin"] };
const root = document.documentElement; // its data-scope says what the token may do; the style hides the rest

const newest = latest();
let current = null;

function show(name) {
  const held = document.activeElement;
  if (name !== current) VIEWS[current]?.leave?.();
  current = name;
  for (const view of document.querySelectorAll(".view")) view.hidden = view.id !== `view-${name}`;
  document.querySelector("nav").hidden = name === "locked";
  for (const link of document.querySelectorAll("nav a")) {
    if (link.dataset.view === name) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
  notice("");
  document.title = name === "locked" ? "mien" : `mien: ${name}`;
  if (held?.closest("[hidden]")) $("main").focus({ preventScroll: true }); // what had it is gone
}

async function route() {
  const wanted = newest();
  const said = location.hash.slice(1);
  if (said.startsWith("mien_")) { history.replaceState(null, "", "#unlock"); begin(said); return; }
  if (!hasToken()) { show("locked"); return; }
  if (!root.dataset.scope) {
    const scope = await scopeOf();
    if (!wanted() || !hasToken()) return; // another address came meanwhile; or it is not known, and that is said
    root.dataset.scope = scope;
  }
  const may = (name) => Object.hasOwn(VIEWS, name) && (!NEEDS[name] || NEEDS[name].includes(root.dataset.scope));
  if (!may(said) && may(current)) return; // the address of a place within the view, not of a view
  const name = may(said) ? said : "unlock";
  show(name);
  await VIEWS[name].enter?.();
}

function begin(token) {
  delete root.dataset.scope;
  setToken(token);
  route();
}

// the least that each scope may read says which one it is
async function scopeOf() {
  const status = async (path) => { try { await ask("GET", path); return 200; } catch (error) { return error.status; } };
  if (await status("/metrics") !== 403) return "admin";
  return await status("/v1/people") === 403 ? "unlock" : "enroll";
}

$("skip").addEventListener("click", (event) => { event.preventDefault(); $("main").focus(); });
$("token-form").addEventListener("submit", (event) => {
  event.preventDefault();
  const given = $("token").value.trim();
  $("token").value = "";
  location.hash = "#unlock";
  begin(given.slice(given.indexOf("#") + 1)); // the whole address does as well
});
addEventListener("hashchange", route);
addEventListener("mien-locked", () => {
  delete root.dataset.scope;
  show("locked");
  notice("This token is not known. Each start of mien serve prints a new address: open that one.");
});
addEventListener("pagehide", () => VIEWS[current]?.leave?.());
route();
