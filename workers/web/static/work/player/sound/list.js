/** The list of marked stretches; the one that is picked shows its times as fields, and can be looped and deleted. */
import {el, icon} from "../../../pages/dom.js";
import {gettext, interpolate} from "../../../pages/i18n.js";
import {timeField} from "./fields.js";
import {clock} from "./times.js";

const LONG = 100;

/** Calls `pick(id)`, `change(id, {start} or {end})`, `remove(id)`, `loop(id)`. */
export function segmentList({pick, change, remove, loop}) {
  const heading = el("h4", {class: "mark-heading"});
  const entries = el("ol", {class: "mark-list"});
  const element = el("div", {class: "mark-lists"}, heading, entries);

  function entry(one, {readonly, looping}) {
    const button = el("button", {type: "button", class: "mark-entry", "data-key": `pick ${one.id}`, "aria-pressed": String(one.picked)},
      el("span", {class: "mark-swatch", "aria-hidden": "true"}),
      el("span", {class: "mark-words"}, `${clock(one.start)} – ${clock(one.end)}`), " ", el("span", {class: "mark-kind", dir: "auto"}, one.tag));
    button.style.setProperty("--mark", one.colour);
    button.addEventListener("click", () => pick(one.id));
    return el("li", {}, button, one.picked && tools(one, readonly, looping));
  }

  function tools(one, readonly, looping) {
    const again = el("button", {type: "button", class: "button small quiet", "data-key": "loop", "aria-pressed": String(looping)}, gettext("Loop"));
    again.addEventListener("click", () => loop(one.id));
    const gone = el("button", {type: "button", class: "button small quiet", "data-key": "remove", "aria-label": gettext("Delete"), title: gettext("Delete")}, icon("trash"));
    gone.addEventListener("click", () => remove(one.id));
    const field = (label, end) => timeField({label, time: one[end], key: end, readonly, set: (time) => change(one.id, {[end]: time})});
    return el("div", {class: "mark-tools"},
      el("label", {class: "time-label"}, gettext("Start"), " ", field(gettext("Start"), "start")),
      el("label", {class: "time-label"}, gettext("End"), " ", field(gettext("End"), "end")), again, !readonly && gone);
  }

  return {
    element,
    show(shown, state) {
      const key = element.contains(document.activeElement) ? document.activeElement.dataset.key : null;
      heading.textContent = interpolate(gettext("Marked: %s"), [shown.length]);
      entries.classList.toggle("long", shown.length > LONG);
      entries.replaceChildren(...shown.map((one) => entry(one, state)));
      if (key) (element.querySelector(`[data-key="${CSS.escape(key)}"]`) ?? element.querySelector("[data-key]"))?.focus();
    },
    looping(on) {
      element.querySelector('[data-key="loop"]')?.setAttribute("aria-pressed", String(on));
    },
  };
}
