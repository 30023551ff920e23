/** Sheets over the page: keys, labels, and giving a task back. Each is a dialog that gives the focus back at its end. */

import {el, icon} from "../../pages/dom.js";
import {gettext} from "../../pages/i18n.js";
import {shown} from "../../pages/keys.js";

/** Open a sheet; resolves to what it was closed with ("" for Escape). */
export function sheet(title, ...children) {
  const heading = el("h2", {id: "sheet-title"}, title);
  const close = el("button", {type: "button", class: "button quiet icon-only small sheet-close", "aria-label": gettext("Close")}, icon("cross"));
  const dialog = el("dialog", {class: "sheet", "aria-labelledby": "sheet-title"}, el("div", {class: "sheet-head"}, heading, close), ...children);
  const before = document.activeElement;
  document.body.append(dialog);
  close.addEventListener("click", () => dialog.close(""));
  dialog.addEventListener("click", (event) => event.target === dialog && dialog.close(""));
  dialog.showModal();
  return new Promise((resolve) => {
    dialog.addEventListener("close", () => {
      dialog.remove();
      if (before?.isConnected) before.focus();
      resolve(dialog.returnValue);
    });
  });
}

/** Whether a sheet is open: then the keys of the page rest. */
export function sheetOpen() {
  return document.querySelector("dialog[open]") !== null;
}

/** All keys that work now: [{title, keys: [{key, label}]}]. */
export function shortcutSheet(groups) {
  const parts = groups
    .filter(({keys}) => keys.length)
    .map(({title, keys}) =>
      el("section", {class: "shortcuts"}, el("h3", {}, title),
        el("dl", {}, ...keys.map(({key, label}) => el("div", {}, el("dt", {}, el("kbd", {}, shown(key))), el("dd", {}, label))))),
    );
  return sheet(gettext("Keys"), el("div", {class: "shortcut-groups"}, ...parts));
}

const GUIDES = [
  ["includes", () => gettext("Also when")],
  ["excludes", () => gettext("Not when")],
  ["examples", () => gettext("Examples")],
  ["counter_examples", () => gettext("Not examples of it")],
];

/** What the labels mean, as the requester wrote it. */
export function labelSheet(fields) {
  const parts = fields.flatMap((field) => {
    const labels = labelsOf(field);
    return labels.length ? [el("section", {}, el("h3", {}, field.title), field.help ? el("p", {class: "soft"}, field.help) : null, ...labels.map(labelEntry))] : [];
  });
  return sheet(gettext("What the labels mean"), ...(parts.length ? parts : [el("p", {class: "soft"}, gettext("This task has no labels."))]));
}

function labelsOf(field) {
  if (Array.isArray(field.labels) && typeof field.labels[0] === "object") return field.labels;
  if (field.items) return field.items;
  return field.tree ? [...nodes(field.tree)] : [];
}

function* nodes(labels, above = "") {
  for (const label of labels) {
    const title = `${above}${label.title}`;
    yield {...label, title};
    yield* nodes(label.children ?? [], `${title} › `);
  }
}

function labelEntry(label) {
  const guides = GUIDES.filter(([name]) => label[name]?.length).flatMap(([name, words]) => [
    el("dt", {}, words()),
    el("dd", {}, el("ul", {}, ...label[name].map((text) => el("li", {}, text)))),
  ]);
  const bare = !label.definition && !guides.length;
  return el("article", {class: "label-entry"},
    el("h4", {}, label.title, label.hotkey ? [" ", el("kbd", {}, shown(label.hotkey))] : null),
    label.definition ? el("p", {}, label.definition) : null,
    guides.length ? el("dl", {class: "guides"}, ...guides) : null,
    bare ? el("p", {class: "soft small"}, gettext("The requester wrote nothing more about it.")) : null);
}

const REASONS = [
  ["broken", () => gettext("Something is broken: it does not load, or it is empty")],
  ["unclear_instructions", () => gettext("The instructions do not say what to do")],
  ["too_hard", () => gettext("It is too hard for me")],
  ["inappropriate", () => gettext("It should not be shown to people")],
  ["other", () => gettext("Something else")],
];

/** Ask why a task goes back; resolves to {reason, comment}, or null where it stays. */
export async function reportSheet() {
  const choices = el("div", {class: "choices stack"}, ...REASONS.map(([value, words], at) =>
    el("label", {}, el("input", {type: "radio", name: "reason", value, checked: at === 0}), el("span", {}, words()))));
  const comment = el("textarea", {id: "report-comment", maxlength: "2000", rows: "3"});
  const form = el("form", {method: "dialog", class: "stack"},
    el("fieldset", {}, el("legend", {}, gettext("What is wrong?")), choices),
    el("div", {class: "field"}, el("label", {for: "report-comment"}, gettext("In your words (the requester reads this)")), comment),
    el("p", {class: "soft small"}, gettext("The task goes back and you get another one. It costs you nothing.")),
    el("div", {class: "actions"}, el("button", {class: "button", value: "send"}, gettext("Report and give back"))));
  const said = await sheet(gettext("Report a problem with this task"), form);
  if (said !== "send") return null;
  return {reason: form.querySelector(":checked").value, comment: comment.value.trim()};
}

/** Ask a question with a few answers; resolves to the value of the one chosen, or "". */
export function ask(title, text, answers) {
  const buttons = answers.map(({value, words, tone = ""}) => el("button", {class: `button ${tone}`, value}, words));
  return sheet(title, el("form", {method: "dialog"}, ...[text].flat().map((line) => el("p", {}, line)), el("div", {class: "actions"}, ...buttons)));
}
