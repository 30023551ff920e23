/**
 * Fields of a form that write into an object. Each knows its path in the interface (`answer[0].labels[1].title`), where
 * the server's findings about it are shown.
 */
import {el} from "../../pages/dom.js";

let made = 0;

/** A value of an object, taken away where there is none. */
export function put(object, key, value) {
  if (value === undefined || value === "" || value === null) delete object[key];
  else object[key] = value;
}

/** A line of text, or several with `rows`. `changed` is called with the text. */
export function textField({label, path, value = "", changed, help, rows, settled, ...more}) {
  const input = el(rows ? "textarea" : "input", {rows, value: String(value ?? ""), autocomplete: "off", ...more});
  input.addEventListener("input", () => changed(input.value));
  if (settled) input.addEventListener("change", settled);
  return field({label, path, help}, input);
}

/** A number; what is none is handed on as it was typed, so that the server can say so. */
export function numberField({changed, whole = false, ...more}) {
  return textField({
    ...more,
    inputmode: whole ? "numeric" : "decimal",
    changed(text) {
      const typed = text.trim();
      changed(typed === "" ? undefined : Number.isFinite(Number(typed)) ? Number(typed) : typed);
    },
  });
}

/** Several texts, one in each line. */
export function linesField({value, changed, ...more}) {
  const lines = Array.isArray(value) ? value : [];
  return textField({
    ...more,
    value: lines.join("\n"),
    rows: Math.max(2, lines.length + 1),
    changed: (text) => changed(text.split("\n").map((line) => line.trim()).filter(Boolean)),
  });
}

/** Anything, as JSON; what is none changes nothing until it is. */
export function jsonField({value, changed, ...more}) {
  return textField({
    ...more,
    value: value === undefined ? "" : JSON.stringify(value, null, 2),
    rows: 6,
    class: "code",
    spellcheck: "false",
    changed(text) {
      if (!text.trim()) return changed(undefined);
      try {
        changed(JSON.parse(text));
      } catch {
        // Still being typed.
      }
    },
  });
}

/** One of several: [[value, title], …]. */
export function selectField({label, path, value, choices, changed, help}) {
  const select = el("select", {}, choices.map(([name, title]) => el("option", {value: name, selected: name === value}, title)));
  select.addEventListener("change", () => changed(select.value));
  return field({label, path, help}, select);
}

/** Yes or no. */
export function checkField({label, path, value, changed}) {
  const input = el("input", {type: "checkbox", "data-path": path});
  input.checked = Boolean(value);
  input.addEventListener("change", () => changed(input.checked));
  return el("div", {class: "field check"}, el("label", {}, input, el("span", {}, label)));
}

function field({label, path, help}, input) {
  made += 1;
  input.id = `control-${made}`;
  input.dataset.path = path;
  const described = help ? `${input.id}-help` : null;
  if (described) input.setAttribute("aria-describedby", described);
  return el("div", {class: "field"}, el("label", {for: input.id}, label), input, help && el("p", {class: "helptext", id: described}, help));
}
