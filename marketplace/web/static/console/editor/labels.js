/** A list of labels, or a tree of them: names, keys, colours, and what tells when each is meant. */
import {el, icon} from "../../pages/dom.js";
import {gettext, interpolate} from "../../pages/i18n.js";
import {linesField, put, selectField, textField} from "./controls.js";
import {COLOURS} from "./kinds.js";
import {nameFrom} from "./names.js";

const GUIDES = [
  ["includes", gettext("Counts as well")],
  ["excludes", gettext("Does not count")],
  ["examples", gettext("Examples")],
  ["counter_examples", gettext("Counter-examples")],
];
// Labels whose name for programs still follows their title.
const following = new WeakSet();

/**
 * Show the labels in `host`; they are changed in place.
 *
 * labels   the list
 * path     of the list, as answer[0].labels
 * tree     labels may have others below them, under `children`
 * changed  called after each change
 * say      tells those who do not see what has happened
 */
export function labelList(host, {labels, path, tree = false, changed, say, depth = 0}) {
  // What was written as JSON may be anything.
  labels.forEach((label, at) => {
    if (!label || typeof label !== "object") labels[at] = {value: String(label ?? "")};
    else if (tree && !Array.isArray(label.children)) label.children = [];
  });
  const list = el("ol", {class: "label-list", "data-path": path});
  const adding = el("button", {type: "button", class: "button quiet small"}, icon("plus"), depth ? gettext("Add one below") : gettext("Add a label"));
  adding.addEventListener("click", () => {
    const label = {value: "", title: "", ...(tree && {children: []})};
    following.add(label);
    labels.push(label);
    draw();
    changed();
    list.lastElementChild.querySelector("input").focus();
  });
  host.append(list, el("p", {}, adding));

  function draw() {
    list.replaceChildren(...labels.map(row));
  }

  function row(label, at) {
    const here = `${path}[${at}]`;
    const hue = () => `hue-${label.colour ?? (at % COLOURS.length) + 1}`;
    const swatch = el("span", {class: `label-swatch ${hue()}`, "aria-hidden": "true"});
    const name = () => label.title || label.value || interpolate(gettext("label %s"), [at + 1]);
    const title = textField({
      label: gettext("Name"), path: `${here}.title`, value: label.title ?? label.value, maxlength: 200, dir: "auto",
      changed(text) {
        put(label, "title", text);
        if (following.has(label)) {
          label.value = text.trim() ? nameFrom(text, labels.filter((other) => other !== label).map(({value}) => value), "label") : "";
          const written = details.querySelector("[data-value] input");
          if (written) written.value = label.value;
        }
        changed();
      },
    });
    title.classList.add("label-title");
    const key = textField({
      label: gettext("Key"), path: `${here}.hotkey`, value: label.hotkey, maxlength: 1,
      changed(text) {
        put(label, "hotkey", text.trim());
        changed();
      },
    });
    key.classList.add("label-key");
    const details = el("details", {}, el("summary", {}, gettext("Definition and examples"), icon("chevron-down")));
    details.addEventListener("toggle", () => {
      if (details.open && details.children.length === 1) details.append(guidance(label, here, swatch, hue));
    });
    const element = el(
      "div",
      {class: "label-row", role: "group", "aria-label": name(), "data-path": here},
      el("div", {class: "label-line"}, swatch, title, key, el("span", {class: "moves"}, mover(-1), mover(1), remover())),
      details,
    );
    if (tree) {
      const below = el("div", {class: "label-children"});
      element.append(below);
      labelList(below, {
        labels: label.children,
        path: `${here}.children`,
        tree,
        say,
        depth: depth + 1,
        changed,
      });
    }
    return el("li", {}, element);

    function mover(by) {
      const up = by < 0;
      const button = el("button", {type: "button", class: "button quiet icon-only small", "data-by": by, "aria-label": interpolate(up ? gettext("Move %s up") : gettext("Move %s down"), [name()])}, icon(up ? "chevron-up" : "chevron-down"));
      button.disabled = at + by < 0 || at + by >= labels.length;
      button.addEventListener("click", () => {
        labels.splice(at + by, 0, ...labels.splice(at, 1));
        draw();
        changed();
        const again = list.children[at + by].querySelector(`[data-by="${by}"]`);
        (again.disabled ? list.children[at + by].querySelector(`[data-by="${-by}"]`) : again).focus();
        say(interpolate(gettext("%s is number %s now."), [name(), at + by + 1]));
      });
      return button;
    }

    function remover() {
      const button = el("button", {type: "button", class: "button quiet icon-only small", "aria-label": interpolate(gettext("Remove %s"), [name()])}, icon("trash"));
      button.addEventListener("click", () => {
        labels.splice(at, 1);
        draw();
        changed();
        (list.children[Math.min(at, labels.length - 1)]?.querySelector("input") ?? adding).focus();
        say(interpolate(gettext("%s is removed."), [name()]));
      });
      return button;
    }
  }

  function guidance(label, here, swatch, hue) {
    const value = textField({
      label: gettext("Name for programs"), path: `${here}.value`, value: label.value, maxlength: 200, class: "code",
      help: gettext("Stands in files and gold. Changed later, it is another label."),
      changed(text) {
        following.delete(label);
        label.value = text;
        changed();
      },
    });
    value.dataset.value = "";
    return el(
      "div",
      {},
      textField({
        label: gettext("Definition"), path: `${here}.definition`, value: label.definition, rows: 2, dir: "auto",
        changed(text) {
          put(label, "definition", text);
          changed();
        },
      }),
      el(
        "div",
        {class: "pairs"},
        GUIDES.map(([guide, title]) => linesField({
          label: title, path: `${here}.${guide}`, value: label[guide], help: gettext("One in each line."), dir: "auto",
          changed(lines) {
            put(label, guide, lines.length ? lines : undefined);
            changed();
          },
        })),
        selectField({
          label: gettext("Colour"), path: `${here}.colour`, value: String(label.colour ?? ""),
          choices: [["", gettext("By its place in the list")], ...COLOURS.map((name, at) => [String(at + 1), name])],
          changed(chosen) {
            put(label, "colour", chosen ? Number(chosen) : undefined);
            swatch.className = `label-swatch ${hue()}`;
            changed();
          },
        }),
        value,
      ),
    );
  }

  draw();
}
