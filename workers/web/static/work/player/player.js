/**
 * The page on which tasks are done: takes places from the desk, shows them, and hands answers over. The next page is in
 * hand before it is needed, so that submitting shows it at once.
 */

import {page as site} from "../../pages/api.js";
import {el, icon} from "../../pages/dom.js";
import {money} from "../../pages/format.js";
import {gettext, interpolate, ngettext} from "../../pages/i18n.js";
import {hotkeys} from "../../pages/keys.js";
import {Clock} from "./clock.js";
import {Desk} from "./desk.js";
import {Draft} from "./drafts.js";
import {History} from "./history.js";
import {RESERVED} from "./keyring.js";
import {preload} from "./preload.js";
import {ask, labelSheet, reportSheet, sheetOpen, shortcutSheet} from "./sheets.js";
import {mountTask} from "./task.js";

const SIZES = [1, 2, 3, 5, 10, 20, 50];
const TYPED = new Set(["text", "number", "transcription"]);

const root = document.querySelector("#player");
const settings = JSON.parse(root.dataset.settings);
const shows = Object.fromEntries([...root.querySelectorAll("[data-show]")].map((element) => [element.dataset.show, element]));
const acts = Object.fromEntries([...root.querySelectorAll("[data-act]")].map((element) => [element.dataset.act, element]));
const storageKey = (name) => `touchstone-${name}-${site.user}`;

const desk = new Desk({user: site.user, batch: settings.batch, cap: settings.cap});
const clock = new Clock(desk, settings.limit);

/** Tasks on the page. */
let cards = [];
/** Places of this tab that come next. */
let coming = [];
let active = null;
let showing = false;
let submitting = false;
const session = JSON.parse(sessionStorage.getItem(storageKey("session")) ?? '{"answers": 0, "micros": 0}');

// Words for the person

function say(words) {
  shows.said.textContent = "";
  // A text that is set twice is told twice.
  requestAnimationFrame(() => (shows.said.textContent = words));
}

function notice(id, tone, words, ...buttons) {
  shows.notices.querySelector(`[data-notice="${id}"]`)?.remove();
  if (!words) return;
  const close = el("button", {type: "button", class: "button quiet icon-only small", "aria-label": gettext("Dismiss")}, icon("cross"));
  const element = el("div", {class: `notice ${tone}`, role: tone === "bad" ? "alert" : "status", "data-notice": id},
    icon(tone === "good" ? "check" : tone ? "warning" : "info"), el("p", {class: "grow"}, words), ...buttons, close);
  close.addEventListener("click", () => element.remove());
  shows.notices.append(element);
}

function button(words, act, tone = "quiet") {
  return el("button", {type: "button", class: `button small ${tone}`, onclick: act}, words);
}

// A task on the page

class Card {
  constructor(lease, number, count) {
    this.lease = lease;
    this.unclear = false;
    this.draft = new Draft({user: site.user, lease, extended: (until) => extended(lease.token, until)});
    this.host = el("div", {class: "task"});
    this.unclearButton = el("button", {type: "button", class: "button quiet small", "aria-pressed": "false", onclick: () => this.setUnclear(!this.unclear)},
      icon("help"), el("span", {}, gettext("Unclear")), count === 1 ? el("kbd", {"aria-hidden": "true", class: "wide-only"}, "U") : null);
    this.note = el("p", {class: "notice", role: "status"}, icon("help"), el("span", {}, gettext("Marked as unclear: you say that this task has no clear answer. What you entered is kept here, and not sent.")));
    this.note.hidden = true;
    this.more = el("p", {class: "errorlist", role: "alert"});
    this.more.hidden = true;
    this.element = el("article", {class: "task-card", tabindex: "-1", "aria-label": count > 1 ? interpolate(gettext("Task %s of %s"), [number, count]) : gettext("Task")},
      count > 1 ? el("h2", {class: "task-number"}, interpolate(gettext("Task %s of %s"), [number, count])) : null,
      this.repairNote(), this.host, this.note, this.more,
      el("div", {class: "task-foot"},
        this.unclearButton,
        button([icon("flag"), el("span", {}, gettext("Report a problem"))], () => this.report()),
        button([icon("arrow-right"), el("span", {}, gettext("Skip"))], () => this.skip())));
    this.element.addEventListener("focusin", () => setActive(this));
    this.element.addEventListener("pointerdown", () => setActive(this));
  }

