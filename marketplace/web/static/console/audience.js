/** For whom a batch is: conditions to choose from, and how many workers are left, while they are chosen. */
import {Offline, api} from "../pages/api.js";
import {el, icon, show} from "../pages/dom.js";
import {gettext} from "../pages/i18n.js";
import {KINDS, audienceOf, conditionsOf} from "./conditions.js";

const TYPED_MS = 400;

const settings = JSON.parse(document.getElementById("settings").textContent);
const text = document.getElementById("step-form").elements.audience;
const builder = document.getElementById("builder");
const list = document.getElementById("conditions");
const add = document.getElementById("add");
const count = document.getElementById("count");
let conditions = [];
// What was refused when it was sent, until that condition is changed.
let problems = settings.problems;
let waiting = 0;
let asked = 0;

/** The audience as it is written, or null where that is no JSON object. */
function written() {
  if (text.value.trim() === "") return {};
  try {
    const found = JSON.parse(text.value);
    return found !== null && typeof found === "object" && !Array.isArray(found) ? found : null;
  } catch {
    return null;
  }
}

function write() {
  const audience = audienceOf(conditions);
  text.value = conditions.length === 0 ? "" : JSON.stringify(audience, null, 2);
  later();
}

/** Which of the conditions a path of the server is about, as `all[1].country.in`. */
function placeOf(path) {
  return Number(/^all\[(\d+)\]/.exec(path)?.[1] ?? 0);
}

function draw() {
  list.replaceChildren(...conditions.map((condition, at) => {
    const kind = KINDS[condition.name];
    const changed = (terms, not = condition.not) => {
      condition.terms = terms;
      condition.not = not;
      wrong.remove();
      problems = problems.filter(({path}) => placeOf(path) !== at);
      write();
    };
    const said = problems.filter(({path}) => placeOf(path) === at).map(({message}) => el("li", {}, message));
    const wrong = el("ul", {class: "errorlist", role: "alert", hidden: said.length === 0}, said);
    const remove = el("button", {class: "button small quiet", type: "button", "aria-label": `${gettext("Remove")}: ${kind.label}`}, icon("trash"));
    remove.addEventListener("click", () => {
      conditions = conditions.filter((one) => one !== condition);
      problems = [];
      draw();
      write();
      add.focus();
    });
    return el("li", {}, el("fieldset", {class: "condition"}, el("legend", {}, kind.label), el("div", {class: "fields-2"}, kind.fields(condition, settings, changed)), wrong, remove));
  }));
}

/** From what is written: the builder where it can show it. */
function read() {
  const audience = written();
  const found = audience === null ? null : conditionsOf(audience);
  const usable = found !== null && found.every(({name, terms}) => !KINDS[name].needs || settings[KINDS[name].needs].some(({id}) => id === terms.id));
  builder.hidden = !usable;
  if (usable) {
    conditions = found;
    draw();
    if (problems.length > 0 && conditions.length > 0) document.getElementById("as-data").open = false;
  } else {
    document.getElementById("as-data").open = true;
  }
}

async function preview() {
  const audience = written();
  if (audience === null) return;
  const mine = (asked += 1);
  try {
    const {status, body} = await api("POST", `/projects/${settings.project}/audience`, {body: {audience}});
    if (mine !== asked) return;
    if (status === 200) tell(body);
    else show(count, el("ul", {class: "errorlist"}, (body?.errors ?? [{field: "", message: body?.detail}]).map(({field, message}) => el("li", {}, field ? `${field}: ${message}` : message))));
  } catch (error) {
    if (!(error instanceof Offline)) throw error;
  }
}

function tell({text: words, estimate, excluded_by: excluded}) {
  const labels = [gettext("Condition"), gettext("Keeps out"), gettext("Only by this")];
  const few = (number) => number ?? gettext("fewer than 5");
  show(
    count,
    el("p", {}, el("strong", {}, words), estimate ? el("span", {class: "soft"}, ` ${gettext("An estimate: what profiles say is counted apart.")}`) : null),
    excluded.length === 0 ? null : el(
      "table",
      {class: "data"},
      el("caption", {class: "visually-hidden"}, gettext("Whom each condition keeps out")),
      el("thead", {}, el("tr", {}, labels.map((label, at) => el("th", {scope: "col", class: at ? "end" : null}, label)))),
      el("tbody", {}, excluded.map((one) => el("tr", {}, el("th", {scope: "row"}, one.words), el("td", {class: "end number", "data-label": labels[1]}, few(one.workers)), el("td", {class: "end number", "data-label": labels[2]}, few(one.only_by_this))))),
    ),
  );
}

function later() {
  clearTimeout(waiting);
  waiting = setTimeout(preview, TYPED_MS);
}

for (const [name, {label, needs}] of Object.entries(KINDS)) {
  if (!needs || settings[needs].length > 0) add.append(el("option", {value: name}, label));
}
document.getElementById("add-one").addEventListener("click", () => {
  conditions = [...conditions, {name: add.value, not: false, terms: KINDS[add.value].terms(settings)}];
  draw();
  write();
  list.lastElementChild.querySelector("input, select").focus();
});
text.addEventListener("input", () => {
  problems = [];
  read();
  later();
});
read();
