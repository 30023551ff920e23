/**
 * The board while one looks at it: filters that act as they are typed, figures that move by themselves, keys.
 *
 * The server writes every card. The socket's topic `board` only says which figures moved, and that batches came or went;
 * then this page asks for its list again, a little later than others do.
 */
import {askTicket, LiveSocket} from "../pages/live.js";
import {page} from "../pages/api.js";
import {gettext} from "../pages/i18n.js";
import {hotkeys} from "../pages/keys.js";
import {moveFigures} from "./figures.js";
import {mend} from "./mend.js";

const TYPED_MS = 250;
// After others changed the board: everybody who looks on hears of it at once, and must not ask at once.
const NEWS_MS = [300, 1_500];
// What decides where a batch stands and to whom it is open; a change of these is more than a figure.
const SHAPE = ["name", "price_micros", "time_limit_s", "version", "needs"];

const form = document.getElementById("wishes");
const part = document.getElementById("part");
const told = document.getElementById("live");
let asking = null;
let later = 0;
let before = null;

/** Ask for the list of an address again and put in what is new. */
async function show(address, {news = false} = {}) {
  clearTimeout(later);
  asking?.abort();
  const mine = (asking = new AbortController());
  part.setAttribute("aria-busy", "true");
  try {
    const answer = await fetch(address, {headers: {"HX-Request": "true"}, signal: mine.signal, credentials: "same-origin"});
    // Signed out, or an error page: the whole page says it best, unless nobody asked for anything.
    if (!answer.ok || answer.redirected) return news ? undefined : location.assign(address);
    mend(part, new DOMParser().parseFromString(await answer.text(), "text/html").body, {fresh: news});
    offer();
  } catch (error) {
    if (error.name !== "AbortError" && !news) say(gettext("No connection: this list may be old"), false);
  } finally {
    if (asking === mine) part.removeAttribute("aria-busy");
  }
}

/** What there is to choose from comes with the list: a new kind of work can be asked for at once. */
function offer() {
  for (const now of document.getElementById("choices")?.content.querySelectorAll("select") ?? []) {
    const there = form.elements[now.name];
    const chosen = there.value;
    if ([...there.options].map(({value}) => value).join() === [...now.options].map(({value}) => value).join()) continue;
    there.replaceChildren(...[...now.options].map((option) => option.cloneNode(true)));
    there.value = chosen;
  }
}

/** The address that the form asks for: without what is empty, and from the first page. */
function wished() {
  const query = new URLSearchParams([...new FormData(form)].filter(([, value]) => value !== ""));
  if (query.get("sort") === form.elements.sort.options[0].value) query.delete("sort");
  const text = query.toString();
  return text ? `${form.action}?${text}` : form.action;
}

function wish() {
  const address = wished();
  history.replaceState(null, "", address);
  count();
  show(address);
}

/** How many filters are set is told also while they are folded away. */
function count() {
  const set = [...form.querySelectorAll(".wishes-more :is(input, select)")].filter((field) => (field.type === "checkbox" ? field.checked : field.value !== "")).length;
  const badge = document.getElementById("narrowed");
  badge.textContent = String(set);
  badge.hidden = set === 0;
}

function soon() {
  clearTimeout(later);
  const [least, most] = NEWS_MS;
  later = setTimeout(() => show(location.href, {news: true}), least + Math.random() * (most - least));
}

function heard({detail: {topic, state}}) {
  if (topic !== "board") return;
  const known = before;
  before = state;
  for (const card of part.querySelectorAll("[data-batch]")) {
    const batch = state[card.dataset.batch];
    if (batch) moveFigures(card, batch, Number(card.parentElement.dataset.scale));
  }
  const had = known ?? Object.fromEntries([...part.querySelectorAll("[data-batch]")].map((card) => [card.dataset.batch, null]));
  const moved = Object.keys(state).some((id) => !(id in had) || (known && differs(known[id], state[id])));
  // A first state is compared with a page that may show a part only; what is gone is seen in either case.
  if (known ? moved || Object.keys(known).some((id) => !(id in state)) : Object.keys(had).some((id) => !(id in state)) || (moved && location.search === "" && !part.querySelector(".pager"))) soon();
}

function differs(one, other) {
  // With the last place that goes, and the first that comes, a batch changes its place in the list.
  return SHAPE.some((name) => one[name] !== other[name]) || (one.places_left === 0) !== (other.places_left === 0);
}

function say(words, on) {
  told.hidden = false;
  told.classList.toggle("on", on);
  if (told.textContent !== words) told.textContent = words;
}

function walk(by) {
  const links = [...part.querySelectorAll("a.whole")];
  const at = links.indexOf(document.activeElement);
  const to = links[at < 0 ? (by > 0 ? 0 : links.length - 1) : at + by];
  to?.focus();
  to?.closest("li").scrollIntoView({block: "nearest"});
}

form.classList.add("instant");
let typed = 0;
form.addEventListener("input", ({target}) => {
  clearTimeout(typed);
  const types = target.matches("input[type=search], input[type=number]");
  typed = setTimeout(wish, types ? TYPED_MS : 0);
});
form.addEventListener("submit", (event) => {
  event.preventDefault();
  clearTimeout(typed);
  wish();
});
part.addEventListener("click", (event) => {
  const link = event.target.closest(".pager a");
  if (!link || event.metaKey || event.ctrlKey || event.shiftKey) return;
  event.preventDefault();
  history.pushState(null, "", link.href);
  show(link.href).then(() => part.querySelector("a.whole")?.focus());
});
addEventListener("popstate", () => location.reload());
hotkeys(document, {
  "/": () => form.elements.q.focus(),
  j: () => walk(1),
  k: () => walk(-1),
  Escape: () => (document.activeElement === form.elements.q ? form.elements.q.blur() : false),
});

const live = new LiveSocket(`${page.live}/ws/worker/`, {ticket: () => askTicket("/api/v1/tickets", "worker", {csrf: page.csrf})});
live.addEventListener("topic", heard);
live.addEventListener("fact", soon);
live.addEventListener("status", ({detail}) => {
  if (detail === "live") say(gettext("Live"), true);
  else if (detail === "waiting") say(gettext("Connecting again …"), false);
  else if (detail === "refused") say(gettext("Not live: load the page again to see what is new"), false);
});
live.subscribe("board");
live.start();
