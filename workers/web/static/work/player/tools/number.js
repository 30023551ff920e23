/** A number, with its bounds and its unit said before anything is typed. */

import {el} from "../../../pages/dom.js";
import {gettext, interpolate} from "../../../pages/i18n.js";

const EXACT = 2 ** 53 - 1;

/** See tools/index.js. Values are finite numbers. */
export function mount(host, {field, value, readonly, changed}) {
  const input = el("input", {
    type: "text",
    class: "number-input",
    inputmode: field.integer ? (field.minimum >= 0 ? "numeric" : "text") : field.minimum >= 0 ? "decimal" : "text",
    autocomplete: "off",
    "aria-label": field.unit ? `${field.title}, ${field.unit}` : field.title,
  });
  input.readOnly = readonly;
  const row = el("div", {class: "number-row"}, input);
  if (field.unit) row.append(el("span", {class: "unit"}, field.unit));
  host.append(row);
  const bounds = boundsWords(field);
  if (bounds && !readonly) host.append(el("p", {class: "helptext"}, bounds));

  /** What is typed: a number, undefined for nothing, NaN for what is none. A decimal comma is a point. */
  function read() {
    const text = input.value.trim().replace(",", ".").replace("−", "-");
    if (!text) return undefined;
    return /^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i.test(text) ? Number(text) : NaN;
  }

  input.addEventListener("input", () => {
    const number = read();
    changed(Number.isFinite(number) ? number : undefined);
  });
  input.addEventListener("keydown", (event) => {
    if ((event.key !== "ArrowUp" && event.key !== "ArrowDown") || input.readOnly || !field.integer) return;
    event.preventDefault();
    const now = read();
    const start = Number.isFinite(now) ? now + (event.key === "ArrowUp" ? 1 : -1) : (field.minimum ?? 0);
    const next = Math.min(field.maximum ?? EXACT, Math.max(field.minimum ?? -EXACT, start));
    input.value = String(next);
    changed(next);
  });

  function show(next) {
    if (next === undefined || next === null) input.value = "";
    else if (read() !== next) input.value = String(next);
  }

  show(value);
  return {
    show,
    problem() {
      const number = read();
      if (number === undefined) return null;
      if (!Number.isFinite(number) || Math.abs(number) > EXACT) return gettext("This is not a number.");
      if (field.integer && !Number.isInteger(number)) return gettext("This must be a whole number.");
      if (number < field.minimum) return interpolate(gettext("This must be at least %s."), [field.minimum]);
      if (number > field.maximum) return interpolate(gettext("This must be at most %s."), [field.maximum]);
      return null;
    },
    focus: () => input.focus(),
    setReadonly(locked) {
      input.readOnly = locked;
    },
    destroy: () => host.replaceChildren(),
  };
}

function boundsWords({minimum, maximum, integer}) {
  if (minimum !== undefined && maximum !== undefined) {
    return interpolate(integer ? gettext("A whole number from %s to %s.") : gettext("A number from %s to %s."), [minimum, maximum]);
  }
  if (minimum !== undefined) return interpolate(integer ? gettext("A whole number, at least %s.") : gettext("At least %s."), [minimum]);
  if (maximum !== undefined) return interpolate(integer ? gettext("A whole number, at most %s.") : gettext("At most %s."), [maximum]);
  return integer ? gettext("A whole number.") : "";
}
