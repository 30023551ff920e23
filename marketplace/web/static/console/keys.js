/** Known answers from a file, for items that are in the batch already: sent to the API, which says what is wrong. */
import {Offline, api} from "../pages/api.js";
import {el, show} from "../pages/dom.js";
import {gettext, interpolate, ngettext} from "../pages/i18n.js";
import {parse} from "./csv.js";

const AT_ONCE = 1_000;
const BYTES_MAX = 8 * 1024 * 1024;
const IDS = ["external_id", "id", "task", "item", "name"];
const NUMBERS = new Set(["number", "rating"]);

const host = document.getElementById("keys");

/**
 * The keys that a file says, each with its row.
 * @param {string} text
 * @param {boolean} isCsv
 * @param {Array<{name: string, title: string, type: string}>} fields of the answer
 * @returns {Array<{row: number, task: string, key: Object}>} throws an Error that says what is wrong with the file
 */
export function keysOf(text, isCsv, fields) {
  const found = isCsv ? ofCsv(text, fields) : ofLines(text);
  if (found.length === 0) throw new Error(gettext("There is no row with an answer in this file."));
  return found;
}

function ofCsv(text, fields) {
  const [header = [], ...records] = parse(text);
  const plain = header.map((name) => name.trim().toLowerCase());
  const id = IDS.map((name) => plain.indexOf(name)).find((at) => at >= 0);
  const columns = fields.map((field) => [field, [`gold.${field.name}`, field.name, field.title].map((name) => plain.indexOf(name.toLowerCase())).find((at) => at >= 0)]).filter(([, at]) => at !== undefined && at !== id);
  if (id === undefined || columns.length === 0) throw new Error(interpolate(gettext("The file needs a column external_id, and one called %(name)s."), {name: fields[0].name}));
  return records.flatMap((cells, at) => {
    const said = columns.filter(([, column]) => (cells[column] ?? "") !== "");
    return said.length === 0 ? [] : [{row: at + 1, task: cells[id], key: Object.fromEntries(said.map(([field, column]) => [field.name, valueOf(cells[column], field)]))}];
  });
}

function ofLines(text) {
  return text.split("\n").flatMap((line, at) => {
    if (line.trim() === "") return [];
    let row;
    try {
      row = JSON.parse(line);
    } catch {
      throw new Error(interpolate(gettext("Row %(n)s is not JSON."), {n: at + 1}));
    }
    const key = row.gold ?? row.key;
    return key ? [{row: at + 1, task: String(row.external_id ?? row.task ?? ""), key}] : [];
  });
}

/** What a cell says: lists and objects as JSON, numbers where numbers are asked for. */
function valueOf(cell, {type}) {
  if (!/^[[{]/.test(cell) && !NUMBERS.has(type)) return cell;
  try {
    return JSON.parse(cell);
  } catch {
    return cell;
  }
}

function begin(settings) {
  const input = document.getElementById("keys-file");
  const said = document.getElementById("keys-said");
  const tell = (tone, ...words) => show(said, el("div", {class: `notice ${tone}`}, el("div", {}, words)));

  async function bring(file) {
    if (file.size > BYTES_MAX) return tell("bad", gettext("This file is too large for known answers; bring them with the items."));
    let keys;
    try {
      keys = keysOf(await file.text(), file.name.toLowerCase().endsWith(".csv"), settings.interface.answer);
    } catch (error) {
      return tell("bad", error.message);
    }
    for (let at = 0; at < keys.length; at += AT_ONCE) {
      const some = keys.slice(at, at + AT_ONCE);
      const {status, body} = await api("POST", `/batches/${settings.batch}/gold/keys`, {body: {keys: some.map(({task, key}) => ({task, key}))}});
      if (status === 200) continue;
      const errors = (body?.errors ?? []).map(({item, field, message}) => (item === undefined ? message : `${interpolate(gettext("Row %(n)s"), {n: some[item].row})}, ${field}: ${message}`));
      const before = at === 0 ? gettext("None was taken.") : interpolate(ngettext("%(n)s was taken before.", "%(n)s were taken before.", at), {n: at});
      return tell("bad", el("p", {}, `${body?.detail ?? gettext("The answers were not taken.")} ${before}`), el("ul", {}, errors.map((words) => el("li", {}, words))));
    }
    location.reload();
  }

  host.hidden = false;
  input.addEventListener("change", () => {
    if (!input.files[0]) return;
    bring(input.files[0]).catch((error) => {
      if (!(error instanceof Offline)) throw error;
      tell("bad", gettext("No connection. Try again when you are online."));
    });
  });
}

if (host) begin(JSON.parse(document.getElementById("settings").textContent));
