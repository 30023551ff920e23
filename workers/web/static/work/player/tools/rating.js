/** A point on a scale: one row of numbered buttons, chosen by mouse, touch, arrow keys, or the number itself. */

import {el} from "../../../pages/dom.js";
import {gettext, interpolate} from "../../../pages/i18n.js";

let groups = 0;

/** See tools/index.js. Values are whole numbers from 1 to `points`. */
export function mount(host, {field, value, readonly, changed, key}) {
  const group = `rating-${(groups += 1)}`;
  const row = el("div", {class: "rating"});
  const points = Array.from({length: field.points}, (_, at) => pointOf(at + 1));
  let chosen;

  function pointOf(point) {
    const hotkey = point <= 10 ? key(String(point % 10)) : null;
    const input = el("input", {type: "radio", name: group, value: String(point)});
    input.disabled = readonly;
    const words = field.labels?.[point - 1];
    const element = el("label", {class: "rating-point"}, input, el("span", {class: "rating-number"}, String(point)));
    if (words) element.append(el("span", {class: "rating-words"}, words));
    else input.setAttribute("aria-label", interpolate(gettext("%s of %s"), [point, field.points]));
    if (hotkey) input.setAttribute("aria-keyshortcuts", hotkey);
    row.append(element);
    input.addEventListener("change", () => choose(point));
    let before = false;
    element.addEventListener("pointerdown", () => (before = input.checked));
    input.addEventListener("click", () => {
      if (before && !field.required) choose(undefined);
      before = false;
    });
    return {point, input, element, hotkey, words};
  }

  function choose(point) {
    show(point);
    changed(point);
  }

  function show(next) {
    chosen = next ?? undefined;
    for (const {point, input, element} of points) {
      input.checked = point === chosen;
      element.classList.toggle("chosen", point === chosen);
    }
  }

  row.classList.toggle("worded", Boolean(field.labels));
  host.append(row);
  show(value);

  return {
    show,
    problem: () => null,
    focus: () => (points.find(({point}) => point === chosen) ?? points[0]).input.focus(),
    setReadonly(locked) {
      for (const {input} of points) input.disabled = locked;
    },
    destroy: () => host.replaceChildren(),
    keys: points
      .filter(({hotkey}) => hotkey)
      .map(({point, hotkey, words, input}) => ({
        key: hotkey,
        label: words ? `${point}: ${words}` : interpolate(gettext("%s of %s"), [point, field.points]),
        run() {
          choose(point);
          input.focus();
        },
      })),
  };
}
