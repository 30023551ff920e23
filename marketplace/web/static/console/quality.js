/** Quality rules tried on what was answered so far, and a preset's rules to begin one's own with. */
import {Offline, api} from "../pages/api.js";
import {el, show} from "../pages/dom.js";
import {gettext, interpolate} from "../pages/i18n.js";

const settings = JSON.parse(document.getElementById("settings").textContent);
const form = document.getElementById("step-form");
const own = document.getElementById("own-rules");
const button = document.getElementById("dry-run");
const said = document.getElementById("dry-said");
const rules = form.elements.rules;

const chosen = () => form.elements.rules_by.value;
let before = chosen();

function arrange() {
  own.hidden = chosen() !== "own";
  button.hidden = chosen() === "";
  // Rules of one's own begin with those that were chosen before.
  if (chosen() === "own" && rules.value.trim() === "" && settings.presets[before]) {
    rules.value = JSON.stringify(settings.presets[before], null, 2);
  }
  before = chosen();
}

function asked() {
  if (chosen() !== "own") return {preset: chosen()};
  try {
    return JSON.parse(rules.value);
  } catch (error) {
    show(said, el("p", {class: "notice bad"}, interpolate(gettext("This is not JSON: %(why)s"), {why: error.message})));
    return null;
  }
}

async function tryThem() {
  const quality = asked();
  if (quality === null) return;
  button.setAttribute("aria-busy", "true");
  try {
    const {status, body} = await api("POST", `/projects/${settings.project}/quality/dry-run`, {body: {quality}});
    if (status === 200) tell(body);
    else show(said, el("div", {class: "notice bad"}, el("ul", {}, (body?.errors ?? [{field: "", message: body?.detail}]).map(({field, message}) => el("li", {}, field ? `${field}: ${message}` : message)))));
  } catch (error) {
    if (!(error instanceof Offline)) throw error;
    show(said, el("p", {class: "notice bad"}, gettext("No connection. Try again when you are online.")));
  } finally {
    button.removeAttribute("aria-busy");
  }
}

function tell({summary, complete, rules: fired}) {
  const labels = [gettext("Rule"), gettext("Workers"), gettext("Times"), gettext("In doubt")];
  show(
    said,
    el("p", {class: "notice"}, summary, complete ? "" : ` ${gettext("Not all that is recorded was looked at.")}`),
    fired.length === 0 ? null : el(
      "table",
      {class: "data"},
      el("caption", {class: "visually-hidden"}, gettext("What each rule would have done")),
      el("thead", {}, el("tr", {}, labels.map((label) => el("th", {scope: "col"}, label)))),
      el("tbody", {}, fired.map((one) => el("tr", {}, el("th", {scope: "row"}, one.rule), el("td", {"data-label": labels[1]}, one.workers), el("td", {"data-label": labels[2]}, one.firings), el("td", {"data-label": labels[3]}, one.in_doubt)))),
    ),
  );
}

form.addEventListener("change", arrange);
button.addEventListener("click", tryThem);
arrange();
