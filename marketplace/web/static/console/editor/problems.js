/** Shows what the server found wrong where it is wrong: at its field, else at the row that it is in. */
import {el} from "../../pages/dom.js";

let made = 0;

/** Show the findings [{field, message}] in `root`, instead of those before; returns those that have no place there. */
export function showProblems(root, errors) {
  for (const old of root.querySelectorAll("[data-problem]")) old.remove();
  for (const input of root.querySelectorAll('[aria-invalid="true"][data-path]')) {
    input.removeAttribute("aria-invalid");
    if (input.dataset.described) input.setAttribute("aria-describedby", input.dataset.described);
    else input.removeAttribute("aria-describedby");
  }
  return errors.filter((error) => !place(root, error));
}

/** The finding as a sentence; `rest` is what of its place the field does not say. */
export function sentence(message, rest = "") {
  const text = message.slice(0, 1).toUpperCase() + message.slice(1);
  return `${rest ? `${rest}: ` : ""}${text}${/[.!?]$/.test(text) ? "" : "."}`;
}

function place(root, {field, message}) {
  let path = field;
  while (path) {
    const target = root.querySelector(`[data-path="${CSS.escape(path)}"]`);
    if (target) {
      put(target, sentence(message, field.slice(path.length).replace(/^\./, "")));
      return true;
    }
    const shorter = path.replace(/(\.[^.[\]]+|\[\d+\])$/, "");
    if (shorter === path) return false;
    path = shorter;
  }
  return false;
}

function put(target, text) {
  made += 1;
  const note = el("p", {class: "errorlist problem", "data-problem": "", id: `problem-${made}`}, text);
  if (!target.matches("input, select, textarea")) {
    const head = target.querySelector(":scope > .part-head, :scope > .label-line, :scope > h2");
    if (head) head.after(note);
    else if (target.matches("ol")) target.before(note);
    else target.append(note);
    return;
  }
  if (target.getAttribute("aria-invalid") !== "true") target.dataset.described = target.getAttribute("aria-describedby") ?? "";
  target.setAttribute("aria-invalid", "true");
  target.setAttribute("aria-describedby", `${target.getAttribute("aria-describedby") ?? ""} ${note.id}`.trim());
  target.closest(".field").append(note);
}