  /** Before it is on the page: what was typed for it earlier. */
  async read() {
    this.kept = await this.draft.read();
    this.history = new History(this.kept.values);
    if (this.kept.other) {
      this.history.seed(this.kept.other);
      notice("other", "", gettext("You typed something else on another device. This is what you typed here; Undo shows the other."));
    }
  }

  /** On the page: from here on the person may type, also into the first tool while the others are still loading. */
  async mount() {
    this.view = mountTask(this.host, {
      interface: settings.interface,
      data: this.lease.data,
      values: this.kept.values,
      keys: RESERVED,
      changed: (typed, {field}) => this.changed(typed, field),
    });
    await this.view.ready;
    if (this.kept.unclear) this.setUnclear(true);
  }

  changed(typed, field) {
    const {type} = settings.interface.answer.find(({name}) => name === field);
    this.history.push(typed, {field, merges: TYPED.has(type)});
    this.touched = true;
    this.keep();
    setActive(this);
    drawTools();
  }

  keep() {
    if (!this.lease.typed) {
      this.lease.typed = true;
      desk.typed(this.lease.token).catch((error) => console.error(error));
    }
    this.draft.keep(this.view.typed, {unclear: this.unclear});
  }

  async step(values) {
    if (!values) return;
    await this.view.show(values);
    this.keep();
    drawTools();
  }

  setUnclear(on) {
    this.unclear = on;
    this.unclearButton.setAttribute("aria-pressed", String(on));
    this.view.setReadonly(on);
    this.note.hidden = !on;
    this.complain([]);
    this.keep();
    say(on ? gettext("Marked as unclear.") : gettext("No longer marked as unclear."));
    drawTools();
  }

  get complete() {
    return this.unclear || this.view.complete;
  }

  problems() {
    this.complain([]);
    return this.unclear ? [] : this.view.problems();
  }

  /** What the server found wrong. */
  complain(errors) {
    const others = this.view?.complain(errors) ?? [];
    this.more.textContent = others.join(" ");
    this.more.hidden = !others.length;
  }

  repairNote() {
    const {repair} = this.lease;
    if (!repair) return null;
    const reasons = {
      wrong: gettext("The answer looks wrong."), incomplete: gettext("Something is missing."),
      spam: gettext("The answer did not look like work."), off_instructions: gettext("It does not follow the instructions."),
    };
    return el("div", {class: "notice warn", "data-repair": repair.reason}, icon("repair"),
      el("div", {}, el("p", {}, el("strong", {}, gettext("Your answer came back for repair.")), " ", reasons[repair.reason] ?? repair.reason),
        repair.comment ? el("blockquote", {}, repair.comment) : null,
        el("p", {class: "soft"}, gettext("Your first answer is below. Change what is needed and submit it again: it counts as before."))));
  }

  async report() {
    const said = await reportSheet();
    if (said) await this.giveBack(said);
  }

  async skip() {
    if (this.touched) {
      const said = await ask(gettext("Give this task back?"), gettext("What you entered for it is dropped, and you will not see the task again. It costs you nothing."), [
        {value: "yes", words: gettext("Give it back")},
        {value: "", words: gettext("Keep it"), tone: "quiet"},
      ]);
      if (said !== "yes") return;
    }
    await this.giveBack({});
  }

  async giveBack(said) {
    this.draft.end();
    await desk.giveBack(this.lease, said);
    say(gettext("Given back."));
    await without(this);
  }

  async leave() {
    await this.draft.written();
    this.view?.destroy();
  }
}

// The page

