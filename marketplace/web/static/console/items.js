/**
 * Bring items: choose a file, say which column is what, see the first rows and an item as a worker will, send it, and
 * mend rows that are wrong. All of it goes through the API, which is the one way in.
 */
import {Offline, api} from "../pages/api.js";
import {el, show} from "../pages/dom.js";
import {gettext, interpolate, ngettext} from "../pages/i18n.js";
import {Sheet, showProblems} from "./mend.js";
import {showSample} from "./sample.js";
import {follow, send} from "./upload.js";

const TYPES = {csv: "text/csv", jsonl: "application/x-ndjson", ndjson: "application/x-ndjson", parquet: "application/vnd.apache.parquet", zip: "application/zip", json: "application/json"};
// A JSON array is what Label Studio writes: its tasks have no columns.
const WHOLE = new Set(["application/vnd.apache.parquet", "application/zip"]);
const LABEL_STUDIO = "application/json";
const MENDED = new Set([TYPES.csv, TYPES.jsonl]);
const LOOK_BYTES = 1024 * 1024;
const WHOLE_BYTES = 8 * 1024 * 1024;
const TYPED_MS = 300;

const settings = JSON.parse(document.getElementById("settings").textContent);
const at = `/batches/${settings.batch}/imports`;
const parts = Object.fromEntries(["drop", "file", "mapping", "problems", "progress", "progress-words", "progress-bar", "cancel", "said"].map((id) => [id, document.getElementById(id)]));

/** What is being brought: the file, its type, which column is what as last chosen, and its text where it is small. */
let bringing = null;
let calledOff = null;
let waiting = 0;
let looks = 0;

function say(words, tone = "") {
  parts.said.className = words ? `notice ${tone}` : "";
  parts.said.textContent = words;
}

async function choose(file) {
  say("");
  clearTimeout(waiting);
  parts.problems.hidden = true;
  parts.mapping.hidden = true;
  parts.mapping.replaceChildren();
  const ending = file.name.split(".").pop().toLowerCase();
  const type = TYPES[ending];
  if (!type) {
    say(gettext("This is no CSV, JSONL, Parquet, zip or Label Studio file. Save it as one of these, then choose it again."), "bad");
    return;
  }
  if (file.size === 0) {
    say(gettext("This file is empty."), "bad");
    return;
  }
  bringing = {file, body: file, type, kind: type === TYPES.csv ? "csv" : "jsonl", mapping: null, sheet: null};
  await look();
}

/** Ask the server what it makes of the beginning of the file. */
async function look(mapping = null) {
  const {body, type} = bringing;
  if (type === LABEL_STUDIO) {
    showPlain(gettext("The tasks of Label Studio are taken as they are: their data by name, and answers marked as ground truth as gold."));
    return;
  }
  if (WHOLE.has(type) && body.size > WHOLE_BYTES) {
    const names = ["external_id", ...settings.interface.data.map(({name}) => `data.${name}`), ...settings.interface.answer.map(({name}) => `gold.${name}`)];
    showPlain(interpolate(gettext("A file of this kind of more than %(most)s MB is not looked at first: its columns must be called as they are meant, %(names)s; those of gold only where there is some."), {most: WHOLE_BYTES / 1024 / 1024, names: names.join(", ")}));
    return;
  }
  const mine = (looks += 1);
  const query = mapping ? `?mapping=${encodeURIComponent(JSON.stringify(mapping))}` : "";
  const part = body.slice(0, WHOLE.has(type) ? WHOLE_BYTES : LOOK_BYTES + 1);
  try {
    const {status, body: seen} = await send(`${at}/preview${query}`, part, {type, key: crypto.randomUUID(), progress: () => {}, signal: new AbortController().signal});
    if (mine !== looks) return;
    if (status === 200) {
      say("");
      showMapping(seen);
    } else say(seen?.detail ?? gettext("The file cannot be read."), "bad");
  } catch (error) {
    if (!(error instanceof Offline)) throw error;
    say(gettext("No connection. Try again when you are online."), "bad");
  }
}

/** A file of which there are no columns to choose from. */
function showPlain(words) {
  bringing.mapping = null;
  parts.mapping.replaceChildren(el("p", {class: "notice"}, words), importButton());
  parts.mapping.hidden = false;
}

