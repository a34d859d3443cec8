// What a name may be. The service has the same rules.

import { t } from "./i18n.js";

const INVISIBLE = new RegExp(
  "[\\p{C}\\p{Zl}\\p{Zp}\\p{Default_Ignorable_Code_Point}\\u2800]|(?! )\\p{Zs}", "u",
);

// why a name cannot be used, or null
export function nameError(name) {
  if (!name) return t("Type the person's name.");
  if (name.includes("/")) {
    return t("A name cannot contain a slash, as in a path; choose one such as ana.");
  }
  if (name === "." || name === "..") {
    return t('"{name}" is the name of a folder; choose a name such as ana.', { name });
  }
  if (name.startsWith("-")) {
    return t("A name cannot start with a dash, as an option does; choose one such as ana.");
  }
  if (INVISIBLE.test(name)) return t("The name contains an invisible character; type it again.");
  return null;
}
