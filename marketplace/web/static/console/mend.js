/**
 * Rows that an import refused, each with what is wrong beside it, to be mended here and sent again.
 *
 * Of a small file the text is in memory; of a larger one rows can only be named.
 */
import {el, show} from "../pages/dom.js";
import {gettext, interpolate, ngettext} from "../pages/i18n.js";
import {format, line, parse} from "./csv.js";

const ROWS_SHOWN = 50;

/** A file whose rows can be read and changed by their number, counted as the server counts them. */
export class Sheet {
  /** @param {string} text @param {"csv"|"jsonl"} kind */
  constructor(text, kind) {
    this.kind = kind;
    this.records = kind === "csv" ? parse(text) : text.split("\n");
  }

  get header() {
    return this.kind === "csv" ? this.records[0] ?? [] : [];
  }

  /** The cell of a row, or undefined where it has none. */
  cell(row, column) {
    const at = this.header.indexOf(column);
    return this.kind === "csv" ? this.records[row]?.[at] : undefined;
  }

  setCell(row, column, value) {
    this.records[row][this.header.indexOf(column)] = value;
  }

  /** The row as one line of text. */
  whole(row) {
    return this.kind === "csv" ? line(this.records[row] ?? []) : this.records[row - 1] ?? "";
  }

  setWhole(row, text) {
    if (this.kind === "csv") this.records[row] = parse(text)[0] ?? [];
    else this.records[row - 1] = text;
  }

  /** The changed file. */
  blob(type) {
    return new Blob([this.kind === "csv" ? format(this.records) : this.records.join("\n")], {type});
  }
}

/**
 * Show errors beside their rows.
 * @param {HTMLElement} host
 * @param {{errors: Array<{row: number, field: string, message: string}>, count: number, sheet: Sheet|null,
 *   mapping: Object<string, string>, again: function(): void}} options  `again` sends the mended file
 */
export function showProblems(host, {errors, count, sheet, mapping, again}) {
  const byRow = new Map();
  for (const error of errors) byRow.set(error.row, [...(byRow.get(error.row) ?? []), error]);
  const rows = [...byRow].slice(0, ROWS_SHOWN).map(([row, wrong]) => shownRow(row, wrong, sheet, mapping));
  const words = ngettext("%(n)s error, so nothing was imported.", "%(n)s errors, so nothing was imported.", count);
  const left = byRow.size > ROWS_SHOWN || count > errors.length;
  const mends = sheet !== null && rows.some(({mends}) => mends);
  const title = el("h3", {id: "problems-title", tabindex: "-1"}, gettext("Rows to mend"));
  show(
    host,
    title,
    el("p", {class: "notice bad", role: "alert"}, interpolate(words, {n: count})),
    el("ul", {class: "rows problems"}, rows.map(({element}) => element)),
    left ? el("p", {class: "soft"}, gettext("These are the first. Those that follow are named when these are mended.")) : null,
    mends
      ? el("p", {class: "actions"}, el("button", {class: "button", type: "button", id: "again", onclick: again}, gettext("Import again with these changes")))
      : el("p", {}, gettext("Mend the file, then choose it again.")),
  );
  host.hidden = false;
  (host.querySelector("input, textarea") ?? title).focus();
}

function shownRow(row, wrong, sheet, mapping) {
  const title = row === 0 ? gettext("The file as a whole") : interpolate(gettext("Row %(n)s"), {n: row});
  const element = el("li", {"data-row": row}, el("strong", {}, title));
  if (sheet === null || row === 0) {
    for (const {field, message} of wrong) element.append(el("p", {class: "errorlist"}, told(field, message, mapping)));
    return {element, mends: false};
  }
  const columns = new Map();
  for (const {field, message} of wrong) {
    const column = mapping[field] !== undefined && sheet.cell(row, mapping[field]) !== undefined ? mapping[field] : null;
    columns.set(column, [...(columns.get(column) ?? []), column === null ? told(field, message, mapping) : message]);
  }
  for (const [column, messages] of columns) element.append(...cellOf(row, column, messages, sheet));
  return {element, mends: true};
}

/** A field for one cell, or for the whole row where no cell is to blame. */
function cellOf(row, column, messages, sheet) {
  const id = `mend-${row}-${column === null ? "whole" : sheet.header.indexOf(column)}`;
  const long = column === null || (sheet.cell(row, column) ?? "").length > 80;
  const value = column === null ? sheet.whole(row) : sheet.cell(row, column);
  const input = el(long ? "textarea" : "input", {id, value, "aria-invalid": "true", "aria-describedby": `${id}-wrong`, rows: long ? 3 : null, spellcheck: "false", class: column === null ? "code" : null});
  input.addEventListener("input", () => {
    if (column === null) sheet.setWhole(row, input.value);
    else sheet.setCell(row, column, input.value);
  });
  return [
    el("label", {for: id}, column ?? gettext("The whole row")),
    input,
    el("ul", {class: "errorlist", id: `${id}-wrong`}, messages.map((message) => el("li", {}, message))),
  ];
}

function told(field, message, mapping) {
  return field ? `${mapping[field] ?? field}: ${message}` : message;
}