function showMapping(seen) {
  if (seen.columns.length === 0) {
    say(gettext("No rows can be read in this file. Is it text in UTF-8, with a header?"), "bad");
    return;
  }
  bringing.mapping = seen.mapping;
  if (!document.getElementById("mapped")) ask(seen);
  const ready = holdsData(seen.mapping);
  show(
    document.getElementById("mapped"),
    el("h3", {}, gettext("The first rows")),
    preview(seen),
    ready ? told(seen) : null,
    el("div", {class: "sample", id: "mapped-sample"}),
    importButton(ready),
  );
  parts.mapping.hidden = false;
  if (seen.sample) showSample(document.getElementById("mapped-sample"), {interface: settings.interface, data: seen.sample});
}

function holdsData(mapping) {
  return Object.keys(mapping).some((name) => name.startsWith("data."));
}

/** The fields to say which column is what. They stay while rows are looked at: somebody may be at the next one. */
function ask(seen) {
  const usual = seen.can_be.filter(({name}) => name === "external_id" || name.startsWith("data.") || name.startsWith("gold."));
  const others = seen.can_be.filter((one) => !usual.includes(one));
  parts.mapping.replaceChildren(
    el("h3", {}, interpolate(gettext("Which column of %(file)s is what?"), {file: bringing.file.name})),
    el("div", {class: "mapping-fields"}, usual.map((one) => columnField(one, seen))),
    el("details", {open: others.some(({name}) => seen.mapping[name])}, el("summary", {}, gettext("More columns")), el("div", {class: "mapping-fields"}, others.map((one) => columnField(one, seen)))),
    el("div", {id: "mapped"}),
  );
}

function columnField({name, title, type, required}, seen) {
  const id = `column-${name}`;
  const words = {external_id: gettext("Name of the item"), overlap: gettext("Answers wanted"), priority: gettext("Priority"), score: gettext("Score of uncertainty"), reserved_for: gettext("Kept for workers")};
  const what = name.startsWith("gold.") ? interpolate(gettext("Right answer: %(title)s"), {title}) : words[name] ?? title;
  const none = name === "external_id" ? gettext("– number the rows –") : gettext("– none –");
  const select = el("select", {id}, el("option", {value: ""}, none), seen.columns.map((column) => el("option", {value: column, selected: seen.mapping[name] === column}, column || gettext("(no name)"))));
  select.addEventListener("change", () => {
    const next = {...bringing.mapping};
    if (select.selectedIndex === 0) delete next[name];
    else next[name] = select.value;
    bringing.mapping = next;
    // What is on its way was asked of an older choice.
    looks += 1;
    clearTimeout(waiting);
    waiting = setTimeout(() => (Object.keys(next).length ? look(next) : say(gettext("Choose at least one column."), "warn")), TYPED_MS);
  });
  return el("div", {class: "field"}, el("label", {for: id}, what, " ", el("span", {class: "soft small"}, required ? gettext("needed") : type)), select);
}

/** The first rows as they stand in the file, with what is wrong beside each. */
function preview(seen) {
  const meant = Object.fromEntries(Object.entries(seen.mapping).map(([name, column]) => [column, name]));
  const wrong = new Map();
  // Before it is said which column holds the data, all rows lack it.
  for (const {row, field, message} of holdsData(seen.mapping) ? seen.row_errors : []) wrong.set(row, [...(wrong.get(row) ?? []), `${seen.mapping[field] ?? field}: ${message}`.replace(/^: /, "")]);
  const head = el("tr", {}, el("th", {scope: "col"}, gettext("Row")), wrong.size ? el("th", {scope: "col"}, gettext("What is wrong")) : null, seen.columns.map((column) => el("th", {scope: "col", class: meant[column] ? "meant" : "left-out"}, column, meant[column] ? el("span", {class: "soft small"}, ` → ${meant[column]}`) : null)));
  const body = seen.rows.map(({row, cells}) => el(
    "tr",
    {class: wrong.has(row) ? "wrong" : null},
    el("th", {scope: "row"}, row),
    wrong.size ? el("td", {class: "bad"}, (wrong.get(row) ?? []).join(" · ")) : null,
    seen.columns.map((column) => el("td", {class: meant[column] ? null : "left-out"}, cells[column] ?? "")),
  ));
  return el("div", {class: "scrolls", tabindex: "0", role: "group", "aria-label": gettext("The first rows")}, el("table", {}, el("thead", {}, head), el("tbody", {}, body)));
}

function told(seen) {
  if (seen.error_count === 0) return el("p", {class: "soft"}, interpolate(ngettext("%(n)s row was looked at, and is right.", "%(n)s rows were looked at, and all are right.", seen.looked_at), {n: seen.looked_at}));
  const words = ngettext("%(n)s error in the rows that were looked at. It can be mended in the next step.", "%(n)s errors in the rows that were looked at. They can be mended in the next step.", seen.error_count);
  return el("p", {class: "notice warn"}, interpolate(words, {n: seen.error_count}));
}

