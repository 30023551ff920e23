/** The list beside the text: what is marked and how it is related; where one is picked, the buttons that change it. */
import {el, icon} from "../../../pages/dom.js";
import {gettext, interpolate} from "../../../pages/i18n.js";

const LONG = 100;

/** Calls `pick(id)`, `nudge(end, step)`, `remove(id)` and `part(relation)`. */
export function spanList({pick, nudge, remove, part}) {
  const spans = el("ol", {class: "mark-list"});
  const relations = el("ol", {class: "mark-list"});
  const heading = el("h4", {class: "mark-heading"});
  const related = el("h4", {class: "mark-heading"}, gettext("Relations"));
  const element = el("div", {class: "mark-lists"}, heading, spans, related, relations);

  function entry(span, readonly) {
    const button = el("button", {type: "button", class: "mark-entry", "data-key": `pick ${span.id}`, "aria-pressed": String(span.picked)},
      el("span", {class: "mark-swatch", "aria-hidden": "true"}),
      el("span", {class: "mark-words", dir: "auto"}, span.text), " ", el("span", {class: "mark-kind", dir: "auto"}, span.tag));
    button.style.setProperty("--mark", span.colour);
    button.addEventListener("click", () => pick(span.id));
    button.addEventListener("keydown", (event) => {
      if (event.key === "Delete") remove(span.id);
    });
    return el("li", {}, button, span.picked && !readonly && tools(span));
  }

  function tools(span) {
    const move = (name, sign, end, step) => {
      const button = el("button", {type: "button", class: "button small quiet", "data-key": `${end} ${step}`, "aria-label": name, title: name}, sign);
      button.addEventListener("click", () => nudge(end, step));
      return button;
    };
    const gone = el("button", {type: "button", class: "button small quiet", "data-key": "remove", "aria-label": gettext("Delete"), title: gettext("Delete")}, icon("trash"));
    gone.addEventListener("click", () => remove(span.id));
    return el("div", {class: "mark-tools"},
      el("span", {class: "soft"}, gettext("Start")), move(gettext("Start earlier"), "←", "start", -1), move(gettext("Start later"), "→", "start", 1),
      el("span", {class: "soft"}, gettext("End")), move(gettext("End earlier"), "←", "end", -1), move(gettext("End later"), "→", "end", 1), gone);
  }

  function link({relation, title, from, to}, words, readonly, at) {
    const remover = el("button", {type: "button", class: "button small quiet", "data-key": `part ${at}`,
      "aria-label": interpolate(gettext("Delete the relation %(from)s %(kind)s %(to)s"), {from: words.get(from), kind: title, to: words.get(to)})}, icon("trash"));
    remover.addEventListener("click", () => part(relation));
    return el("li", {class: "mark-relation"}, el("span", {}, el("bdi", {}, words.get(from)), " ", el("b", {dir: "auto"}, `${title} →`), " ", el("bdi", {}, words.get(to))),
      !readonly && remover);
  }

  return {
    element,
    show(shown, links, readonly) {
      const key = element.contains(document.activeElement) ? document.activeElement.dataset.key : null;
      const words = new Map(shown.map((span) => [span.id, span.text]));
      heading.textContent = interpolate(gettext("Marked: %s"), [shown.length]);
      spans.classList.toggle("long", shown.length > LONG);
      spans.replaceChildren(...shown.map((span) => entry(span, readonly)));
      relations.replaceChildren(...links.map((one, at) => link(one, words, readonly, at)));
      related.hidden = !links.length;
      if (!key) return;
      const focused = element.querySelector(`[data-key="${CSS.escape(key)}"]`) ?? element.querySelector("[data-key]");
      focused?.focus();
    },
  };
}
