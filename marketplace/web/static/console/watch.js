/**
 * A batch while one looks at it. The socket's topic says how it stands, and the numbers of the page move to that. What
 * looks at answers is worked out by the server, so it is asked for again, a little later and not too often.
 */
import {askTicket, LiveSocket} from "../pages/live.js";
import {page} from "../pages/api.js";
import {duration} from "../pages/format.js";
import {gettext, interpolate} from "../pages/i18n.js";

// What the server is still working out, and what has changed since: asked for again after so long.
const PENDING_MS = 4_000;
const CHANGED_MS = 6_000;
// Whoever only looks on says so once in a while, so that figures are kept up.
const LOOKS_ON_MS = 120_000;
const RUNNING = ["published", "paused"];
const PARTS = ["head", "notices", "cash", "figures"];

const watch = document.getElementById("watch");
const told = () => document.getElementById("live");
let later = 0;
let dueAt = Infinity;
let asking = false;
let spoken = {words: "", on: false};
let known = null;

/** Put the page's own parts in again as the server has them now; what is folded out, and the focus, stay. */
async function renew() {
  later = 0;
  dueAt = Infinity;
  if (asking || document.hidden) return soon(CHANGED_MS);
  asking = true;
  try {
    const answer = await fetch(location.href, {credentials: "same-origin"});
    if (!answer.ok || answer.redirected) return;
    const fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
    for (const id of PARTS) replace(document.getElementById(id), fresh.getElementById(id));
    say(spoken.words, spoken.on);
  } catch (error) {
    console.warn("the figures could not be fetched", error);
  } finally {
    asking = false;
    soon("pending" in document.getElementById("figures").dataset ? PENDING_MS : LOOKS_ON_MS);
  }
}

function replace(host, fresh) {
  if (!host || !fresh) return;
  const open = [...host.querySelectorAll("details[id][open]")].map(({id}) => id);
  const focused = host.contains(document.activeElement) ? pathTo(host, document.activeElement) : null;
  host.replaceWith(fresh);
  for (const id of open) fresh.querySelector(`#${CSS.escape(id)}`)?.setAttribute("open", "");
  if (focused) at(fresh, focused)?.focus({preventScroll: true});
}

/** Where an element stands, so that its like is found in markup that was written anew. */
function pathTo(host, element) {
  const path = [];
  for (let one = element; one !== host; one = one.parentElement) path.unshift([...one.parentElement.children].indexOf(one));
  return path;
}

function at(host, path) {
  return path.reduce((one, place) => one?.children[place], host);
}

/** Ask again after so long, unless that is to be done sooner. */
function soon(ms) {
  const then = performance.now() + ms;
  if (later && dueAt <= then) return;
  clearTimeout(later);
  dueAt = then;
  later = setTimeout(renew, ms);
}

function heard({detail: {state}}) {
  const {progress} = state;
  const answered = progress.submitted + progress.accepted;
  for (const name of ["submitted", "accepted", "rejected", "leased", "returned", "quarantined", "places"]) put(name, String(progress[name]));
  put("answered", String(answered));
  const meter = watch.querySelector("[data-figure=meter] meter");
  meter.max = progress.places || 1;
  meter.value = answered;
  for (const name of ["places_left", "places_closed", "workers_active", "workers_waiting"]) put(name, String(state[name]));
  const digits = Number.isInteger(state.answers_per_minute) ? 0 : 2;
  put("answers_per_minute", new Intl.NumberFormat(document.documentElement.lang, {minimumFractionDigits: digits, maximumFractionDigits: digits}).format(state.answers_per_minute));
  watch.querySelector("[data-closed]").hidden = state.places_closed === 0;
  const none = RUNNING.includes(state.state) ? gettext("All taken") : gettext("Closed");
  put("forecast", state.places_left === 0 ? none : duration(state.forecast_s));
  put("forecast_range", range(state));
  document.querySelector("[data-forecast]").hidden = state.places_left === 0;
  if (state.state !== document.getElementById("head").dataset.state) soon(0);
  else if (known && differs(known, progress)) soon(CHANGED_MS);
  known = progress;
}

/** Leases come and go without an answer. */
function differs(one, other) {
  return ["submitted", "accepted", "rejected", "returned", "quarantined"].some((name) => one[name] !== other[name]);
}

function range({forecast_low_s: low, forecast_high_s: high, places_left: left}) {
  if (low === null || left === 0) return "";
  const words = high === null ? gettext("by chance %(low)s or more") : gettext("by chance %(low)s to %(high)s");
  return ` · ${interpolate(words, {low: duration(low), high: duration(high)})}`;
}

function put(name, text) {
  const node = watch.querySelector(`[data-figure=${name}]`);
  if (!node || node.textContent.trim() === text.trim()) return;
  node.textContent = text;
  node.classList.remove("changed");
  requestAnimationFrame(() => node.classList.add("changed"));
}

function say(words, on) {
  spoken = {words, on};
  const node = told();
  node.hidden = words === "";
  node.classList.toggle("on", on);
  if (node.textContent !== words) node.textContent = words;
}

const live = new LiveSocket(`${page.live}/ws/requester/`, {ticket: () => askTicket("/api/v1/tickets", "requester", {csrf: page.csrf})});
live.addEventListener("topic", heard);
live.addEventListener("status", ({detail}) => {
  if (detail === "live") say(gettext("Live"), true);
  else if (detail === "waiting") say(gettext("Connecting again …"), false);
  else if (detail === "refused") say(gettext("Not live: load the page again to see what is new"), false);
});
live.subscribe(`batch:${watch.dataset.batch}`);
live.start();
soon("pending" in document.getElementById("figures").dataset ? PENDING_MS : LOOKS_ON_MS);