function pageSize() {
  const wanted = Number(localStorage.getItem(storageKey(`page-${settings.batch}`)) ?? 1);
  return Math.max(1, Math.min(wanted || 1, settings.cap));
}

/** The next page, from what is in hand; where nothing is, ask and say so. */
async function next() {
  if (showing) return;
  showing = true;
  try {
    const found = await desk.take(desk.page);
    if (found.length) await show(found);
    else await wait();
  } finally {
    showing = false;
  }
}

async function show(leases) {
  const before = cards;
  for (const id of ["soon", "over", "other", "refused"]) notice(id);
  const fresh = leases.map((lease, at) => new Card(lease, at + 1, leases.length));
  await Promise.all([...before.map((card) => card.leave()), ...fresh.map((card) => card.read())]);
  cards = fresh;
  active = null;
  shows.tasks.replaceChildren(...cards.map(({element}) => element));
  shows.tasks.classList.toggle("several", cards.length > 1);
  shows.tasks.dataset.state = "task";
  shows.foot.hidden = false;
  await Promise.all(cards.map((card) => card.mount()));
  shows.tasks.setAttribute("aria-busy", "false");
  setActive(cards[0]);
  acts.submit.querySelector("span").textContent = cards.length > 1 ? interpolate(ngettext("Submit %s answer", "Submit all %s", cards.length), [cards.length]) : gettext("Submit");
  clock.watch(() => cards.map(({lease}) => lease), () => [...cards.map(({lease}) => lease), ...coming]);
  drawTools();
  if (!sheetOpen() && !document.activeElement?.closest("[data-show=instructions], .player-tools")) cards[0].view.focus();
  lookAhead();
}

/** Have the next page in hand, and its pictures. */
async function lookAhead() {
  const shown = new Set(cards.map(({lease}) => lease.token));
  coming = (await desk.take(2 * desk.page)).filter(({token}) => !shown.has(token));
  preload(settings.interface.data, coming);
}

/** Nothing is in hand: the server is asked, and what it says is shown. */
async function wait() {
  const before = cards;
  cards = [];
  active = null;
  await Promise.all(before.map((card) => card.leave()));
  clock.watch(() => [], () => []);
  shows.foot.hidden = true;
  drawTools();
  if (desk.waiting === 0 && !desk.problem) {
    screen("waiting");
    await desk.refill();
    const found = await desk.take(desk.page);
    if (found.length) return show(found);
  }
  return screen(desk.status !== "ok" ? desk.status : desk.waiting ? "sending" : desk.problem ? "ended" : "waiting");
}

/** After something has come: a page that waits goes on. */
async function goOn() {
  if (cards.length || showing || !started) return;
  await next();
}

const ENDS = {
  "nothing-to-claim": () => ({title: gettext("Nothing is left for you here"), text: gettext("Every task of this batch is done, or in the hands of others. Some may come back.")}),
  "limit-reached": () => ({title: gettext("You have done your share"), text: gettext("This batch gives one person only so many tasks, so that many people have a say.")}),
  "batch-not-open": () => ({title: gettext("This batch takes no work now"), text: gettext("It is paused or has ended. What you submitted counts.")}),
  "not-eligible": ({detail}) => ({title: gettext("This batch is not open to you"), text: detail}),
  sanctioned: ({detail}) => ({title: gettext("A limit closes this batch to you"), text: detail, to: settings.standing, words: gettext("See the reason, and what you can do")}),
  "slowed-down": ({detail}) => ({title: gettext("Take it a little slower"), text: detail, to: settings.standing, words: gettext("See the reason, and what you can do")}),
};

