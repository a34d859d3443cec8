// Who is enrolled, how good each template is, and forgetting.

import { $, ask, counted, fault, latest, make, say, sentence, working } from "./api.js";

const newest = latest();

export async function enter() {
  const list = $("people-list");
  const wanted = newest();
  list.replaceChildren(make("p", { class: "busy" }, "Opening the vault"));
  try {
    const { people } = await ask("GET", "/v1/people");
    if (!wanted()) return;
    if (people.length) list.replaceChildren(...people.map(person));
    else list.replaceChildren(make("p", { class: "empty" }, "Nobody is enrolled yet. ", make("a", { href: "#enroll" }, "Enroll somebody")));
    say(people.length ? `${people.length} enrolled.` : "Nobody is enrolled yet.");
  } catch (error) { if (wanted()) list.replaceChildren(fault(error)); }
}

function person(one) {
  return make("article", { class: "person" }, make("div", {}, make("h3", {}, one.user),
    make("p", {}, sentence(facts(one).join(", "))),
    make("p", { class: "quiet" }, `Enrolled ${one.enrolled.slice(0, 10)} with ${one.model}. ${sentence(one.expectation || "")}`),
    ...warnings(one).map((words) => make("p", { class: "warn" }, words))), forgetting(one.user));
}

function facts(one) {
  const found = [];
  if (one.photos) found.push(counted(one.photos, "photo"));
  if (one.agreement !== null && one.agreement !== undefined) found.push(`they agree at ${one.agreement.toFixed(3)} or more`);
  if (one.margin > 0) found.push(`the closest of 400 strangers stays ${one.margin.toFixed(3)} under the threshold`);
  return found;
}

function warnings(one) {
  const found = (one.look_alikes || []).map((other) => `Looks like ${other.user} (${other.similarity.toFixed(3)}): either may open the other's door.`);
  if (one.margin !== null && one.margin !== undefined && one.margin <= 0) found.push("One of 400 strangers would get in here: more photos in other light make it stricter.");
  if (one.photos === 1) found.push("One photo only: two to four more, in other light, make it surer.");
  return found;
}

// asked twice; whoever turns away meanwhile meant no
function forgetting(user) {
  const button = make("button", { class: "danger", type: "button" }, `Forget ${user}`);
  const cancel = make("button", { type: "button", hidden: "" }, "Cancel");
  const group = make("div", { class: "row for-admin" }, button, cancel);
  const arm = (armed) => {
    if (!armed && document.activeElement === cancel) button.focus();
    cancel.hidden = !armed;
    button.textContent = armed ? `Really forget ${user}?` : `Forget ${user}`;
  };
  button.addEventListener("click", async () => {
    if (cancel.hidden) { arm(true); return; }
    const gone = await working(button, () => ask("DELETE", `/v1/people/${encodeURIComponent(user)}`));
    arm(false);
    if (!gone) return;
    await enter();
    $("people-title").focus();
    say(`${user} is forgotten.`);
  });
  cancel.addEventListener("click", () => arm(false));
  group.addEventListener("keydown", (event) => { if (event.key === "Escape") arm(false); });
  group.addEventListener("focusout", (event) => { if (!group.contains(event.relatedTarget)) arm(false); });
  return group;
}
