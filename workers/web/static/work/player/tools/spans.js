/** Mark stretches of a text and the relations between them: the tool of the answer type `spans`. */
import {el} from "../../../pages/dom.js";
import {gettext, interpolate, ngettext} from "../../../pages/i18n.js";
import {dressed, labelBar} from "../marking/labels.js";
import {byPlace, inTheWay, layered} from "../marking/layers.js";
import {nothingBox} from "../marking/nothing.js";
import {Reading} from "../marking/reading.js";
import {useSheet} from "../marking/sheet.js";
import {drawArcs} from "../spans/arcs.js";
import {spanList} from "../spans/list.js";
import {Pane} from "../spans/pane.js";

const QUOTE = 60;
const SNAP_KEY = "touchstone-spans-words";

/** Mount the tool: see `mountTask`. */
export async function mount(host, options) {
  await useSheet(new URL("../marking.css", import.meta.url).href);
  return new SpansTool(host, options);
}

class SpansTool {
  #host;
  #field;
  #changed;
  #readonly;
  #reading;
  #pane;
  #labels;
  #kinds;
  #spans = [];
  #relations = [];
  #nothing = false;
  #anchor = 0;
  #head = 0;
  #column = null;
  #draft = null;
  #picked = null;
  #brush = null;
  #joining = null;
  #words = true;
  #pressed = false;
  #ending = new AbortController();
  #parts = {};

  constructor(host, {field, data, value, readonly, changed, key}) {
    this.#host = host;
    this.#field = field;
    this.#changed = changed;
    this.#readonly = readonly;
    this.#labels = dressed(field.labels, key);
    this.#kinds = dressed(field.relations ?? [], key);
    this.#words = storedFlag(SNAP_KEY, true);
    this.#reading = new Reading(data[field.of] ?? "");
    this.#build();
    this.#listen();
    this.show(value);
  }