function screen(kind) {
  const pages = {
    waiting: () => ({picture: "clock", title: gettext("Looking for the next task…"), text: ""}),
    sending: () => ({picture: "clock", title: gettext("Your answers are on their way…"), text: ""}),
    busy: () => ({picture: "clock", title: gettext("The site is busy"), text: gettext("It is asked again in a moment. Your answers are kept.")}),
    offline: () => ({picture: "offline", title: gettext("There is no connection"), text: gettext("Your answers are kept on this device and sent as soon as it is back. The next task comes by itself.")}),
    "signed-out": () => ({picture: "lock", title: gettext("You are signed out"), text: gettext("Sign in again to go on. Your answers are kept on this device and sent then."), to: loginAddress(), words: gettext("Sign in")}),
    ended: () => {
      const end = ENDS[desk.problem.code];
      return {picture: "check", again: true, ...(end ? end(desk.problem) : {title: desk.problem.title ?? gettext("No task could be taken"), text: desk.problem.detail ?? ""})};
    },
  };
  const {picture, title, text, to, words, again} = pages[kind]();
  const when = kind === "ended" && (desk.problem.facts?.retry_at ?? desk.problem.retry_at ?? desk.problem.facts?.expires_at ?? desk.problem.expires_at);
  shows.tasks.replaceChildren(el("div", {class: "empty", role: "status"}, icon(picture), el("p", {class: "title"}, title),
    text ? el("p", {}, text) : null,
    desk.waiting ? el("p", {}, interpolate(ngettext("%s answer waits to be sent.", "%s answers wait to be sent.", desk.waiting), [desk.waiting])) : null,
    when ? el("p", {}, interpolate(gettext("It is open to you again from %s."), [new Date(when).toLocaleString(document.documentElement.lang)])) : null,
    session.answers ? el("p", {}, interpolate(ngettext("In this session you gave %s answer.", "In this session you gave %s answers.", session.answers), [session.answers])) : null,
    el("p", {class: "actions"},
      to ? el("a", {class: "button", href: to}, words) : null,
      again ? el("a", {class: `button ${to ? "quiet" : ""}`, href: settings.board}, gettext("See other batches")) : null,
      again ? button(gettext("Look again"), lookAgain) : null)));
  shows.tasks.dataset.state = kind;
  shows.tasks.setAttribute("aria-busy", String(kind === "waiting" || kind === "sending"));
}

async function lookAgain() {
  desk.problem = null;
  await next();
}

function loginAddress() {
  return `${settings.login}?next=${encodeURIComponent(location.pathname)}`;
}

/** A task has gone from the page: the others stay, the next page comes where none is left. */
async function without(card) {
  coming = coming.filter(({token}) => token !== card.lease.token);
  cards = cards.filter((one) => one !== card);
  if (cards.length) {
    await card.leave();
    card.element.remove();
    setActive(cards[0]);
    cards[0].view.focus();
    drawTools();
  } else {
    cards = [card];
    await next();
  }
}

async function submit() {
  if (submitting || showing || !cards.length) return;
  submitting = true;
  try {
    const wrong = cards.filter((card) => card.problems().length);
    if (wrong.length) {
      setActive(wrong[0]);
      wrong[0].view.focus();
      say(gettext("Something is missing or wrong; see the field."));
      return;
    }
    const answers = cards.map(({lease, view, unclear}) => ({lease, values: view.values, unclear, typed: view.typed}));
    for (const card of cards) card.draft.end();
    await Promise.all(cards.map((card) => card.draft.written()));
    await desk.submit(answers);
    say(ngettext("Answer kept. Next task.", "Answers kept. Next tasks.", answers.length));
    await next();
  } catch (error) {
    console.error(error);
    notice("kept", "bad", gettext("Your browser could not keep the answer, so it was not sent. Make room on this device, or leave private browsing, and submit again."));
  } finally {
    submitting = false;
  }
}

/** Enter: submit what is complete, otherwise on to what is missing. */
function enter() {
  if (showing) return;
  if (cards.length > 1 && active && !cards.every(({complete}) => complete)) {
    if (active.complete) {
      const open = cards.find(({complete}) => !complete);
      setActive(open);
      open.view.focus();
      open.element.scrollIntoView({block: "nearest"});
    } else {
      active.problems();
      active.view.focus();
    }
    return;
  }
  submit();
}

