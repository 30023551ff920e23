/**
 * The editor of a draft. What is sent is the text of the form's JSON; the rows above it only write that text, and the
 * server judges it while it is written.
 */
import {api} from "../../pages/api.js";
import {gettext, interpolate, ngettext} from "../../pages/i18n.js";
import {hotkeys} from "../../pages/keys.js";
import {doubtsOf} from "./doubts.js";
import {fieldRows} from "./fields.js";
import {takePictures} from "./pictures.js";
import {Preview, sampleData, sampleOf} from "./preview.js";
import {sentence, showProblems} from "./problems.js";

const CHECK_MS = 300;
const READ_MS = 400;

const page = document.querySelector("[data-editor]");
const form = document.getElementById("draft");
const json = form.elements.interface;
const state = form.querySelector("[data-state]");
const jsonProblem = form.querySelector("[data-json-problem]");
const {samples, errors: found, types, dataTypes, instructionsMax} = JSON.parse(document.getElementById("begin").textContent);
const preview = new Preview(document.getElementById("preview"), {widened: (wide) => page.classList.toggle("wide", wide)});
const own = new Map();
let dirty = found.length > 0;
let asked = 0;
let checking;
let reading;

const editor = {
  interface: null,
  types,
  dataTypes,
  sampleOf: (field) => sampleOf(field, samples, own),
  setSample(field, value) {
    if (value === undefined) own.delete(field.name);
    else own.set(field.name, value);
  },
  changed() {
    json.value = JSON.stringify(editor.interface, tidy, 2);
    touched();
  },
  say: (text) => (state.textContent = text),
  /** Draw a part anew. A part in which somebody is typing stays as it is. */
  redraw(part) {
    const section = form.querySelector(`[data-part="${part}"]`);
    if (!section.contains(document.activeElement)) fieldRows(section, part, editor);
  },
};

/** Trees are written without empty branches. */
function tidy(key, value) {
  return key === "children" && Array.isArray(value) && !value.length ? undefined : value;
}

function touched() {
  dirty = true;
  clearTimeout(checking);
  checking = setTimeout(check, CHECK_MS);
}

/** Take the interface from the text; false where that is none. */
function read() {
  try {
    const written = JSON.parse(json.value);
    if (!written || typeof written !== "object" || Array.isArray(written)) throw new Error(gettext("It must be an object with data and answer."));
    editor.interface = written;
    jsonProblem.hidden = true;
    return true;
  } catch (error) {
    jsonProblem.textContent = interpolate(gettext("This is not JSON: %s"), [error.message]);
    jsonProblem.hidden = false;
    preview.outdated();
    return false;
  }
}

function draw() {
  // Rows are made for fields that are objects; what else may stand in the text is for the server to refuse.
  const drawable = ["data", "answer"].every((part) => (editor.interface[part] ?? []) instanceof Array && (editor.interface[part] ?? []).every((field) => field && typeof field === "object"));
  for (const part of ["answer", "data"]) {
    const section = form.querySelector(`[data-part="${part}"]`);
    section.hidden = !drawable;
    if (drawable) fieldRows(section, part, editor);
  }
}

async function check() {
  const number = (asked += 1);
  try {
    const {status, body} = await api("POST", "/interfaces/check", {body: {interface: editor.interface}});
    if (number !== asked) return;
    if (status === 200) {
      judged([], doubtsOf(editor.interface));
      await preview.show(body.interface, sampleData(body.interface.data, samples, own));
    } else {
      judged(body?.errors ?? [{field: "", message: body?.detail ?? gettext("It could not be checked.")}]);
    }
  } catch {
    if (number === asked) state.textContent = gettext("It cannot be checked just now: there is no connection.");
  }
}

/** Say what is wrong, or else what may be saved and is hardly meant. */
function judged(errors, doubts = []) {
  const rest = showProblems(form, [...errors, ...doubts]);
  jsonProblem.hidden = !rest.length;
  jsonProblem.textContent = rest.map(({field, message}) => sentence(message, field)).join(" ");
  if (rest.length) form.querySelector("[data-json]").open = true;
  if (errors.length) preview.outdated();
  const words = errors.length
    ? interpolate(ngettext("%s thing is not right yet.", "%s things are not right yet.", errors.length), [errors.length])
    : doubts.length
      ? interpolate(ngettext("It can be published; %s thing is worth a look.", "It can be published; %s things are worth a look.", doubts.length), [doubts.length])
      : gettext("All is well.");
  if (state.textContent !== words) state.textContent = words;
}

json.addEventListener("input", () => {
  if (!read()) return;
  draw();
  touched();
});

form.elements.instructions.addEventListener("input", () => {
  dirty = true;
  clearTimeout(reading);
  reading = setTimeout(async () => {
    const written = form.elements.instructions.value;
    const {status, body} = await api("POST", "/instructions/preview", {body: {instructions: written}}).catch(() => ({status: 0}));
    if (status === 200 && written === form.elements.instructions.value) preview.instruct(body.html);
  }, READ_MS);
});

const pictures = form.querySelector("[data-pictures]");
pictures.hidden = false;
takePictures(form.elements.instructions, {input: pictures.querySelector("input"), said: pictures.querySelector("[data-picture-said]"), most: instructionsMax});

form.addEventListener("submit", () => (dirty = false));
addEventListener("beforeunload", (event) => {
  if (dirty) event.preventDefault();
});
hotkeys(document, {"mod+s": () => form.requestSubmit(form.querySelector('[value="save"]'))});

form.querySelector("[data-plain]")?.remove();
if (read()) {
  draw();
  check();
}
