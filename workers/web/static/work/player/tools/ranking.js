/** An order of things, the best first: dragged, or moved by arrow keys and buttons, each move said aloud. */

import {el, icon} from "../../../pages/dom.js";
import {gettext, interpolate} from "../../../pages/i18n.js";

/** See tools/index.js. Values are all items in order; with `ties` a list of lists, each of them items on a level. */
export function mount(host, {field, value, readonly, changed}) {
  const declared = field.items.map((item) => item.value);
  const list = el("ol", {class: "ranking"});
  const said = el("p", {class: "visually-hidden", role: "status"});
  const asIs = el("button", {type: "button", class: "button quiet small"}, gettext("This order is right"));
  const hint = el("p", {class: "helptext"}, gettext("Best first. Drag, or use the arrow keys on an item."));
  const rows = new Map(field.items.map((item) => [item.value, rowOf(item)]));
  let order = [...declared];
  /** Items that are on the level of the one above them. */
  let tied = new Set();
  let answered = false;
  let locked = readonly;
  let sortable = null;
  let gone = false;

  hint.hidden = readonly;
  host.append(hint, list, asIs, said);
  asIs.addEventListener("click", tell);
  import("sortablejs")
    .then(({default: Sortable}) => {
      if (gone) return;
      sortable = Sortable.create(list, {
        handle: ".ranking-item",
        filter: "button",
        preventOnFilter: false,
        animation: matchMedia("(prefers-reduced-motion: reduce)").matches ? 0 : 120,
        delay: 120,
        delayOnTouchOnly: true,
        disabled: locked,
        onEnd() {
          const next = [...list.children].map((row) => row.dataset.value);
          if (next.join("\n") === order.join("\n")) return;
          order = next;
          keepTies();
          draw();
          tell();
        },
      });
    })
    .catch(() => {}); // keys and buttons do the same

  function rowOf(item) {
    const up = el("button", {type: "button", class: "button quiet icon-only", tabindex: "-1", "aria-label": interpolate(gettext("Move %s up"), [item.title])}, icon("chevron-up"));
    const down = el("button", {type: "button", class: "button quiet icon-only", tabindex: "-1", "aria-label": interpolate(gettext("Move %s down"), [item.title])}, icon("chevron-down"));
    const rank = el("span", {class: "rank"});
    const grip = el("span", {class: "grip"}, icon("drag"));
    const row = el("li", {class: "ranking-item", tabindex: "0", "data-value": item.value}, grip, rank, el("span", {class: "ranking-title"}, item.title));
    const tie = el("button", {type: "button", class: "button quiet small tie", "aria-pressed": "false"}, gettext("Same as above"));
    if (field.ties) row.append(tie);
    row.append(up, down);
    for (const button of [up, down, tie, grip]) button.hidden = readonly;
    up.addEventListener("click", () => move(item, -1));
    down.addEventListener("click", () => move(item, 1));
    tie.addEventListener("click", () => join(item));
    row.addEventListener("keydown", (event) => {
      if (event.target !== row || event.ctrlKey || event.metaKey || event.altKey) return;
      const at = order.indexOf(item.value);
      if (event.key === "ArrowUp") move(item, -1);
      else if (event.key === "ArrowDown") move(item, 1);
      else if (event.key === "Home") move(item, -at);
      else if (event.key === "End") move(item, order.length - 1 - at);
      else if (event.key === "=" && field.ties) join(item);
      else if (event.key === " ") tell();
      else return;
      event.preventDefault();
      event.stopPropagation();
    });
    return {item, row, rank, up, down, tie};
  }

  function move(item, by) {
    if (locked) return;
    const at = order.indexOf(item.value);
    const to = at + by;
    if (to < 0 || to >= order.length || !by) return;
    order.splice(at, 1);
    order.splice(to, 0, item.value);
    tied.delete(item.value);
    keepTies();
    draw();
    rows.get(item.value).row.focus();
    said.textContent = interpolate(gettext("%s is now number %s of %s."), [item.title, rankOf(item.value), order.length]);
    tell();
  }

  function join(item) {
    if (locked || order[0] === item.value) return;
    if (!tied.delete(item.value)) tied.add(item.value);
    draw();
    said.textContent = tied.has(item.value)
      ? interpolate(gettext("%s is on the level of the one above."), [item.title])
      : interpolate(gettext("%s is on a level of its own."), [item.title]);
    tell();
  }

  function keepTies() {
    tied.delete(order[0]);
  }

  function levels() {
    const all = [];
    for (const named of order) {
      if (tied.has(named) && all.length) all.at(-1).push(named);
      else all.push([named]);
    }
    return all;
  }

  function rankOf(named) {
    return levels().findIndex((level) => level.includes(named)) + 1;
  }

  function tell() {
    if (locked) return;
    answered = true;
    asIs.hidden = true;
    list.classList.remove("unanswered");
    changed(field.ties ? levels().map((level) => declared.filter((named) => level.includes(named))) : [...order]);
  }

  function draw() {
    const focused = document.activeElement;
    list.replaceChildren(...order.map((named) => rows.get(named).row));
    if (list.contains(focused)) focused.focus();
    order.forEach((named, at) => {
      const {item, row, rank, up, down, tie} = rows.get(named);
      rank.textContent = String(rankOf(named));
      const words = readonly ? gettext("%s, number %s of %s.") : gettext("%s, number %s of %s. Arrow keys move it.");
      row.setAttribute("aria-label", interpolate(words, [item.title, rankOf(named), order.length]));
      up.disabled = locked || at === 0;
      down.disabled = locked || at === order.length - 1;
      tie.setAttribute("aria-pressed", String(tied.has(named)));
      tie.disabled = locked || at === 0;
      row.classList.toggle("tied", tied.has(named));
    });
    asIs.hidden = answered || locked;
    list.classList.toggle("unanswered", !answered);
  }

  function show(next) {
    answered = next !== undefined && next !== null;
    tied = new Set();
    order = answered ? next.flat() : [...declared];
    if (answered && field.ties) for (const level of next) for (const named of level.slice(1)) tied.add(named);
    draw();
  }

  show(value);
  return {
    show,
    problem: () => (answered || !field.required ? null : gettext("Put the items in order, or say that this order is right.")),
    focus: () => rows.get(order[0]).row.focus(),
    setReadonly(now) {
      locked = now;
      sortable?.option("disabled", now);
      draw();
    },
    destroy() {
      gone = true;
      sortable?.destroy();
      host.replaceChildren();
    },
  };
}