function importButton(ready = true) {
  const button = el("button", {class: "button", type: "button", id: "import", onclick: () => bring()}, gettext("Import"));
  button.disabled = !ready;
  return el("p", {class: "actions"}, button, ready ? null : el("span", {class: "soft"}, gettext("Say first which column holds the data.")));
}

/** Send the file, and go on with what comes of it. */
async function bring() {
  const {body, type, mapping} = bringing;
  const query = type === LABEL_STUDIO ? "?format=label_studio" : mapping ? `?mapping=${encodeURIComponent(JSON.stringify(mapping))}` : "";
  clearTimeout(waiting);
  looks += 1;
  calledOff = new AbortController();
  parts.problems.hidden = true;
  parts.mapping.hidden = true;
  progress(0, gettext("Sending the file"));
  try {
    const {status, body: said} = await send(at + query, body, {
      type,
      key: crypto.randomUUID(),
      signal: calledOff.signal,
      progress: (share) => progress(share, share < 1 ? gettext("Sending the file") : gettext("The rows are read")),
    });
    if (status === 201) done();
    else if (status === 202) await watch(said.id);
    else await refused(status, said);
  } catch (error) {
    stopped();
    if (error.name === "AbortError") say(gettext("Called off. Nothing was imported."));
    else if (error instanceof Offline) say(gettext("The connection broke off. Nothing was imported; try again."), "bad");
    else throw error;
    parts.mapping.hidden = false;
  }
}

async function watch(id) {
  const end = await follow(`${at}/${id}`, (it) => progress(it.bytes_total ? it.bytes_done / it.bytes_total : 0, interpolate(gettext("%(n)s rows are read"), {n: it.rows_read})));
  if (end.state === "done") done();
  else if (end.state === "failed") await refused(422, {errors: end.row_errors, count: end.error_count});
  else {
    stopped(gettext("Called off. Nothing was imported."));
    parts.mapping.hidden = bringing === null;
  }
}

async function refused(status, said) {
  stopped();
  const errors = said?.errors ?? [];
  if (status !== 422 || !errors.some((error) => "row" in error)) {
    say(said?.detail ?? gettext("The file was not taken."), "bad");
    parts.mapping.hidden = false;
    return;
  }
  if (bringing && bringing.sheet === null && MENDED.has(bringing.type) && bringing.file.size <= WHOLE_BYTES) {
    bringing.sheet = new Sheet(await bringing.file.text(), bringing.kind);
  }
  const count = said.count ?? Number.parseInt(said.detail, 10);
  showProblems(parts.problems, {
    errors,
    count: Number.isFinite(count) ? count : errors.length,
    sheet: bringing?.sheet ?? null,
    mapping: bringing?.mapping ?? {},
    again: () => {
      bringing.body = bringing.sheet.blob(bringing.type);
      bring();
    },
  });
}

function progress(share, words) {
  parts.progress.hidden = false;
  parts["progress-bar"].value = Math.round(100 * share);
  if (parts["progress-words"].textContent !== words) parts["progress-words"].textContent = words;
  parts.drop.hidden = true;
}

function stopped(words = "") {
  parts.progress.hidden = true;
  parts.drop.hidden = false;
  say(words);
}

/** The page says what is there now. */
function done() {
  parts["progress-words"].textContent = gettext("Imported.");
  parts.file.value = ""; // or the browser may bring it along
  location.reload();
}

async function cancel() {
  calledOff?.abort();
  const {body} = await api("GET", at);
  for (const {id} of (body?.results ?? []).filter(({finished_at: end}) => end === null)) {
    await api("POST", `${at}/${id}/cancel`, {body: {}});
  }
}

parts.file.addEventListener("change", () => parts.file.files[0] && choose(parts.file.files[0]));
parts.cancel.addEventListener("click", cancel);
for (const type of ["dragover", "dragenter"]) {
  parts.drop.addEventListener(type, (event) => {
    event.preventDefault();
    parts.drop.classList.add("over");
  });
}
for (const type of ["dragleave", "drop"]) parts.drop.addEventListener(type, () => parts.drop.classList.remove("over"));
parts.drop.addEventListener("drop", (event) => {
  event.preventDefault();
  if (event.dataTransfer.files[0]) choose(event.dataTransfer.files[0]);
});
if (settings.running) watch(settings.running);
// Somebody may have been sooner than this script.
else if (parts.file.files[0]) choose(parts.file.files[0]);