  get shows() {
    return [this.#field.of];
  }

  get keys() {
    if (this.#readonly) return [];
    const pressing = (all, run) => all.filter((one) => one.key).map((one) => ({key: one.key, label: one.title, run: () => run(one)}));
    return [...pressing(this.#labels, (label) => this.#press(label)), ...pressing(this.#kinds, (kind) => this.#join(kind))];
  }

  show(value) {
    const units = (point) => this.#reading.toUnits(point);
    this.#spans = (value?.spans ?? []).map((one, at) =>
      ({id: String(one.id ?? at + 1), label: one.label, start: units(one.start), end: units(one.end)}));
    this.#relations = (value?.relations ?? []).map((one) => ({...one}));
    this.#nothing = Boolean(value) && !this.#spans.length;
    if (!this.#span(this.#picked)) this.#picked = null;
    this.#joining = null;
    this.#draft = null;
    this.#draw();
  }

  problem() {
    const missing = this.#field.min - this.#spans.length;
    if (this.#spans.length && missing > 0) {
      return interpolate(ngettext("Mark at least %s more stretch of the text.", "Mark at least %s more stretches of the text.", missing), [missing]);
    }
    return null;
  }

  focus() {
    this.#pane.element.focus();
  }

  setReadonly(readonly) {
    this.#readonly = readonly;
    this.#draw();
  }

  destroy() {
    this.#ending.abort();
    this.#pane.tint(null);
    this.#host.replaceChildren();
  }

  // What people do

  /** A label was pressed: it marks what is selected, renames what is picked, or else waits for the next selection. */
  #press(label) {
    if (this.#readonly) return;
    if (this.#draft) this.#mark(this.#draft, label);
    else if (this.#picked !== null) this.#change(this.#picked, {label: label.value});
    else {
      this.#brush = this.#brush === label.value ? null : label.value;
      this.#say(this.#brush === null
        ? gettext("Selected text waits for its label again.")
        : interpolate(gettext("Whatever you select now becomes %s, until you press it again."), [label.title]));
      this.#draw();
    }
  }

  #mark(stretch, label) {
    const span = {id: this.#freeId(), label: label.value, ...stretch};
    const same = this.#spans.find((one) => one.start === span.start && one.end === span.end);
    if (same && (!this.#field.overlap || same.label === span.label)) {
      this.#change(same.id, {label: label.value});
      return;
    }
    if (this.#spans.length >= this.#field.max) {
      this.#say(interpolate(gettext("No more than %s stretches can be marked here."), [this.#field.max]), true);
      return;
    }
    if (this.#refused(span)) return;
    this.#spans.push(span);
    this.#picked = null;
    this.#forget(stretch.end);
    this.#say(interpolate(gettext("Marked “%(text)s” as %(label)s."), {text: this.#quote(span), label: label.title}));
    this.#done();
  }

  #change(id, difference) {
    const span = this.#span(id);
    const wanted = {...span, ...difference};
    if (wanted.start >= wanted.end) return;
    if (this.#refused(wanted, span)) return;
    const broken = this.#relations.some((one) => {
      const kind = this.#kinds.find((other) => other.value === one.label);
      return (one.from === id && !allows(kind, "from", wanted)) || (one.to === id && !allows(kind, "to", wanted));
    });
    if (broken) {
      this.#say(gettext("It is part of a relation that this label cannot have. Delete the relation first."), true);
      return;
    }
    Object.assign(span, difference);
    this.#picked = id;
    this.#forget(span.end);
    this.#say(interpolate(gettext("“%(text)s” is %(label)s."), {text: this.#quote(span), label: this.#title(span.label)}));
    this.#done();
  }

  #refused(wanted, self = null) {
    const other = inTheWay(wanted, this.#spans.filter((one) => one !== self), this.#field.overlap);
    if (!other) return false;
    this.#say(interpolate(this.#field.overlap
      ? gettext("That would overlap “%(text)s”, which is %(label)s too.")
      : gettext("That would overlap “%(text)s” (%(label)s). Marked stretches cannot overlap here."),
    {text: this.#quote(other), label: this.#title(other.label)}), true);
    return true;
  }

  #remove(id) {
    const span = this.#span(id);
    if (!span || this.#readonly) return;
    const joined = this.#relations.filter((one) => one.from === id || one.to === id).length;
    this.#spans = this.#spans.filter((one) => one !== span);
    this.#relations = this.#relations.filter((one) => one.from !== id && one.to !== id);
    this.#picked = null;
    this.#say(joined
      ? interpolate(ngettext("Removed “%(text)s” and its relation.", "Removed “%(text)s” and its %(count)s relations.", joined), {text: this.#quote(span), count: joined}, true)
      : interpolate(gettext("Removed “%s”."), [this.#quote(span)]));
    this.#done();
  }

  #pick(id) {
    if (this.#joining) {
      this.#joinTo(id);
      return;
    }
    this.#picked = id;
    this.#brush = null;
    this.#draft = null;
    const span = this.#span(id);
    if (span) this.#say(interpolate(gettext("“%(text)s”, %(label)s. A label changes it; Delete removes it."), {text: this.#quote(span), label: this.#title(span.label)}));
    this.#draw();
  }

  #nudge(end, step) {
    const span = this.#span(this.#picked);
    if (!span || this.#readonly) return;
    const at = this.#reading.stepped(span[end], end, step, this.#words);
    if (end === "start" ? at < span.end : at > span.start) this.#change(span.id, {[end]: at});
  }

  /** A kind of relation was pressed: the next two spans picked are its ends. */
  #join(kind) {
    if (this.#readonly) return;
    if (this.#joining?.kind === kind) {
      this.#joining = null;
      this.#say(gettext("No relation is being made."));
      this.#draw();
      return;
    }
    this.#joining = {kind, from: null};
    this.#draft = null;
    const span = this.#span(this.#picked);
    if (span && allows(kind, "from", span)) this.#joinTo(span.id);
    else {
      this.#say(interpolate(gettext("%s: pick the marked text that it goes from."), [kind.title]));
      this.#draw();
    }
  }

  #joinTo(id) {
    const {kind, from} = this.#joining;
    const span = this.#span(id);
    const end = from === null ? "from" : "to";
    if (!allows(kind, end, span)) {
      this.#say(interpolate(end === "from" ? gettext("%(kind)s cannot go from %(label)s. Pick another.") : gettext("%(kind)s cannot go to %(label)s. Pick another."),
        {kind: kind.title, label: this.#title(span.label)}), true);
      return;
    }
    if (from === null) {
      this.#joining = {kind, from: id};
      this.#picked = id;
      this.#say(interpolate(gettext("From “%(text)s”: now pick the marked text that it goes to."), {text: this.#quote(span)}));
      this.#draw();
      return;
    }
    if (from === id) {
      this.#say(gettext("A relation needs two different stretches. Pick another."), true);
      return;
    }
    const one = {label: kind.value, from, to: id};
    this.#joining = null;
    if (this.#relations.some((other) => other.label === one.label && other.from === from && other.to === id)) {
      this.#say(gettext("This relation is there already."), true);
      this.#draw();
      return;
    }
    this.#relations.push(one);
    this.#say(interpolate(gettext("“%(from)s” %(kind)s “%(to)s”."), {from: this.#quote(this.#span(from)), kind: kind.title, to: this.#quote(span)}));
    this.#done();
  }

  #part(relation) {
    if (this.#readonly) return;
    this.#relations = this.#relations.filter((one) => one !== relation);
    this.#say(gettext("Removed the relation."));
    this.#done();
  }

  #cancel() {
    if (!this.#draft && this.#picked === null && !this.#joining && this.#brush === null) return false;
    if (this.#joining) this.#joining = null;
    else if (this.#draft) this.#forget(this.#head);
    else if (this.#picked !== null) this.#picked = null;
    else this.#brush = null;
    this.#say("");
    this.#draw();
    return true;
  }

  #done() {
    this.#nothing = false;
    this.#draw();
    this.#changed(this.#value());
  }

  #value() {
    if (!this.#spans.length) return this.#nothing ? {spans: [], relations: []} : undefined;
    const spans = [...this.#spans].sort(byPlace(this.#field.labels));
    const points = (unit) => this.#reading.toPoints(unit);
    return {
      spans: spans.map(({id, label, start, end}) => ({id, label, start: points(start), end: points(end)})),
      relations: this.#relations.map((one) => ({...one})),
    };
  }

  // The selection

  #select(anchor, head) {
    this.#anchor = anchor;
    this.#head = head;
    getSelection().setBaseAndExtent(...this.#pane.placeOf(anchor), ...this.#pane.placeOf(head));
    this.#selected();
    this.#pane.reveal(head);
  }

  /** Read what the browser has selected. */
  #follow() {
    const selection = getSelection();
    if (!selection.anchorNode || !this.#pane.sheet.contains(selection.anchorNode)) return;
    const anchor = this.#pane.offsetOf(selection.anchorNode, selection.anchorOffset);
    const head = this.#pane.element.contains(selection.focusNode)
      ? this.#pane.offsetOf(selection.focusNode, selection.focusOffset) : this.#head;
    if (anchor === null || head === null || (anchor === this.#anchor && head === this.#head)) return;
    this.#anchor = anchor;
    this.#head = head;
    this.#selected();
  }

  #selected() {
    const draft = this.#readonly || this.#anchor === this.#head ? null : this.#reading.snapped(this.#anchor, this.#head, this.#words);
    const had = this.#draft;
    this.#draft = draft;
    if (draft) {
      this.#picked = null;
      this.#joining = null;
      this.#say(interpolate(gettext("Selected “%s”. Choose a label."), [this.#quote(draft)]));
    } else if (had) this.#say("");
    this.#draw();
  }

  #forget(unit) {
    this.#draft = null;
    this.#anchor = unit;
    this.#head = unit;
  }

  /** Whether the browser's selection is in the text. */
  #selecting() {
    const {anchorNode, focusNode} = getSelection();
    return anchorNode !== null && this.#pane.sheet.contains(anchorNode) && this.#pane.sheet.contains(focusNode);
  }

  /** Put the browser's selection where ours is: drawing a line anew moves it. */
  #restore() {
    const {anchorNode, anchorOffset, focusNode, focusOffset} = getSelection();
    if (this.#pane.offsetOf(anchorNode, anchorOffset) === this.#anchor && this.#pane.offsetOf(focusNode, focusOffset) === this.#head) return;
    getSelection().setBaseAndExtent(...this.#pane.placeOf(this.#anchor), ...this.#pane.placeOf(this.#head));
  }

  #brushed() {
    const label = this.#labels.length === 1 ? this.#labels[0] : this.#labels.find((one) => one.value === this.#brush);
    if (this.#draft && label) this.#mark(this.#draft, label);
  }

  #listen() {
    const {signal} = this.#ending;
    const pane = this.#pane.element;
    document.addEventListener("selectionchange", () => this.#follow(), {signal});
    pane.addEventListener("pointerdown", (event) => {
      this.#pressed = event.pointerType !== "touch";
      if (event.target.matches(".spans-knob")) this.#drag(event);
    });
    document.addEventListener("pointerup", () => {
      if (!this.#pressed) return;
      this.#pressed = false;
      this.#follow();
      // A double click selects its word only after this.
      setTimeout(() => !this.#pressed && this.#brush !== null && this.#brushed());
    }, {signal});
    pane.addEventListener("click", (event) => this.#clicked(event));
    pane.addEventListener("keydown", (event) => {
      if (this.#key(event)) event.preventDefault();
    });
    for (const name of ["focus", "blur"]) pane.addEventListener(name, () => this.#caret());
    this.#host.addEventListener("keydown", (event) => {
      if (event.key === "Escape" && !event.defaultPrevented && this.#cancel()) event.preventDefault();
    });
    const sizes = new ResizeObserver(() => this.#overlays());
    sizes.observe(this.#pane.sheet);
    signal.addEventListener("abort", () => sizes.disconnect());
  }

  #clicked(event) {
    if (event.target.matches(".spans-knob")) return;
    this.#follow();
    if (!getSelection().isCollapsed && this.#draft) return;
    const marked = event.target.closest("[data-spans]");
    if (marked) {
      const here = marked.dataset.spans.split(" ").map((id) => this.#span(id)).sort((one, other) => one.end - one.start - (other.end - other.start));
      // Clicking again goes on to the span around it.
      const at = here.findIndex((one) => one.id === this.#picked);
      this.#pick(here[(at + 1) % here.length].id);
      return;
    }
    const word = event.pointerType === "touch" && !this.#readonly ? this.#reading.wordAt(this.#pane.offsetAt(event.clientX, event.clientY) ?? -1) : null;
    this.#picked = null;
    if (word && !this.#joining) {
      this.#draft = word;
      this.#say(interpolate(gettext("Selected “%s”. Drag its ends, or choose a label."), [this.#quote(word)]));
      this.#brushed();
    } else if (this.#draft) {
      this.#draft = null;
      this.#say("");
    }
    this.#draw();
  }

  #key(event) {
    const {key, shiftKey, altKey} = event;
    const word = event.ctrlKey || event.metaKey;
    const step = {ArrowLeft: -1, ArrowRight: 1}[key] * (this.#pane.runsLeft(this.#head) ? -1 : 1);
    if (altKey && step && this.#picked !== null) {
      this.#nudge(shiftKey ? "start" : "end", step);
      return true;
    }
    if (altKey) return false;
    let to = null;
    const line = this.#reading.lines[this.#reading.lineAt(this.#head)];
    if (step) to = this.#reading.moved(this.#head, word ? "word" : "character", step);
    else if (key === "ArrowUp" || key === "ArrowDown") {
      const down = key === "ArrowDown" ? 1 : -1;
      to = word ? this.#reading.moved(this.#head, "sentence", down) : this.#beside(down);
    } else if (key === "Home") to = word ? 0 : line.start;
    else if (key === "End") to = word ? this.#reading.text.length : line.end;
    else if (key === "a" && word) {
      this.#select(0, this.#reading.text.length);
      return true;
    } else if (key === "Enter" && !word) return this.#enter();
    else if (key === "Delete" || key === "Backspace") {
      if (this.#picked === null) return false;
      this.#remove(this.#picked);
      return true;
    }
    if (to === null) return false;
    if (key !== "ArrowUp" && key !== "ArrowDown") this.#column = null;
    if (!shiftKey && !this.#joining) this.#picked = null;
    this.#select(shiftKey ? this.#anchor : to, to);
    return true;
  }

  /** Enter picks the span at the caret, the next one around it when pressed again; with a brush it marks. What is
   * selected is never sent without its label. */
  #enter() {
    if (this.#draft) {
      if (this.#brush !== null || this.#labels.length === 1) this.#brushed();
      else this.#say(gettext("Choose a label for what is selected, or press Escape."), true);
      return true;
    }
    const here = this.#spans.filter((one) => one.start <= this.#head && this.#head <= one.end)
      .sort((one, other) => one.end - one.start - (other.end - other.start));
    if (!here.length) return false;
    this.#pick(here[(here.findIndex((one) => one.id === this.#picked) + 1) % here.length].id);
    return true;
  }

  /** The place one line of the page above or below the caret. */
  #beside(down) {
    const {left, top, height} = this.#pane.spot(this.#head);
    this.#pane.reveal(this.#head);
    const sheet = this.#pane.sheet.getBoundingClientRect();
    this.#column ??= left;
    for (const far of [1, 1.5, 2, 2.5]) {
      const at = this.#pane.offsetAt(sheet.left + this.#column + 1, sheet.top + top + height / 2 + down * height * far);
      if (at !== null && (down > 0 ? at > this.#head : at < this.#head)) return at;
    }
    return down > 0 ? this.#reading.text.length : 0;
  }

  /** Drag an end of what is picked or selected. */
  #drag(event) {
    event.preventDefault();
    const knob = event.target;
    const span = this.#span(this.#picked);
    const before = span ? {...span} : this.#draft;
    const end = knob.dataset.end;
    if (!before || this.#readonly) return;
    knob.setPointerCapture(event.pointerId);
    const box = knob.getBoundingClientRect();
    // The finger is below the line that it means.
    const rise = box.top - event.clientY - this.#pane.spot(before[end], end === "end").height / 2;
    let now = before;
    const move = (moved) => {
      const at = this.#pane.offsetAt(moved.clientX, moved.clientY + rise);
      if (at === null) return;
      const other = end === "start" ? before.end : before.start;
      const stretch = (end === "start" ? at < other : at > other) ? this.#reading.snapped(other, at, this.#words) : null;
      if (!stretch) return;
      now = {...before, [end]: stretch[end]};
      if (span) Object.assign(span, now);
      else this.#draft = now;
      this.#draw();
    };
    const leave = (stopped) => {
      knob.removeEventListener("pointermove", move);
      if (!span) {
        this.#say(interpolate(gettext("Selected “%s”. Choose a label."), [this.#quote(now)]));
        return;
      }
      Object.assign(span, before);
      if (stopped.type === "pointerup" && now[end] !== before[end]) this.#change(span.id, {[end]: now[end]});
      this.#draw();
    };
    knob.addEventListener("pointermove", move);
    knob.addEventListener("pointerup", leave, {once: true});
    knob.addEventListener("pointercancel", leave, {once: true});
  }

  // What is seen

  #build() {
    this.#pane = new Pane(this.#reading, interpolate(gettext("%s: text to mark. Arrow keys move, Shift selects, a label's key marks."), [this.#field.title]));
    const labels = labelBar({labels: this.#labels, name: gettext("Labels"), press: (label) => this.#press(label)});
    const kinds = this.#kinds.length ? labelBar({labels: this.#kinds, name: gettext("Relations"), press: (kind) => this.#join(kind)}) : null;
    kinds?.element.classList.add("relations");
    const status = el("p", {class: "mark-say", role: "status"});
    const words = el("input", {type: "checkbox"});
    words.checked = this.#words;
    words.addEventListener("change", () => {
      this.#words = words.checked;
      storeFlag(SNAP_KEY, this.#words);
      if (this.#anchor !== this.#head) this.#selected();
    });
    const list = spanList({pick: (id) => this.#pick(id), nudge: (end, step) => this.#nudge(end, step), remove: (id) => this.#remove(id),
      part: (relation) => this.#part(relation)});
    const nothing = this.#field.min === 0 ? nothingBox(gettext("There is nothing to mark in this text"), (on) => {
      this.#nothing = on;
      this.#changed(this.#value());
    }) : null;
    const bar = el("div", {class: "mark-bar"}, status, labels.element, kinds?.element);
    const option = el("label", {class: "mark-option"}, words, " ", gettext("Whole words"));
    const beside = el("div", {class: "mark-beside"}, option, list.element, nothing?.element);
    const element = el("div", {class: "mark-tool spans"}, el("div", {class: "mark-main"}, this.#pane.element, bar), beside);
    this.#parts = {labels, kinds, status, list, nothing, bar, option};
    this.#host.replaceChildren(element);
  }

  #draw() {
    const layers = layered(this.#spans);
    const dress = new Map(this.#labels.map((label) => [label.value, label]));
    const shown = this.#spans.map((span, at) => ({...span, layer: layers[at], colour: dress.get(span.label)?.colour ?? "var(--line)",
      tag: this.#title(span.label), text: this.#quote(span), picked: span.id === this.#picked}));
    const selecting = this.#selecting();
    this.#pane.draw(shown);
    if (selecting) this.#restore();
    const {labels, kinds, list, nothing, bar, option} = this.#parts;
    labels.show(this.#brush ?? this.#span(this.#picked)?.label ?? null, this.#readonly);
    kinds?.show(this.#joining?.kind.value ?? null, this.#readonly);
    const names = new Map(this.#kinds.map((kind) => [kind.value, kind.title]));
    list.show(shown.sort((one, other) => one.start - other.start || one.end - other.end),
      this.#relations.map((one) => ({relation: one, title: names.get(one.label) ?? one.label, from: one.from, to: one.to})), this.#readonly);
    nothing?.show({on: this.#nothing, possible: !this.#spans.length && !this.#readonly, readonly: this.#readonly});
    bar.hidden = this.#readonly;
    option.hidden = this.#readonly;
    this.#overlays();
  }

  #overlays() {
    const picked = this.#span(this.#picked);
    this.#pane.tint(this.#draft);
    this.#pane.showKnobs(this.#readonly ? null : picked ?? this.#draft);
    this.#caret();
    const names = new Map(this.#kinds.map((kind) => [kind.value, kind]));
    drawArcs(this.#pane, this.#relations.map((one) => ({
      from: this.#span(one.from), to: this.#span(one.to), title: names.get(one.label)?.title ?? one.label,
      colour: names.get(one.label)?.colour, picked: [one.from, one.to].includes(this.#picked),
    })), {waiting: this.#joining?.from ?? null});
  }

  #caret() {
    this.#pane.showCaret(document.activeElement === this.#pane.element ? this.#head : null);
  }

  #say(text, warn = false) {
    this.#parts.status.textContent = text;
    this.#parts.status.classList.toggle("warn", warn);
  }

  #span(id) {
    return this.#spans.find((one) => one.id === id) ?? null;
  }

  #title(label) {
    return this.#labels.find((one) => one.value === label)?.title ?? label;
  }

  #quote({start, end}) {
    const text = this.#reading.text.slice(start, Math.min(end, start + 4 * QUOTE)).replace(/\s+/g, " ");
    const points = [...text];
    return points.length > QUOTE ? `${points.slice(0, QUOTE - 20).join("")} … ${[...this.#reading.text.slice(Math.max(start, end - 20), end)].join("")}` : text;
  }

  #freeId() {
    return String(this.#spans.reduce((most, one) => Math.max(most, Number(one.id) || 0), 0) + 1);
  }
}

function allows(kind, end, span) {
  return !kind?.[end] || kind[end].includes(span.label);
}

function storedFlag(key, otherwise) {
  try {
    const stored = localStorage.getItem(key);
    return stored === null ? otherwise : stored === "yes";
  } catch {
    return otherwise;
  }
}

function storeFlag(key, on) {
  try {
    localStorage.setItem(key, on ? "yes" : "no");
  } catch {
    // A browser that stores nothing only forgets the choice.
  }
}
