/** What the marking tools say about labels: their bar of buttons, their colours and their keys. */
import {el} from "../../../pages/dom.js";
import {gettext} from "../../../pages/i18n.js";

// As many colours as tokens name; more labels begin again, which their names tell apart.
const COLOURS = 8;
const SEARCH_FROM = 15;

/** Each label with its colour and its key: those that it declares, else the next that there are. */
export function dressed(labels, key = () => null) {
  const wanted = labels.map((label) => (label.hotkey ? key(label.hotkey) : null));
  return labels.map((label, at) => ({...label, colour: `var(--label-${label.colour ?? (at % COLOURS) + 1})`, key: wanted[at] ?? key()}));
}

/**
 * A bar with one button for each label.
 *
 * `press(label)` is called for a button; `show(value, disabled)` says which label is in force.
 */
export function labelBar({labels, name, press}) {
  const buttons = labels.map((label) => {
    const button = el("button", {type: "button", class: "mark-label", title: label.definition ?? "", "aria-pressed": "false"},
      el("span", {class: "mark-swatch", "aria-hidden": "true"}),
      el("span", {dir: "auto"}, label.title),
      label.key && el("kbd", {"aria-hidden": "true"}, label.key.toUpperCase()));
    if (label.key) button.setAttribute("aria-keyshortcuts", label.key.toUpperCase());
    button.style.setProperty("--mark", label.colour);
    // The text's selection would be lost with the focus.
    button.addEventListener("pointerdown", (event) => event.preventDefault());
    button.addEventListener("click", () => press(label));
    return button;
  });
  const element = el("div", {class: "mark-labels", role: "group", "aria-label": name}, labels.length > SEARCH_FROM && search(labels, buttons), buttons);
  return {
    element,
    show(value, disabled = false) {
      buttons.forEach((button, at) => {
        button.setAttribute("aria-pressed", String(labels[at].value === value));
        button.disabled = disabled;
      });
    },
  };
}

function search(labels, buttons) {
  const input = el("input", {type: "search", class: "mark-search", placeholder: gettext("Find a label"), "aria-label": gettext("Find a label"), autocomplete: "off"});
  input.addEventListener("input", () => {
    const wanted = input.value.trim().toLocaleLowerCase();
    buttons.forEach((button, at) => (button.hidden = !labels[at].title.toLocaleLowerCase().includes(wanted)));
  });
  return input;
}