/** The server did not take a page as it was: it comes back with what is wrong. */
async function comeBack(entry, problem) {
  const back = await desk.byTokens(entry.tokens);
  if (!back.length) return;
  while (showing) await new Promise((resolve) => setTimeout(resolve, 20));
  showing = true;
  try {
    await show(back);
    const tokens = back.map(({token}) => token);
    entry.tokens.forEach((token, item) => {
      const errors = (problem.errors ?? []).filter((error) => (error.item ?? 0) === item);
      if (errors.length) cards[tokens.indexOf(token)]?.complain(errors.map(({field, message}) => ({field, message: sentence(message)})));
    });
    notice("refused", "bad", gettext("This answer was not taken as it is. Please look at what is marked, and submit it again. Nothing else is lost."));
    (cards.find(({element}) => element.querySelector("[data-problem]")) ?? cards[0]).view.focus();
  } finally {
    showing = false;
  }
}

function sentence(text) {
  const words = text.trim();
  return `${words.charAt(0).toUpperCase()}${words.slice(1)}${/[.!?]$/.test(words) ? "" : "."}`;
}

// What the page shows around tasks

function setActive(card) {
  if (active === card) return;
  active?.element.classList.remove("active");
  active = card;
  active?.element.classList.add("active");
  drawTools();
}

function drawTools() {
  acts.undo.disabled = !active?.history?.canUndo || active.unclear;
  acts.redo.disabled = !active?.history?.canRedo || active.unclear;
}

function drawSession() {
  const answers = interpolate(ngettext("%s answer", "%s answers", session.answers), [session.answers]);
  shows.session.textContent = session.answers ? `${answers} · ${money(session.micros, settings.currency)}` : answers;
  shows.session.title = gettext("Paid when the requester accepts them, or by itself when the time for that is over.");
}

function drawNet() {
  const {waiting, status} = desk;
  const count = waiting ? interpolate(ngettext("%s answer waits to be sent.", "%s answers wait to be sent.", waiting), [waiting]) : "";
  const words = {
    ok: count && gettext("Sending…"),
    busy: `${gettext("The site is busy; it is asked again in a moment.")} ${count}`,
    offline: `${gettext("No connection. All you do is kept on this device.")} ${count}`,
    "signed-out": `${gettext("You are signed out. All you do is kept on this device.")} ${count}`,
  }[status];
  if (shows.net.textContent !== words) shows.net.textContent = words;
  root.dataset.status = status;
  root.dataset.waiting = waiting;
  if (status === "signed-out") notice("signed-out", "bad", gettext("You are signed out. Sign in again to go on; nothing is lost."), el("a", {class: "button small", href: loginAddress()}, gettext("Sign in")));
  else notice("signed-out");
}

function drawTime({left, final}) {
  shows.time.classList.toggle("bad", left !== null && left <= 60);
  if (left === null) shows.time.textContent = "–";
  else if (left <= 0) shows.time.textContent = gettext("over");
  else shows.time.textContent = left >= 3_600 ? interpolate(gettext("%s h %s min"), [Math.floor(left / 3_600), Math.floor((left % 3_600) / 60)]) : `${Math.floor(left / 60)}:${String(left % 60).padStart(2, "0")}`;
  shows.time.title = final ? gettext("This cannot be prolonged any more.") : gettext("It is prolonged by itself while you work.");
}

function extended(token, until) {
  for (const lease of [...cards.map((card) => card.lease), ...coming]) if (lease.token === token && until > lease.until) lease.until = until;
  desk.extended(token, until).catch((error) => console.error(error));
}

// Keys

function toolKeys() {
  if (!active?.view || active.unclear) return [];
  return active.view.keys;
}

function toolAction(name) {
  const found = toolKeys().filter(({key}) => key === name);
  return (found.find(({element}) => element.contains(document.activeElement)) ?? found[0])?.run;
}

