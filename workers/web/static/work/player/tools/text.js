/** Free text, with what is left of the space where there is little of it. */

import {el} from "../../../pages/dom.js";
import {gettext, interpolate, ngettext} from "../../../pages/i18n.js";

const ONE_LINE_TO = 200;
const COUNTED_TO = 2_000;
const BYTES_MAX = 64 * 1024;
let fields = 0;

/** See tools/index.js. Values are texts; the server takes white space around them away. */
export function mount(host, {field, value, readonly, changed}) {
  const id = `text-${(fields += 1)}`;
  const oneLine = field.max_length <= ONE_LINE_TO;
  const input = oneLine
    ? el("input", {type: "text", class: "text-input", autocomplete: "off", "aria-label": field.title})
    : el("textarea", {class: "text-input", rows: "4", "aria-label": field.title});
  input.readOnly = readonly;
  const counter = el("p", {class: "helptext text-counter", id: `${id}-count`, "aria-live": "polite"});
  const counted = field.max_length <= COUNTED_TO && !readonly;
  host.append(input);
  if (counted) {
    host.append(counter);
    input.setAttribute("aria-describedby", counter.id);
  }
  if (field.pattern && !readonly) {
    host.append(el("p", {class: "helptext"}, gettext("The answer must have a certain form; see the instructions.")));
  }

  input.addEventListener("input", () => {
    count();
    changed(input.value.trim() ? input.value : undefined);
  });

  /** In code points, as the server counts. */
  function lengthOf() {
    return [...input.value.replaceAll("\r\n", "\n").trim()].length;
  }

  function count() {
    if (!counted) return;
    const left = field.max_length - lengthOf();
    const words =
      left >= 0
        ? interpolate(ngettext("%s character left", "%s characters left", left), [left])
        : interpolate(ngettext("%s character too many", "%s characters too many", -left), [-left]);
    // Told aloud only where it matters.
    counter.setAttribute("aria-live", left <= 20 ? "polite" : "off");
    counter.textContent = words;
    counter.classList.toggle("bad", left < 0);
  }

  function show(next) {
    const text = next ?? "";
    if (input.value !== text) input.value = text;
    count();
  }

  show(value);
  return {
    show,
    problem() {
      const left = field.max_length - lengthOf();
      if (left < 0) return interpolate(ngettext("This is %s character too long.", "This is %s characters too long.", -left), [-left]);
      if (new TextEncoder().encode(input.value).length > BYTES_MAX) return gettext("This is too long.");
      return null;
    },
    focus: () => input.focus(),
    setReadonly(locked) {
      input.readOnly = locked;
    },
    destroy: () => host.replaceChildren(),
  };
}
