/** Answer items of the batch oneself, with the tools that workers have: each answer makes its item gold. */
import {Offline, api} from "../pages/api.js";
import {el, icon} from "../pages/dom.js";
import {gettext, interpolate, ngettext} from "../pages/i18n.js";
import {hotkeys} from "../pages/keys.js";

const host = document.getElementById("gold");
const AT_ONCE = 20;

if (host) begin(JSON.parse(document.getElementById("settings").textContent));

function begin({batch, interface: asks}) {
  const [task, count, problem, acts, keep, skip, have, rows] = ["gold-task", "gold-count", "gold-problem", "gold-acts", "gold-keep", "gold-skip", "gold-have", "gold-rows"].map((id) => document.getElementById(id));
  let items = [];
  let after = `/batches/${batch}/items?gold=false&limit=${AT_ONCE}`;
  let item = null;
  let view = null;
  let made = 0;

  function say(words) {
    problem.textContent = words;
    problem.hidden = !words;
  }

  async function next({focus = true} = {}) {
    say("");
    while (items.length === 0 && after) {
      const {status, body} = await api("GET", after);
      if (status !== 200) return say(body?.detail ?? gettext("The items cannot be shown."));
      items = body.results.filter(({reserved}) => !reserved);
      after = body.next ? new URL(body.next).pathname + new URL(body.next).search : null;
    }
    view?.destroy();
    view = null;
    item = items.shift() ?? null;
    acts.hidden = item === null;
    if (item === null) {
      count.textContent = gettext("You have seen all items.");
      return;
    }
    count.textContent = made === 0 ? interpolate(gettext("Item %(name)s"), {name: item.task}) : interpolate(ngettext("Item %(name)s · %(n)s answered now", "Item %(name)s · %(n)s answered now", made), {name: item.task, n: made});
    const {mountTask} = await import("../work/player/task.js");
    view = mountTask(task, {interface: asks, data: item.data, values: {}, keys: ["?"]});
    await view.ready;
    if (focus) view.focus();
  }

  /** An answer that was just given stands above the others, and can be taken back. */
  function list(given, values) {
    const titles = Object.fromEntries(asks.answer.map(({name, title}) => [name, title]));
    const said = Object.entries(values).map(([name, value]) => `${titles[name] ?? name}: ${typeof value === "string" ? value : JSON.stringify(value)}`).join(", ");
    const back = el("button", {class: "button small quiet", type: "button"}, icon("trash"), gettext("Take back"), el("span", {class: "visually-hidden"}, ` ${given.task}`));
    const row = el("tr", {}, el("th", {scope: "row"}, given.task), el("td", {"data-label": gettext("Right answer")}, el("span", {class: "key"}, said)), el("td", {class: "end"}, back));
    back.addEventListener("click", safely(() => takeBack(given, row)));
    rows.prepend(row);
    rows.closest("table").hidden = false;
  }

  async function takeBack(given, row) {
    const {status, body} = await api("POST", `/batches/${batch}/gold/remove`, {body: {tasks: [given.task]}});
    if (status !== 200) return say(body?.detail);
    row.remove();
    rows.closest("table").hidden = rows.children.length === 0;
    made -= 1;
    have.textContent = String(Number(have.textContent) - 1);
    // It is the next item to be asked for.
    items.unshift(given);
    if (item === null) await next();
    else keep.focus();
  }

  /** Some fields may stay open: a key says what is known. At least one must be answered. */
  async function save() {
    const values = view.values;
    if (Object.keys(values).length === 0) {
      view.problems();
      return say(gettext("Answer it first, or take another item."));
    }
    keep.setAttribute("aria-busy", "true");
    try {
      const {status, body} = await api("POST", `/batches/${batch}/gold/keys`, {body: {keys: [{task: item.task, key: values}]}});
      if (status !== 200) return say((body?.errors ?? []).map(({field, message}) => `${field}: ${message}`).join(" ") || body?.detail);
      made += 1;
      list(item, values);
      have.textContent = String(Number(have.textContent) + 1);
      await next();
    } finally {
      keep.removeAttribute("aria-busy");
    }
  }

  const safely = (act) => () => act().catch((error) => {
    if (!(error instanceof Offline)) throw error;
    say(gettext("No connection. Try again when you are online."));
  });
  keep.addEventListener("click", safely(save));
  skip.addEventListener("click", safely(next));
  hotkeys(document, {"mod+Enter": () => void safely(save)()});
  safely(() => next({focus: false}))();
}
