/** Which of two things is better, and by how much: both side by side, the choice below them on one scale. */

import {el} from "../../../pages/dom.js";
import {gettext} from "../../../pages/i18n.js";
import {showData} from "../data/index.js";

let groups = 0;
const WORDS = {
  1: [() => gettext("better")],
  2: [() => gettext("slightly better"), () => gettext("much better")],
  3: [() => gettext("slightly better"), () => gettext("better"), () => gettext("much better")],
  4: [() => gettext("barely better"), () => gettext("slightly better"), () => gettext("better"), () => gettext("much better")],
  5: [() => gettext("barely better"), () => gettext("slightly better"), () => gettext("better"), () => gettext("much better"), () => gettext("far better")],
};

/** See tools/index.js. Values are `{preferred: left | right | equal, strength?}`. It shows its two data fields itself. */
export async function mount(host, {field, data, value, readonly, changed, interface: asks, key}) {
  const group = `preference-${(groups += 1)}`;
  const scale = el("div", {class: "scale"});
  const panes = {};
  const views = [];
  const pair = el("div", {class: "pair"});
  for (const side of ["left", "right"]) {
    const declared = asks.data.find(({name}) => name === field[side]);
    const place = el("div", {class: "datum"});
    panes[side] = el("section", {class: "pane", "data-side": side}, el("h3", {class: "datum-title"}, side === "left" ? gettext("Left") : gettext("Right")), place);
    pair.append(panes[side]);
    if (data[field[side]] === undefined || data[field[side]] === null) place.append(el("p", {class: "soft"}, gettext("Nothing was given here.")));
    else views.push(await showData(place, {field: declared, data}));
  }

  const steps = [];
  for (let strength = field.strengths; strength >= 1; strength -= 1) steps.push({preferred: "left", strength});
  if (field.equal) steps.push({preferred: "equal"});
  for (let strength = 1; strength <= field.strengths; strength += 1) steps.push({preferred: "right", strength});
  let chosen;
  const options = steps.map((step) => {
    const hotkey = key();
    const input = el("input", {type: "radio", name: group, value: `${step.preferred}${step.strength ?? ""}`});
    input.disabled = readonly;
    if (hotkey) input.setAttribute("aria-keyshortcuts", hotkey.toUpperCase());
    const title = titleOf(step, field);
    const element = el("label", {class: "choice", "data-side": step.preferred}, input, el("span", {class: "choice-title"}, title));
    if (hotkey) element.append(el("kbd", {"aria-hidden": "true"}, hotkey.toUpperCase()));
    const option = {value: valueOf(step, field), input, element, hotkey, title};
    input.addEventListener("change", () => choose(option));
    scale.append(element);
    return option;
  });
  host.append(pair, scale);

  function choose(option) {
    show(option.value);
    changed({...option.value});
  }

  function show(next) {
    chosen = next ?? undefined;
    for (const {value: own, input, element} of options) {
      input.checked = chosen !== undefined && own.preferred === chosen.preferred && (own.strength ?? 1) === (chosen.strength ?? 1);
      element.classList.toggle("chosen", input.checked);
    }
    for (const side of ["left", "right"]) panes[side].classList.toggle("chosen", chosen?.preferred === side);
  }

  show(value);
  return {
    show,
    problem: () => null,
    focus: () => (options.find(({input}) => input.checked) ?? options[0]).input.focus(),
    setReadonly(locked) {
      for (const {input} of options) input.disabled = locked;
    },
    destroy() {
      for (const view of views) view.destroy();
      host.replaceChildren();
    },
    shows: [field.left, field.right],
    keys: options
      .filter(({hotkey}) => hotkey)
      .map((option) => ({
        key: option.hotkey,
        label: option.title,
        run() {
          choose(option);
          option.input.focus();
        },
      })),
  };
}

function valueOf({preferred, strength}, field) {
  return preferred === "equal" || field.strengths === 1 ? {preferred} : {preferred, strength};
}

function titleOf({preferred, strength}, field) {
  if (preferred === "equal") return gettext("Equally good");
  const side = preferred === "left" ? gettext("Left") : gettext("Right");
  return `${side} ${WORDS[field.strengths][strength - 1]()}`;
}
