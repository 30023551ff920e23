/** One or several labels out of a list: with the mouse, by touch, and by the key that each label shows. */

import {el} from "../../../pages/dom.js";
import {gettext, interpolate, ngettext} from "../../../pages/i18n.js";

const SEARCH_FROM = 15;
const HUES = 8;
let groups = 0;

/** See tools/index.js. Values are the `value` of a label, or with `multiple` a list in the order of the declaration. */
export function mount(host, {field, value, readonly, changed, key}) {
  const group = `choice-${(groups += 1)}`;
  const list = el("div", {class: `choices ${field.labels.length > SEARCH_FROM ? "many" : ""}`});
  const options = field.labels.map((label, at) => optionOf(label, at));
  let chosen = [];

  function optionOf(label, at) {
    const hotkey = label.hotkey ? key(label.hotkey) : null;
    const input = el("input", {type: field.multiple ? "checkbox" : "radio", name: group, value: label.value});
    input.disabled = readonly;
    const element = el(
      "label",
      {class: `choice hue-${label.colour ?? (at % HUES) + 1}`},
      input,
      el("span", {class: "swatch", "aria-hidden": "true"}),
      el("span", {class: "choice-title"}, label.title),
    );
    list.append(element);
    const option = {label, input, element, hotkey};
    input.addEventListener("change", () => choose(option, input.checked));
    // A radio button that is chosen already gives the choice back.
    let before = false;
    element.addEventListener("pointerdown", () => (before = input.checked));
    input.addEventListener("click", () => {
      if (!field.multiple && before) choose(option, false);
      before = false;
    });
    return option;
  }

  // Wanted keys first, so that none of them is given to a label that wants none.
  for (const option of options) {
    option.hotkey ??= key();
    if (option.hotkey) {
      option.element.append(el("kbd", {"aria-hidden": "true"}, option.hotkey.toUpperCase()));
      option.input.setAttribute("aria-keyshortcuts", option.hotkey.toUpperCase());
    }
  }

  function choose(option, on) {
    const {value: named} = option.label;
    if (field.multiple) {
      const set = new Set(chosen);
      if (on) set.add(named);
      else set.delete(named);
      chosen = field.labels.map((label) => label.value).filter((label) => set.has(label));
    } else {
      chosen = on ? [named] : [];
    }
    draw();
    changed(field.multiple ? (chosen.length || touchedToNothing() ? [...chosen] : undefined) : chosen[0]);
  }

  /** Where no label at all is an answer too, having looked and chosen none is one. */
  function touchedToNothing() {
    return field.multiple && field.min === 0;
  }

  function draw() {
    for (const {label, input, element} of options) {
      input.checked = chosen.includes(label.value);
      element.classList.toggle("chosen", input.checked);
    }
  }

  function show(next) {
    chosen = next === undefined || next === null ? [] : field.multiple ? [...next] : [next];
    draw();
  }

  if (field.multiple && (field.min > 1 || field.max < field.labels.length)) {
    host.append(el("p", {class: "helptext"}, wantedWords(field)));
  }
  if (options.length > SEARCH_FROM && !readonly) host.append(searchOf(options));
  host.append(list);
  show(value);

  return {
    show,
    problem() {
      if (!field.multiple || !chosen.length) return null;
      return chosen.length < field.min || chosen.length > field.max ? wantedWords(field) : null;
    },
    focus() {
      (options.find(({input}) => input.checked) ?? options[0]).input.focus();
    },
    setReadonly(locked) {
      for (const {input} of options) input.disabled = locked;
    },
    destroy() {
      host.replaceChildren();
    },
    keys: options
      .filter(({hotkey}) => hotkey)
      .map((option) => ({
        key: option.hotkey,
        label: option.label.title,
        run() {
          choose(option, !option.input.checked);
          option.input.focus();
        },
      })),
  };
}

function wantedWords({min, max}) {
  if (min === max) return interpolate(ngettext("Choose exactly %s label.", "Choose exactly %s labels.", min), [min]);
  return interpolate(gettext("Choose %s to %s labels."), [min, max]);
}

function searchOf(options) {
  const input = el("input", {type: "search", class: "choice-search", placeholder: gettext("Find a label"), "aria-label": gettext("Find a label"), autocomplete: "off"});
  input.addEventListener("input", () => {
    const wanted = input.value.trim().toLocaleLowerCase();
    for (const {label, element, input: own} of options) {
      element.hidden = Boolean(wanted) && !own.checked && !label.title.toLocaleLowerCase().includes(wanted);
    }
  });
  return input;
}
