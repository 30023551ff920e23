/** Write down what is said in a sound or film, with or without times: the tool of the answer type `transcription`. */
import {el, icon} from "../../../pages/dom.js";
import {gettext, interpolate, ngettext} from "../../../pages/i18n.js";
import {nothingBox} from "../marking/nothing.js";
import {keyedRows} from "../marking/rows.js";
import {useSheet} from "../marking/sheet.js";
import {openDeck} from "../sound/deck.js";
import {timeField} from "../sound/fields.js";
import {Timeline} from "../sound/timeline.js";
import {clock, plain} from "../sound/times.js";

// What was just said is heard again after a pause, as with a foot pedal.
const REWIND = 2;
const JUMP = 2;
const COUNTED_FROM = 0.8;
const DIRECTIONS = ["auto", "ltr", "rtl"];
let tools = 0;

/** Mount the tool: see `mountTask`. */
export async function mount(host, options) {
  await useSheet(new URL("../marking.css", import.meta.url).href);
  return new TranscriptionTool(host, options);
}

class TranscriptionTool {
  #host;
  #field;
  #changed;
  #readonly;
  #deck;
  #timeline = null;
  #rows = [];
  #nothing = false;
  #picked = null;
  #opened = null;
  #direction = "auto";
  #count = 0;
  #number = (tools += 1);
  #parts = {};