const pageActions = {
  Enter: () => enter(),
  "mod+Enter": () => submit(),
  "mod+z": () => active?.step(active.history.undo()),
  "mod+shift+z": () => active?.step(active.history.redo()),
  "mod+y": () => active?.step(active.history.redo()),
  "?": () => keySheet(),
  i: () => labelSheet(settings.interface.answer),
  u: () => active?.setUnclear(!active.unclear),
};

function keySheet() {
  return shortcutSheet([
    {title: gettext("This task"), keys: toolKeys().map(({key, label, title}) => ({key, label: settings.interface.answer.length > 1 ? `${title}: ${label}` : label}))},
    {title: gettext("Always"), keys: [
      {key: "Enter", label: gettext("Submit, or on to what is missing")},
      {key: "mod+Enter", label: gettext("Submit, from within a text too")},
      {key: "mod+z", label: gettext("Undo")},
      {key: "mod+shift+z", label: gettext("Redo")},
      {key: "u", label: gettext("Mark as unclear")},
      {key: "i", label: gettext("What the labels mean")},
      {key: "?", label: gettext("These keys")},
    ]},
  ]);
}

hotkeys(document, new Proxy({}, {
  get(_, name) {
    if (sheetOpen() || !cards.length) return undefined;
    const run = toolAction(name);
    if (run) return () => void run();
    return pageActions[name] && (() => void pageActions[name]());
  },
}));

// In a field of one line, Enter is as anywhere else; in a longer text it begins a line.
shows.tasks.addEventListener("keydown", (event) => {
  if (event.key !== "Enter" || event.defaultPrevented || event.isComposing || event.ctrlKey || event.metaKey || event.shiftKey) return;
  if (!event.target.matches("input.text-input, input.number-input")) return;
  event.preventDefault();
  enter();
});

// What the buttons do

acts.undo.addEventListener("click", pageActions["mod+z"]);
acts.redo.addEventListener("click", pageActions["mod+shift+z"]);
acts.labels.addEventListener("click", pageActions.i);
acts.keys.addEventListener("click", keySheet);
acts.submit.addEventListener("click", submit);
acts.stop.addEventListener("click", (event) => {
  if (event.ctrlKey || event.metaKey || event.shiftKey) return;
  event.preventDefault();
  stop(acts.stop.href);
});

async function stop(address) {
  await Promise.all(cards.map((card) => card.draft.written()));
  const held = [...cards.map(({lease}) => lease), ...coming];
  if (!held.length) {
    location.assign(address);
    return;
  }
  const until = new Date(Math.min(...held.map((lease) => lease.until)) - desk.ahead).toLocaleTimeString(document.documentElement.lang, {hour: "2-digit", minute: "2-digit"});
  const said = await ask(gettext("Stop working?"), [
    interpolate(ngettext("You hold %s task of this batch.", "You hold %s tasks of this batch.", held.length), [held.length]),
    interpolate(gettext("Keep them, and go on until %s, here or on another device; what you entered is saved. Or give them back, so that others can do them."), [until]),
  ], [
    {value: "keep", words: gettext("Keep them and go")},
    {value: "back", words: gettext("Give them back"), tone: "quiet"},
    {value: "", words: gettext("Go on working"), tone: "quiet"},
  ]);
  if (!said) return;
  if (said === "back") {
    for (const card of cards) card.draft.end();
    desk.leave();
    // Who comes back by the browser's history begins anew.
    addEventListener("pageshow", () => location.reload(), {once: true});
    for (const lease of held) await desk.giveBack(lease);
    await desk.pump();
    // What an answer still on its way brought along.
    for (const lease of await desk.take(desk.cap)) await desk.giveBack(lease);
    await desk.pump();
  } else {
    await Promise.all(cards.map((card) => card.draft.save()));
  }
  location.assign(address);
}

function drawSizes() {
  const sizes = SIZES.filter((size) => size <= settings.cap);
  acts.size.replaceChildren(...sizes.map((size) => el("option", {value: String(size), selected: size === desk.page}, interpolate(ngettext("%s task", "%s tasks", size), [size]))));
  acts.size.closest("label").hidden = sizes.length < 2;
}

