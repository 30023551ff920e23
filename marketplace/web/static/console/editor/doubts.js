/** What may be published and is hardly meant: a question without words, and labels that nobody can tell apart. */
import {gettext} from "../../pages/i18n.js";
import {KINDS} from "./kinds.js";

/**
 * The doubts about an interface as it is written, in the form of the server's findings.
 * @param {Object} asked
 * @returns {Array<{field: string, message: string}>}
 */
export function doubtsOf(asked) {
  return (asked.answer ?? []).flatMap((field, at) => {
    const option = KINDS[field.type]?.labels;
    return [
      ...(String(field.title ?? "").trim() ? [] : [{field: `answer[${at}].title`, message: gettext("Say what is asked: workers see only the name for programs here.")}]),
      ...(option ? alike(field[option], `answer[${at}].${option}`) : []),
    ];
  });
}

function alike(labels, path) {
  const seen = new Set();
  return (Array.isArray(labels) ? labels : []).flatMap((label, at) => {
    const shown = String(label?.title || label?.value || "").trim().toLowerCase();
    const again = shown !== "" && seen.has(shown);
    seen.add(shown);
    return [
      ...(again ? [{field: `${path}[${at}].title`, message: gettext("Another label is called so too; workers cannot tell them apart.")}] : []),
      ...alike(label?.children, `${path}[${at}].children`),
    ];
  });
}
