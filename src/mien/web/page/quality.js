// The quality of a template in a word, never by colour alone.

import { createElement } from "./dom.js";
import { t } from "./i18n.js";

// the service's words; each is a text of the page
const words = { good: () => t("Good"), fair: () => t("Fair"), poor: () => t("Poor") };

export function qualityTag(quality) {
  if (!words[quality]) return "";
  return createElement("span", { class: `tag ${quality}` }, words[quality]());
}