acts.size.addEventListener("change", async () => {
  desk.page = Number(acts.size.value);
  localStorage.setItem(storageKey(`page-${settings.batch}`), String(desk.page));
  await Promise.all(cards.map((card) => card.draft.written()));
  await desk.refill();
  await next();
});

const readKey = storageKey(`read-${settings.batch}`);
if (shows.instructions) {
  shows.instructions.open = localStorage.getItem(readKey) !== String(settings.version);
  acts.read.addEventListener("click", () => {
    localStorage.setItem(readKey, String(settings.version));
    shows.instructions.open = false;
    (cards[0]?.view ?? {focus() {}}).focus();
  });
}

// What happens by itself

desk.addEventListener("change", () => {
  drawNet();
  goOn();
});
desk.addEventListener("sent", ({detail: {entry, outcomes, lost, problem}}) => {
  if (entry.tab !== desk.tab || entry.batch !== settings.batch) return;
  if (problem) {
    if (problem.status === 422 && entry.kind === "answers") comeBack(entry, problem);
    else notice("failed", "bad", interpolate(gettext("An answer could not be sent: %s What you entered is kept on this device."), [sentence(problem.detail ?? problem.title ?? "")]));
    return;
  }
  entry.assignments.forEach((assignment, at) => {
    if (outcomes.some((one) => one.assignment === assignment && one.outcome === "submitted")) {
      session.answers += 1;
      session.micros += entry.worth[at];
    }
  });
  sessionStorage.setItem(storageKey("session"), JSON.stringify(session));
  drawSession();
  if (lost) notice("lost", "warn", ngettext("For one task the time was over, and somebody else has it now. What you entered is kept as a draft, in case it comes back to you.", "For some tasks the time was over, and others have them now. What you entered is kept as drafts, in case they come back to you.", lost));
  if (entry.kind === "return") desk.refill().then(lookAhead);
  else if (!coming.length) lookAhead();
});
clock.addEventListener("tick", ({detail}) => drawTime(detail));
clock.addEventListener("beat", ({detail: {token, until}}) => {
  if (until) {
    for (const lease of [...cards.map((card) => card.lease), ...coming]) if (lease.token === token) lease.until = until;
    notice("soon");
    notice("over");
  }
});
clock.addEventListener("soon", ({detail: {left}}) => {
  notice("soon", "warn", interpolate(ngettext("%s second is left for this task.", "%s seconds are left for this task.", left), [left]) + (clock.final ? ` ${gettext("It cannot be prolonged any more.")}` : ` ${gettext("Go on, and it is prolonged.")}`));
});
clock.addEventListener("over", () => {
  notice("soon");
  notice("over", "warn", gettext("The time for this task is over. What you entered is kept: submit it, and it counts if nobody has taken the place."),
    button(gettext("Take another task"), async () => {
      const tokens = cards.map(({lease}) => lease.token);
      await desk.drop(tokens);
      await next();
    }));
});
document.addEventListener("visibilitychange", () => {
  if (document.hidden) for (const card of cards) card.draft.save({keepalive: true});
  else if (desk.status !== "ok") desk.pump().then(goOn);
});
addEventListener("pagehide", () => {
  for (const card of cards) card.draft.save({keepalive: true});
});

let started = false;

async function start() {
  desk.page = pageSize();
  drawSizes();
  drawSession();
  await desk.open();
  // Both are asked at once: what is held, with reasons for repairs and drafts of other devices, and what comes next.
  await Promise.all([desk.look(), desk.refill()]);
  started = true;
  await next();
  desk.pump();
}

start().catch((error) => {
  console.error(error);
  shows.tasks.setAttribute("aria-busy", "false");
  shows.tasks.replaceChildren(el("p", {class: "notice bad", role: "alert"}, icon("warning"), el("span", {}, gettext("The player could not start. Your browser may be too old, or keeps no data in private windows."))));
});