  constructor(host, {field, data, value, readonly, changed, interface: asks}) {
    this.#host = host;
    this.#field = field;
    this.#changed = changed;
    this.#readonly = readonly;
    const url = data[field.of] ?? "";
    const kind = asks?.data.find((one) => one.name === field.of)?.type ?? "audio";
    this.#deck = openDeck({url, kind, name: field.title});
    this.#timeline = new Timeline({
      deck: this.#deck,
      url,
      name: interpolate(gettext("%s: time. Arrow keys move the playhead."), [field.title]),
      marked: (start, end) => field.timestamps && this.#add({start, end}),
      pick: (id) => this.#pick(id),
      moved: (id, difference) => this.#change(id, difference),
    });
    this.#build();
    this.#deck.addEventListener("time", () => {
      if (this.#opened !== null) this.#draw();
    });
    this.show(value);
  }

  get shows() {
    return [this.#field.of];
  }

  get keys() {
    if (this.#readonly) return [];
    const timed = [
      {key: "[", label: gettext("Someone begins to speak"), run: () => this.#begin()},
      {key: "]", label: gettext("Ends here: write what was said"), run: () => this.#end()},
    ];
    return [
      {key: " ", label: gettext("Play or pause"), run: () => this.#deck.toggle(REWIND)},
      ...(this.#field.timestamps ? timed : []),
    ];
  }

  show(value) {
    // Drafts hold what is typed as it stands; what the keyboard is in keeps its place.
    const wanted = this.#field.timestamps ? value ?? [] : [{text: value?.[0]?.text ?? ""}];
    this.#nothing = Array.isArray(value) && !value.length;
    this.#opened = null;
    this.#rows.length = Math.min(this.#rows.length, wanted.length);
    wanted.forEach((one, at) => {
      this.#rows[at] ??= {id: String((this.#count += 1))};
      Object.assign(this.#rows[at], one);
    });
    this.#draw();
  }

  problem() {
    for (const [at, {text}] of this.#rows.entries()) {
      const over = lengthOf(text) - this.#field.max_length;
      if (over > 0) {
        return this.#field.timestamps
          ? interpolate(ngettext("Stretch %(number)s is %(count)s character too long.", "Stretch %(number)s is %(count)s characters too long.", over), {number: at + 1, count: over})
          : interpolate(ngettext("This is %s character too long.", "This is %s characters too long.", over), [over]);
      }
      if (this.#field.timestamps && !text.trim()) return interpolate(gettext("Stretch %s has no text. Write what is said, or delete it."), [at + 1]);
    }
    return null;
  }

  focus() {
    if (this.#field.timestamps && !this.#rows.length) this.#timeline.focus();
    else this.#parts.list.querySelector("textarea")?.focus();
  }

  setReadonly(readonly) {
    this.#readonly = readonly;
    this.#draw();
  }

  destroy() {
    this.#timeline?.destroy();
    this.#deck.destroy();
    this.#host.replaceChildren();
  }

  // What people do

  #begin() {
    if (this.#readonly || !this.#deck.length) return;
    this.#opened = this.#deck.time;
    this.#say(interpolate(gettext("From %s. Press ] where they stop speaking."), [clock(this.#opened)]));
    this.#draw();
  }

  #end() {
    if (this.#readonly || !this.#deck.length) return;
    const last = this.#rows.filter((row) => row.end <= this.#deck.time).at(-1);
    this.#add({start: this.#opened ?? last?.end ?? 0, end: this.#deck.time});
  }

  /** A stretch of speech, cut where it runs into others; its text is typed at once. */
  #add({start, end}) {
    this.#opened = null;
    const fitted = this.#fitted({start, end}, null);
    if (!fitted) {
      this.#draw();
      return;
    }
    if (this.#rows.length >= this.#field.max) {
      this.#say(interpolate(gettext("No more than %s stretches can be written here."), [this.#field.max]), true);
      return;
    }
    const row = {id: String((this.#count += 1)), text: "", ...fitted};
    this.#rows.push(row);
    this.#rows.sort((one, other) => one.start - other.start);
    this.#picked = row.id;
    this.#say("");
    this.#done();
    this.#textOf(row.id)?.focus();
  }

  #change(id, difference) {
    const row = this.#row(id);
    if (!row || this.#readonly) return;
    const fitted = this.#fitted({start: row.start, end: row.end, ...difference}, row);
    if (fitted) {
      Object.assign(row, fitted);
      this.#rows.sort((one, other) => one.start - other.start);
      this.#say("");
      this.#done();
    } else this.#draw();
  }

  #fitted({start, end}, self) {
    const limit = Math.min(this.#field.duration ?? Infinity, this.#deck.length || Infinity);
    const fitted = {start: plain(Math.max(0, start)), end: plain(Math.min(end, limit))};
    for (const other of this.#rows) {
      if (other === self || other.end <= fitted.start || fitted.end <= other.start) continue;
      if (other.start <= fitted.start) fitted.start = other.end;
      else fitted.end = other.start;
    }
    if (fitted.start < fitted.end) return fitted;
    this.#say(end > start
      ? gettext("This time has its text already. Change that, or its start and end.")
      : gettext("It must end after it starts. Move the playhead on first."), true);
    return null;
  }

  #remove(id) {
    const at = this.#rows.findIndex((row) => row.id === id);
    if (at < 0 || this.#readonly) return;
    this.#rows.splice(at, 1);
    this.#say(gettext("Removed the stretch."));
    this.#done();
    const next = this.#rows[Math.min(at, this.#rows.length - 1)];
    if (next) this.#textOf(next.id).focus();
    else this.#timeline.focus();
  }

  #pick(id) {
    this.#picked = id;
    const row = this.#row(id);
    if (!this.#deck.playing) this.#deck.seek(row.start);
    this.#draw();
    this.#textOf(id)?.focus();
  }

  #loop(row) {
    this.#picked = row.id;
    const same = this.#deck.loop?.start === row.start;
    this.#deck.repeat(same ? null : {start: row.start, end: row.end});
    if (same) this.#deck.pause();
    this.#draw();
  }

  #typed(row, text) {
    row.text = text;
    this.#counted(row);
    this.#nothing = false;
    this.#showNothing();
    this.#changed(this.#value());
  }

  #done() {
    this.#nothing = false;
    this.#draw();
    this.#changed(this.#value());
  }

  #value() {
    const {timestamps} = this.#field;
    const rows = timestamps ? this.#rows : this.#rows.filter(({text}) => text.trim());
    if (!rows.length) return this.#nothing ? [] : undefined;
    return rows.map(({start, end, text}) => (timestamps ? {start, end, text} : {text}));
  }

  /** Keys of the player while typing: what a foot pedal does. */
  #pedal(event) {
    const {key, code, ctrlKey, altKey, shiftKey} = event;
    if (ctrlKey && !altKey && code === "Space") this.#deck.toggle(REWIND);
    else if ((ctrlKey && !altKey && code === "Comma") || (altKey && !ctrlKey && !shiftKey && key === "ArrowLeft")) this.#deck.step(-JUMP);
    else if ((ctrlKey && !altKey && code === "Period") || (altKey && !ctrlKey && !shiftKey && key === "ArrowRight")) this.#deck.step(JUMP);
    else if (altKey && key === "Enter" && this.#field.timestamps) this.#next();
    else return false;
    return true;
  }

  /** The stretch in hand ends at the playhead where that is later, and the next begins there. */
  #next() {
    const row = this.#rows.find((one) => this.#textOf(one.id) === document.activeElement);
    const at = this.#deck.time;
    if (this.#readonly) return;
    if (row && at > row.start && at < row.end) this.#change(row.id, {end: at});
    const start = row ? Math.max(row.end, Math.min(at, row.end)) : at;
    const following = this.#rows.find((one) => one.start >= start && one !== row);
    const end = Math.min(following?.start ?? this.#deck.length, this.#field.duration ?? Infinity);
    this.#add({start, end});
  }

  // What is seen

  #build() {
    const {timestamps} = this.#field;
    const status = el("p", {class: "mark-say", role: "status"});
    const rows = el("ol", {class: timestamps ? "speech-rows" : "speech-rows single"});
    const directions = {auto: gettext("Direction by the text"), ltr: gettext("Left to right"), rtl: gettext("Right to left")};
    const direction = el("select", {class: "deck-speed", "aria-label": gettext("Direction of the text")},
      DIRECTIONS.map((one) => el("option", {value: one}, directions[one])));
    direction.addEventListener("change", () => {
      this.#direction = direction.value;
      for (const area of rows.querySelectorAll("textarea")) area.dir = this.#direction;
    });
    const nothing = nothingBox(gettext("Nothing is said in this recording"), (on) => {
      this.#nothing = on;
      this.#changed(this.#value());
    });
    const edges = timestamps ? [["[", gettext("Begins here"), () => this.#begin()], ["]", gettext("Ends here"), () => this.#end()]].map(([key, label, press]) => {
      const button = el("button", {type: "button", class: "button quiet small deck-button"}, label, " ", el("kbd", {"aria-hidden": "true"}, key));
      button.addEventListener("click", press);
      return button;
    }) : [];
    const hint = el("p", {class: "helptext speech-hint", id: `speech-${this.#number}`},
      hintParts(timestamps ? gettext("While typing: %s play or pause (goes back 2 s), %s and %s 2 s back and on, %s next stretch.") : gettext("While typing: %s play or pause (goes back 2 s), %s and %s 2 s back and on."),
        ["Ctrl Space", "Alt ←", "Alt →", "Alt ↵"]));
    this.#deck.controls.append(direction, ...edges);
    const element = el("div", {class: "mark-tool speech"}, this.#deck.element, this.#timeline.element, status, rows, hint, nothing.element);
    element.addEventListener("keydown", (event) => {
      if (!event.isComposing && this.#pedal(event)) {
        event.preventDefault();
        event.stopPropagation();
      }
    });
    this.#parts = {status, list: rows, rows: keyedRows(rows, (row) => this.#rowOf(row)), nothing, edges};
    this.#host.replaceChildren(element);
  }

  #draw() {
    const {rows, edges} = this.#parts;
    const {timestamps} = this.#field;
    rows.show(this.#rows);
    if (timestamps) {
      const open = this.#opened === null ? null : {start: Math.min(this.#opened, this.#deck.time), end: Math.max(this.#opened, this.#deck.time)};
      this.#timeline.show(this.#rows.map((row, at) => ({...row, colour: `var(--label-${(at % 2) + 1})`, tag: row.text.trim() || `${at + 1}`, picked: row.id === this.#picked})), open, this.#readonly);
    } else this.#timeline.show([], null, true);
    for (const button of edges) button.hidden = this.#readonly;
    this.#showNothing();
  }

  #rowOf(row) {
    const {timestamps, title} = this.#field;
    const area = el("textarea", {class: "speech-text", dir: this.#direction, rows: timestamps ? 2 : 8, "aria-describedby": `speech-${this.#number}`, spellcheck: "true"});
    area.addEventListener("input", () => this.#typed(row, area.value));
    area.addEventListener("focus", () => {
      if (!timestamps || this.#picked === row.id) return;
      this.#picked = row.id;
      this.#draw();
    });
    const head = timestamps ? this.#headOf(row) : null;
    const element = el("li", {class: "speech-row", "data-id": row.id}, head?.element, area, el("span", {class: "helptext speech-count"}));
    return {
      element,
      show: (_, at) => {
        if (area.value !== row.text) area.value = row.text;
        area.readOnly = this.#readonly;
        area.setAttribute("aria-label", timestamps ? interpolate(gettext("What is said, stretch %s"), [at + 1]) : title);
        element.classList.toggle("picked", timestamps && row.id === this.#picked);
        head?.show(at);
        this.#counted(row, element);
      },
    };
  }

  /** What stands over a text that has times: made once for its row, so that what has the focus keeps it. */
  #headOf(row) {
    const ends = ["start", "end"].map((end) => [end, timeField({key: end, set: (time) => this.#change(row.id, {[end]: time})})]);
    const number = el("b", {class: "speech-number"});
    const loop = el("button", {type: "button", class: "button small quiet", title: gettext("Loop")}, icon("refresh"));
    loop.addEventListener("click", () => this.#loop(row));
    const gone = el("button", {type: "button", class: "button small quiet", title: gettext("Delete")}, icon("trash"));
    gone.addEventListener("click", () => this.#remove(row.id));
    const [[, start], [, end]] = ends;
    return {
      element: el("div", {class: "speech-head"}, number, start.element, el("span", {"aria-hidden": "true"}, "–"), end.element, loop, gone),
      show: (at) => {
        number.textContent = String(at + 1);
        for (const [name, field] of ends) {
          field.show(row[name], this.#readonly);
          field.element.setAttribute("aria-label", interpolate(name === "start" ? gettext("Start of stretch %s") : gettext("End of stretch %s"), [at + 1]));
        }
        loop.setAttribute("aria-label", interpolate(gettext("Loop stretch %s"), [at + 1]));
        loop.setAttribute("aria-pressed", String(this.#deck.loop?.start === row.start));
        gone.setAttribute("aria-label", interpolate(gettext("Delete stretch %s"), [at + 1]));
        gone.hidden = this.#readonly;
      },
    };
  }

  #counted(row, element = this.#element(row.id)) {
    const counter = element.querySelector(".speech-count");
    const length = lengthOf(row.text);
    const left = this.#field.max_length - length;
    const near = length >= this.#field.max_length * COUNTED_FROM;
    counter.classList.toggle("bad", left < 0);
    counter.textContent = !near
      ? interpolate(ngettext("%s word", "%s words", words(row.text)), [words(row.text)])
      : left >= 0
        ? interpolate(ngettext("%s character left", "%s characters left", left), [left])
        : interpolate(ngettext("%s character too many", "%s characters too many", -left), [-left]);
    if (near) counter.setAttribute("aria-live", "polite");
    else counter.removeAttribute("aria-live");
  }

  #showNothing() {
    const written = this.#rows.some(({text, end}) => text.trim() || end !== undefined);
    this.#parts.nothing.show({on: this.#nothing, possible: !written && !this.#readonly, readonly: this.#readonly});
  }

  #say(text, warn = false) {
    this.#parts.status.textContent = text;
    this.#parts.status.classList.toggle("warn", warn);
  }

  #row(id) {
    return this.#rows.find((row) => row.id === id) ?? null;
  }

  #element(id) {
    return this.#parts.list.querySelector(`[data-id="${id}"]`);
  }

  #textOf(id) {
    return this.#element(id)?.querySelector("textarea") ?? null;
  }
}

/** In code points, without white space around it, as the server counts. */
function lengthOf(text) {
  return [...text.replaceAll("\r\n", "\n").trim()].length;
}

function words(text) {
  return text.trim() ? text.trim().split(/\s+/u).length : 0;
}

function hintParts(text, keys) {
  const left = [...keys];
  return text.split("%s").flatMap((part, at) => (at ? [el("kbd", {}, left.shift()), part] : [part]));
}
