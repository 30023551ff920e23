/**
 * The desk of a reviewer: answers drawn over their item by the player's own modules, and everything by a key.
 *
 * The page is whole without this but for the drawings: forms are sent as they are, and the server says what came of it.
 */
import {el} from "../pages/dom.js";
import {gettext} from "../pages/i18n.js";
import {hotkeys, shown} from "../pages/keys.js";
import {mountTask} from "../work/player/task.js";
import {sheetOpen, shortcutSheet} from "../work/player/sheets.js";

const TOGETHER = "together";
const desk = document.getElementById("review");

if (desk) begin();

function begin() {
  const drawn = JSON.parse(document.getElementById("drawn").textContent);
  const looks = [...desk.querySelectorAll("input[name=look]")];
  const acts = {
    settle: () => open("settle"),
    own: () => open("own"),
    reject: () => open("reject"),
    repair: () => open("repair"),
    instructions: () => document.getElementById("sheet-instructions").showModal(),
    keys: () => shortcutSheet(groupsOfKeys()),
  };
  let own = null;

  draw();
  for (const look of looks) look.addEventListener("change", mark);
  for (const button of document.querySelectorAll("[data-close]")) button.addEventListener("click", () => button.closest("dialog").close());
  for (const button of desk.querySelectorAll("[data-act]")) {
    const act = acts[button.dataset.act];
    if (act) button.addEventListener("click", act);
  }
  for (const form of document.querySelectorAll("[data-form]")) form.addEventListener("submit", (event) => send(event, form));
  for (const sheet of document.querySelectorAll("dialog:has(form)")) hotkeys(sheet, {"mod+Enter": () => sheet.querySelector("form").requestSubmit()});
  for (const place of document.querySelectorAll("kbd[data-key]")) place.textContent = shown(place.dataset.key);
  hotkeys(document, keysOf());
  mark();
  if (document.getElementById(`sheet-${desk.dataset.open}`)) open(desk.dataset.open);

  /** The item once, and each answer over what it is about. */
  function draw() {
    const {data, answer} = drawn.interface;
    const about = new Set(answer.flatMap((field) => [field.of, field.left, field.right]).filter(Boolean));
    const item = desk.querySelector("[data-item]");
    const once = data.filter(({name}) => !about.has(name));
    if (once.some(({name}) => drawn.data[name] !== undefined)) {
      item.hidden = false;
      mountTask(item, {interface: {data: once, answer: []}, data: drawn.data, readonly: true, keys: null});
    }
    const over = {data: data.filter(({name}) => about.has(name)), answer};
    for (const host of desk.querySelectorAll("[data-draw]")) {
      const which = host.dataset.draw;
      const values = which === TOGETHER || which === "key" ? drawn[which] : drawn.answers[which];
      const place = el("div", {class: "task"});
      host.setAttribute("aria-busy", "true");
      host.append(place);
      mountTask(place, {interface: over, data: drawn.data, values: values ?? {}, readonly: true, keys: null})
        .ready.then(() => host.querySelector("[data-plain]")?.setAttribute("hidden", ""))
        .catch((error) => {
          console.warn("the plain values stay", error);
          place.remove();
        })
        .finally(() => host.removeAttribute("aria-busy"));
    }
  }

  function chosen() {
    return looks.find((look) => look.checked) ?? null;
  }

  function mark() {
    for (const look of looks) look.closest(".look").classList.toggle("chosen", look.checked);
  }

  function choose(value) {
    const look = looks[value];
    if (!look) return false;
    look.checked = true;
    look.focus({preventScroll: true});
    look.closest(".look").scrollIntoView({block: "nearest"});
    mark();
    say(nameOf(look));
    return true;
  }

  function nameOf(look) {
    return look?.closest(".look").querySelector("strong").textContent ?? "";
  }

  function say(words) {
    const host = desk.querySelector("[data-said]");
    host.textContent = words;
    host.dataset.shown = words;
  }

  /** Open a sheet about the chosen answer; says what is missing where it cannot be. */
  function open(name) {
    const look = chosen();
    const sheet = document.getElementById(`sheet-${name}`);
    if (name === "settle" && (!look || look.hasAttribute("data-unchoosable"))) return refuse(look ? gettext("This answer cannot be the label.") : gettext("Choose an answer first, by its number."));
    if ((name === "reject" || name === "repair") && !undecided(look)) return refuse(gettext("Choose an answer that waits for a decision first."));
    if (name === "repair" && look.closest(".look").dataset.back === "true") return refuse(gettext("It went back once already."));
    for (const place of sheet.querySelectorAll("[data-chosen]")) place.textContent = nameOf(look);
    sheet.showModal();
    if (name === "own") mountOwn(sheet);
    return true;
  }

  function refuse(words) {
    say(words);
    const notice = desk.querySelector(".desk-notice") ?? el("p", {class: "notice warn desk-notice"});
    notice.textContent = words;
    desk.querySelector(".review-bar").before(notice);
    return true;
  }

  function undecided(look) {
    return look && look.value !== TOGETHER && look.closest(".look").dataset.undecided === "true";
  }

  /** A label of the reviewer's own begins as the chosen answer, or as what all say together. */
  async function mountOwn(sheet) {
    const host = sheet.querySelector("[data-own]");
    if (own) return own.focus();
    const look = chosen();
    const from = drawn.own ?? (look && look.value !== TOGETHER ? drawn.answers[look.value] : drawn.together) ?? {};
    own = mountTask(host, {interface: drawn.interface, data: drawn.data, values: from});
    await own.ready;
    own.focus();
    // The tools have their own keys; Enter is enough where nothing is typed.
    const form = sheet.querySelector("form");
    hotkeys(sheet, new Proxy({}, {get: (_, key) => (key === "Enter" ? () => form.requestSubmit() : own.keys.find((entry) => entry.key === key)?.run)}));
  }

  /** What the page chose goes into the form that is sent. */
  function send(event, form) {
    const look = chosen();
    const name = form.dataset.form;
    if (name === "own") {
      if (!own || own.problems().length) {
        event.preventDefault();
        own?.focus();
        return;
      }
      form.elements.values.value = JSON.stringify(own.values);
      return;
    }
    if (name === "settle") {
      form.elements.answer.value = look && look.value !== TOGETHER ? look.value : "";
      form.elements.values.value = look?.value === TOGETHER ? JSON.stringify(drawn.together) : "";
      return;
    }
    // Nothing chosen, or what all say together: accepting means every answer that waits.
    const named = undecided(look) ? [look] : name === "accept" ? looks.filter(undecided) : [];
    if (look && !undecided(look) && look.value !== TOGETHER) named.length = 0;
    if (!named.length) {
      event.preventDefault();
      refuse(gettext("No answer that waits for a decision is chosen."));
      return;
    }
    form.querySelector("[data-answers]").replaceChildren(...named.map(({value}) => el("input", {type: "hidden", name: "answer", value})));
  }

  function keysOf() {
    const press = (name) => () => {
      const button = desk.querySelector(`[data-act="${name}"]`);
      if (!button || sheetOpen()) return false;
      button.click();
      return true;
    };
    const has = (name) => desk.querySelector(`[data-act="${name}"]`) !== null;
    const keys = {
      Enter: press("settle"),
      e: press("own"),
      a: press(has("confirm") ? "confirm" : "accept"),
      r: press(has("retire") ? "retire" : "reject"),
      p: press("repair"),
      n: press("next"),
      i: press("instructions"),
      "?": press("keys"),
    };
    const first = looks[0]?.value === TOGETHER ? 0 : 1;
    for (let at = 0; at < looks.length && at + first < 10; at += 1) keys[at + first] = () => (sheetOpen() ? false : choose(at));
    return keys;
  }

  function groupsOfKeys() {
    const first = looks[0]?.value === TOGETHER ? 0 : 1;
    const numbers = looks.slice(0, 10 - first).map((look, at) => ({key: String(at + first), label: nameOf(look)}));
    const does = ["settle", "own", "accept", "confirm", "repair", "reject", "retire", "next", "instructions", "keys"]
      .map((name) => desk.querySelector(`[data-act="${name}"]`))
      .filter(Boolean)
      .map((button) => ({key: KEYS[button.dataset.act], label: button.getAttribute("aria-label") ?? wordsOf(button)}));
    return [{title: gettext("Choose"), keys: numbers}, {title: gettext("Do"), keys: does}];
  }
}

const KEYS = {settle: "Enter", own: "e", accept: "a", confirm: "a", repair: "p", reject: "r", retire: "r", next: "n", instructions: "i", keys: "?"};

/** What a button says, without the key that it shows. */
function wordsOf(button) {
  const copy = button.cloneNode(true);
  for (const key of copy.querySelectorAll("kbd")) key.remove();
  return copy.textContent.trim();
}
