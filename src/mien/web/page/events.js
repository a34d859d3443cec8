// The entries of the log in words: what happened, of which kind it is, and its icon.

import { plural, t } from "./i18n.js";

const REFUSALS = ["not_the_owner", "not_enrolled"];
const BLANKS = ["no_face", "several_faces", "undecided", "unfinished"];
const ICONS = {
  yes: "M6 11h12v9H6zM8.5 11V8a3.5 3.5 0 0 1 6.8-1", // an open lock
  no: "M6 11h12v9H6zM8.5 11V8a3.5 3.5 0 0 1 7 0v3",
  blank: "M3 12s3.5-6 9-6 9 6 9 6-3.5 6-9 6-9-6-9-6zM4 4l16 16", // nothing seen
  change: "M4 20l4-1L19 8l-3-3L5 16zM14 7l3 3", // a pen
  vault: "M5 4h14v16H5zM12 9v6M9 12h6",
};

// "yes", "no", "blank", "change" or "vault"
export function kindOf({ kind, outcome }) {
  if (["unlock", "identify"].includes(kind)) {
    if (outcome.startsWith("unlocked")) return "yes";
    return BLANKS.includes(outcome) ? "blank" : "no";
  }
  return ["enroll", "forget", "rename"].includes(kind) ? "change" : "vault";
}

export const iconOf = (event) => ICONS[kindOf(event)];

// Rows of the log, newest first: { at, last, count, kind, user, outcome, where, newName }. Attempts
// of one name that were refused in a row, or showed no face in a row, are one; so are the two
// entries of a rename.
export function joinEvents(events) {
  const rows = [];
  for (const event of events) {
    const before = rows.at(-1);
    if (event.kind === "new_name" && before?.kind === "rename") before.newName = event.user;
    else if (before && isMore(event, before)) {
      before.count += 1;
      before.last = event.at;
    } else rows.push({ ...event, count: 1, last: event.at });
  }
  return rows.reverse();
}

function isMore(event, before) {
  const kind = kindOf(event);
  if (!["no", "blank"].includes(kind) || kindOf(before) !== kind) return false;
  if (kind === "blank" && event.outcome !== before.outcome) return false;
  return event.kind === before.kind && event.user === before.user;
}

export function describe(row) {
  if (row.kind === "unlock") return describeUnlock(row);
  if (row.kind === "identify") return describeIdentify(row);
  const { kind, user, outcome, newName } = row;
  const words = {
    "enroll done": () => t("{user} was enrolled", { user }),
    "enroll added": () => t("Photos were added to {user}", { user }),
    "enroll photo_removed": () => t("A photo of {user} was removed", { user }),
    "enroll follow_on": () => t("The template of {user} follows the face from now on", { user }),
    "enroll follow_off": () => t("The template of {user} is the photos alone again", { user }),
    "enroll learned": () => t("The template of {user} learned the face of an unlock", { user }),
    "enroll learned_removed": () => t("What the template of {user} learned was removed", { user }),
    "enroll not_me": () => t("An unlock of {user} was marked as somebody else's", { user }),
    "enroll not_me_undone": () => t("A mark on an unlock of {user} was removed", { user }),
    "enroll replaced": () => t("{user} was enrolled again", { user }),
    "forget done": () => t("{user} was forgotten", { user }),
    "rename done": () => t("{user} was renamed to {name}", { user, name: newName ?? "?" }),
    "rotate done": () => t("The key of the vault was replaced"),
    "vault done": () => t("The vault was created"),
    "vault readable": () => t("The database can read centroids of the faces from now on"),
    "vault not_readable": () => t("The database can read no centroids any more"),
    "import done": () => t("People were imported from a file"),
    "export done": () => t("All people were exported to a file"),
    "accept_copy done": () => t("An older copy of the vault, or another vault, was accepted"),
    "accept_copy deleted": () => t("An earlier vault was deleted, which was accepted"),
    "accept_log done": () => t("The log had been tampered with; what was left was accepted"),
  }[`${kind} ${outcome}`];
  return words ? words() : plain(row);
}

function describeUnlock(row) {
  const { user, outcome, count } = row;
  if (outcome === "unlocked") return t("{user} unlocked", { user });
  if (outcome === "unlocked_laxer") return t("{user} unlocked with a laxer threshold", { user });
  if (outcome === "no_face") return t("No face was seen for {user}", { user }) + times(count);
  if (outcome === "several_faces") {
    return t("Several faces were seen for {user}", { user }) + times(count);
  }
  if (outcome === "undecided") {
    return t("Too few frames agreed for {user}", { user }) + times(count);
  }
  if (outcome === "unfinished") {
    return t("An attempt for {user} was not finished", { user }) + times(count);
  }
  const failed = count === 1
    ? t("Failed attempt for {user}", { user })
    : t("{count} failed attempts for {user}", { user, count });
  if (outcome.startsWith("not_live")) return `${failed}: ${t("not a living person")}`;
  return REFUSALS.includes(outcome) ? failed : plain(row);
}

function describeIdentify(row) {
  const { user, outcome, count } = row;
  if (outcome === "unlocked") return t("{user} was identified", { user });
  if (outcome === "not_the_owner") return t("A face matched nobody") + times(count);
  if (outcome === "unfinished") return t("An identification was not finished") + times(count);
  return t("No single face was seen to identify") + times(count);
}

const times = (count) => (count > 1 ? ` (${plural(count, "once", "{count} times")})` : "");

// what this page does not know, as the log has it
const plain = ({ kind, user, outcome }) => `${kind} ${user}: ${outcome.replaceAll("_", " ")}`;

export function describeSurface(where) {
  const words = {
    command: t("command line"), web: t("page"), pam: t("login"), library: t("program"),
  };
  return words[where] ?? where;
}
