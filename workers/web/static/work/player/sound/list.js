/** The list of marked stretches; the one that is picked shows its times as fields, and can be looped and deleted. */
import {el, icon} from "../../../pages/dom.js";
import {gettext, interpolate} from "../../../pages/i18n.js";
import {keyedRows} from "../marking/rows.js";
import {timeField} from "./fields.js";
import {clock} from "./times.js";

const LONG = 100;

/** Calls `pick(id)`, `change(id, {start} or {end})`, `remove(id)`, `loop(id)`. */
export function segmentList({pick, change, remove, loop}) {
  const heading = el("h4", {class: "mark-heading"});
  const entries = el("ol", {class: "mark-list"});
  const element = el("div", {class: "mark-lists"}, heading, entries);
  const rows = keyedRows(entries, made);
  let state = {};

  function made({id}) {
    const words = el("span", {class: "mark-words"});
    const kind = el("span", {class: "mark-kind", dir: "auto"});
    const button = el("button", {type: "button", class: "mark-entry"}, el("span", {class: "mark-swatch", "aria-hidden": "true"}), words, " ", kind);
    button.addEventListener("click", () => pick(id));
    const row = el("li", {}, button);
    let tools = null;
    return {
      element: row,
      show(one) {
        words.textContent = `${clock(one.start)} – ${clock(one.end)}`;
        kind.textContent = one.tag;
        button.setAttribute("aria-pressed", String(one.picked));
        button.style.setProperty("--mark", one.colour);
        if (one.picked && !tools) row.append((tools = toolsOf(id)).element);
        else if (!one.picked && tools) {
          tools.element.remove();
          tools = null;
        }
        tools?.show(one);
      },
    };
  }

  function toolsOf(id) {
    const again = el("button", {type: "button", class: "button small quiet", "data-key": "loop"}, gettext("Loop"));
    again.addEventListener("click", () => loop(id));
    const gone = el("button", {type: "button", class: "button small quiet", "data-key": "remove", "aria-label": gettext("Delete"), title: gettext("Delete")}, icon("trash"));
    gone.addEventListener("click", () => remove(id));
    const ends = ["start", "end"].map((end) => [end, timeField({key: end, set: (time) => change(id, {[end]: time})})]);
    return {
      element: el("div", {class: "mark-tools"},
        ends.map(([end, field]) => el("label", {class: "time-label"}, end === "start" ? gettext("Start") : gettext("End"), " ", field.element)), again, gone),
      show(one) {
        for (const [end, field] of ends) field.show(one[end], state.readonly);
        again.setAttribute("aria-pressed", String(state.looping));
        gone.hidden = state.readonly;
      },
    };
  }

  return {
    element,
    show(shown, now) {
      state = now;
      const inside = element.contains(document.activeElement);
      heading.textContent = interpolate(gettext("Marked: %s"), [shown.length]);
      entries.classList.toggle("long", shown.length > LONG);
      rows.show(shown);
      // What had the focus is gone with its entry.
      if (inside && !element.contains(document.activeElement)) entries.querySelector("button")?.focus();
    },
    looping(on) {
      state.looping = on;
      element.querySelector('[data-key="loop"]')?.setAttribute("aria-pressed", String(on));
    },
  };
}
