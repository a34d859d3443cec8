// What is shown when somebody was enrolled: how good the template is, and what to do next.

import { $, createButton, createElement, toSentence } from "./dom.js";
import { fixed, plural, t, tService } from "./i18n.js";
import { qualityTag } from "./quality.js";
import { tryAs } from "./unlock.js";

// cards: of the photos. again: called to enroll somebody else.
export function showResult(user, enrollment, cards, again) {
  const box = $("enroll-result");
  const count = enrollment.photos_in_template;
  const words = enrollment.advice.map(tService);
  if (!words.length && enrollment.quality === "fair") {
    words.push(t("More photos in different light would make it better."));
  }
  const advice = words.map((one) => createElement("li", { class: "advice" }, toSentence(one)));
  const tryNow = createButton(t("Try it now"), async () => {
    location.hash = "#unlock";
    await tryAs(user);
  }, "primary");
  box.replaceChildren(
    createElement("p", { class: "result" }, t("{user} is enrolled", { user })),
    createElement("p", {}, plural(count, "From {count} photo", "From {count} photos"), " ",
      qualityTag(enrollment.quality)),
    advice.length ? createElement("ul", { class: "points", role: "list" }, ...advice) : "",
    createElement("div", { class: "actions" }, tryNow,
      createButton(t("Enroll somebody else"), () => {
        again();
        $("enroll-user").focus();
      })),
    createDetails(enrollment, cards),
  );
  box.hidden = false;
  tryNow.focus();
  box.scrollIntoView({ block: "nearest" });
}

function createDetails({ expectation, margin }, cards) {
  const figures = [tService(expectation ?? "")];
  if (margin > 0) {
    const value = fixed(margin, 3);
    figures.push(
      t("The most similar of 400 strangers stays {value} below the threshold", { value }),
    );
  }
  return createElement(
    "details", {},
    createElement("summary", {}, t("Photos and figures")),
    createElement("ul", { class: "shots", role: "list" }, ...cards),
    ...figures.filter(Boolean).map((words) =>
      createElement("p", { class: "quiet small" }, toSentence(words))),
  );
}
