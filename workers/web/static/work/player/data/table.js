/** A table: one object as names and values, a list of objects as rows and columns. */

import {el} from "../../../pages/dom.js";
import {gettext} from "../../../pages/i18n.js";

export function mount(host, {field, value}) {
  host.append(Array.isArray(value) ? rowsOf(value, field) : factsOf(value));
  return {destroy: () => host.replaceChildren()};
}

function factsOf(row) {
  const list = el("dl", {class: "facts"});
  for (const [name, cell] of Object.entries(row)) list.append(el("div", {}, el("dt", {}, name), el("dd", {dir: "auto"}, words(cell))));
  return list;
}

function rowsOf(rows, field) {
  const columns = [...new Set(rows.flatMap((row) => Object.keys(row)))];
  const head = el("tr", {});
  for (const name of columns) head.append(el("th", {scope: "col"}, name));
  const body = el("tbody", {});
  for (const row of rows) {
    const line = el("tr", {});
    for (const name of columns) {
      const cell = el("td", {"data-label": name, dir: "auto"}, words(row[name]));
      if (typeof row[name] === "number") cell.classList.add("number");
      line.append(cell);
    }
    body.append(line);
  }
  // It may be wider than the page: then it scrolls, by keys too.
  return el("div", {class: "table-scroll", tabindex: "0", role: "group", "aria-label": field.title}, el("table", {class: "data"}, el("thead", {}, head), body));
}

function words(cell) {
  if (cell === null || cell === undefined) return "–";
  if (cell === true) return gettext("yes");
  if (cell === false) return gettext("no");
  return String(cell);
}
