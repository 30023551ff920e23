/** Mark stretches of a sound or film by labels: the tool of the answer type `segments`. */
import {el} from "../../../pages/dom.js";
import {gettext, interpolate, ngettext} from "../../../pages/i18n.js";
import {dressed, labelBar} from "../marking/labels.js";
import {byPlace, inTheWay} from "../marking/layers.js";
import {nothingBox} from "../marking/nothing.js";
import {useSheet} from "../marking/sheet.js";
import {openDeck} from "../sound/deck.js";
import {segmentList} from "../sound/list.js";
import {Timeline} from "../sound/timeline.js";
import {clock, plain} from "../sound/times.js";

const SHORTEST = 0.001;

/** Mount the tool: see `mountTask`. */
export async function mount(host, options) {
  await useSheet(new URL("../marking.css", import.meta.url).href);
  return new SegmentsTool(host, options);
}

class SegmentsTool {
  #host;
  #field;
  #changed;
  #readonly;
  #labels;
  #deck;
  #timeline;
  #segments = [];
  #nothing = false;
  #draft = null;
  #opened = null;
  #picked = null;
  #brush = null;
  #count = 0;
  #parts = {};

  constructor(host, {field, data, value, readonly, changed, key, interface: asks}) {
    this.#host = host;
    this.#field = field;
    this.#changed = changed;
    this.#readonly = readonly;
    this.#labels = dressed(field.labels, key);
    const kind = asks?.data.find((one) => one.name === field.of)?.type ?? "audio";
    this.#deck = openDeck({url: data[field.of] ?? "", kind, name: field.title});
    this.#timeline = new Timeline({
      deck: this.#deck,
      url: data[field.of] ?? "",
      name: interpolate(gettext("%s: time. Arrow keys move the playhead, [ and ] mark where something starts and ends."), [field.title]),
      marked: (start, end) => this.#drawn(start, end),
      pick: (id) => this.#pick(id),
      moved: (id, difference) => this.#change(id, difference),
    });
    this.#build();
    this.#deck.addEventListener("time", () => {
      if (this.#opened !== null) this.#draw();
    });
    this.#deck.addEventListener("state", () => this.#drawLoop());
    this.show(value);
  }

  get shows() {
    return [this.#field.of];
  }

  get keys() {
    if (this.#readonly) return [];
    return [
      {key: " ", label: gettext("Play or pause"), run: () => this.#deck.toggle()},
      {key: "[", label: gettext("Starts here"), run: () => this.#edge("start")},
      {key: "]", label: gettext("Ends here"), run: () => this.#edge("end")},
      {key: ",", label: gettext("Back 1 s, in a film one picture"), run: () => this.#small(-1)},
      {key: ".", label: gettext("On 1 s, in a film one picture"), run: () => this.#small(1)},
      ...this.#labels.filter((label) => label.key).map((label) => ({key: label.key, label: label.title, run: () => this.#press(label)})),
    ];
  }

  show(value) {
    const kept = this.#segment(this.#picked);
    this.#segments = (value ?? []).map((one) => ({...one, id: String((this.#count += 1))}));
    this.#picked = this.#segments.find((one) => kept && one.label === kept.label && one.start === kept.start && one.end === kept.end)?.id ?? null;
    this.#nothing = Array.isArray(value) && !value.length;
    this.#draft = null;
    this.#opened = null;
    this.#draw();
  }

  problem() {
    const missing = this.#field.min - this.#segments.length;
    if (this.#segments.length && missing > 0) return interpolate(ngettext("Mark at least %s more stretch.", "Mark at least %s more stretches.", missing), [missing]);
    return null;
  }

  focus() {
    this.#timeline.focus();
  }

  setReadonly(readonly) {
    this.#readonly = readonly;
    this.#draw();
  }

  destroy() {
    this.#timeline.destroy();
    this.#deck.destroy();
    this.#host.replaceChildren();
  }

  // What people do

  /** A label was pressed: it names what was just marked, renames what is picked, or waits for the next stretch. */
  #press(label) {
    if (this.#readonly) return;
    if (this.#opened !== null && !this.#draft) this.#edge("end", label);
    else if (this.#draft) this.#mark(this.#draft, label);
    else if (this.#picked !== null) this.#change(this.#picked, {label: label.value});
    else {
      this.#brush = this.#brush === label.value ? null : label.value;
      this.#say(this.#brush === null
        ? gettext("What you mark waits for its label again.")
        : interpolate(gettext("Whatever you mark now becomes %s, until you press it again."), [label.title]));
      this.#draw();
    }
  }

  /** The playhead is where something starts or ends. */
  #edge(end, label = null) {
    if (this.#readonly || !this.#deck.length) return;
    const at = this.#deck.time;
    if (this.#picked !== null) {
      this.#change(this.#picked, {[end]: at});
      return;
    }
    if (end === "start") {
      this.#opened = at;
      this.#draft = null;
      this.#say(interpolate(gettext("Starts at %s. Go on to where it ends and press ]."), [clock(at)]));
      this.#draw();
      return;
    }
    const start = this.#opened ?? this.#draft?.start ?? 0;
    if (at <= start) {
      this.#say(gettext("It must end after it starts. Move the playhead on first."), true);
      return;
    }
    this.#opened = null;
    if (label) this.#mark({start, end: at}, label);
    else this.#drawn(start, at);
  }

  /** A stretch was drawn: it gets the label that is in force, or waits for one. */
  #drawn(start, end) {
    this.#opened = null;
    this.#picked = null;
    this.#draft = {start, end};
    const label = this.#labels.length === 1 ? this.#labels[0] : this.#labels.find((one) => one.value === this.#brush);
    if (label) this.#mark(this.#draft, label);
    else {
      this.#say(interpolate(gettext("%(start)s to %(end)s: choose a label."), {start: clock(start), end: clock(end)}));
      this.#draw();
    }
  }

  #mark(stretch, label) {
    if (this.#segments.length >= this.#field.max) {
      this.#say(interpolate(gettext("No more than %s stretches can be marked here."), [this.#field.max]), true);
      return;
    }
    const segment = this.#fitted({...stretch, label: label.value}, null);
    if (!segment) return;
    segment.id = String((this.#count += 1));
    this.#segments.push(segment);
    this.#draft = null;
    this.#picked = null;
    this.#say(interpolate(gettext("%(label)s from %(start)s to %(end)s."), {label: label.title, start: clock(segment.start), end: clock(segment.end)}));
    this.#done();
  }

  #change(id, difference) {
    const segment = this.#segment(id);
    if (!segment || this.#readonly) return;
    const fitted = this.#fitted({...segment, ...difference}, segment);
    this.#picked = id;
    if (!fitted) {
      this.#draw();
      return;
    }
    Object.assign(segment, fitted);
    this.#say(interpolate(gettext("%(label)s from %(start)s to %(end)s."), {label: this.#title(segment.label), start: clock(segment.start), end: clock(segment.end)}));
    this.#done();
  }

  /** The segment as it may stand beside the others: cut where it runs into another. Null, and said why, where it cannot
   * be. */
  #fitted(wanted, self) {
    const {overlap, min_duration: shortest} = this.#field;
    const others = this.#segments.filter((one) => one !== self);
    const fitted = {...wanted, start: plain(Math.max(0, wanted.start)), end: plain(Math.min(wanted.end, this.#limit()))};
    for (let other = inTheWay(fitted, others, overlap); other; other = inTheWay(fitted, others, overlap)) {
      const inside = other.start <= fitted.start && fitted.end <= other.end;
      const around = fitted.start < other.start && other.end < fitted.end;
      if (inside || around || fitted.end <= fitted.start) {
        this.#say(interpolate(overlap
          ? gettext("%(label)s is marked from %(start)s to %(end)s already.")
          : gettext("Stretches cannot overlap here: %(label)s is from %(start)s to %(end)s."),
        {label: this.#title(other.label), start: clock(other.start), end: clock(other.end)}), true);
        return null;
      }
      if (other.start <= fitted.start) fitted.start = other.end;
      else fitted.end = other.start;
    }
    if (plain(fitted.end - fitted.start) < Math.max(SHORTEST, shortest)) {
      this.#say(shortest
        ? interpolate(gettext("It must last at least %s seconds."), [shortest])
        : gettext("It must end after it starts."), true);
      return null;
    }
    return fitted;
  }

  #remove(id) {
    const segment = this.#segment(id);
    if (!segment || this.#readonly) return;
    this.#segments = this.#segments.filter((one) => one !== segment);
    if (this.#deck.loop) this.#deck.repeat(null);
    this.#picked = null;
    this.#say(interpolate(gettext("Removed %(label)s from %(start)s to %(end)s."), {label: this.#title(segment.label), start: clock(segment.start), end: clock(segment.end)}));
    this.#done();
  }

  #pick(id) {
    this.#picked = this.#picked === id ? null : id;
    this.#draft = null;
    this.#opened = null;
    this.#brush = null;
    const segment = this.#segment(this.#picked);
    if (segment) {
      if (!this.#deck.playing) this.#deck.seek(segment.start);
      this.#timeline.reveal(segment);
    }
    this.#draw();
  }

  #loop(id) {
    const segment = this.#segment(id);
    this.#deck.repeat(this.#deck.loop || !segment ? null : {start: segment.start, end: segment.end});
    if (!this.#deck.loop) this.#deck.pause();
  }

  #small(direction) {
    if (this.#deck.kind === "video") this.#deck.stepFrame(direction);
    else this.#deck.step(direction);
  }

  #cancel() {
    if (this.#deck.loop) this.#deck.repeat(null);
    if (this.#opened === null && !this.#draft && this.#picked === null && this.#brush === null) return false;
    if (this.#opened !== null || this.#draft) this.#opened = this.#draft = null;
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
    if (!this.#segments.length) return this.#nothing ? [] : undefined;
    return this.#sorted().map(({label, start, end}) => ({label, start, end}));
  }

  #sorted() {
    return [...this.#segments].sort(byPlace(this.#field.labels));
  }

  #limit() {
    return Math.min(this.#field.duration ?? Infinity, this.#deck.length || Infinity);
  }

  // What is seen

  #build() {
    const labels = labelBar({labels: this.#labels, name: gettext("Labels"), press: (label) => this.#press(label)});
    const status = el("p", {class: "mark-say", role: "status"});
    const edges = ["start", "end"].map((end) => {
      const button = el("button", {type: "button", class: "button quiet small deck-button"}, end === "start" ? gettext("Starts here") : gettext("Ends here"), " ",
        el("kbd", {"aria-hidden": "true"}, end === "start" ? "[" : "]"));
      button.addEventListener("click", () => this.#edge(end));
      return button;
    });
    const list = segmentList({
      pick: (id) => this.#pick(id),
      change: (id, difference) => this.#change(id, difference),
      remove: (id) => this.#remove(id),
      loop: (id) => this.#loop(id),
    });
    const nothing = this.#field.min === 0 ? nothingBox(gettext("There is nothing to mark in this recording"), (on) => {
      this.#nothing = on;
      this.#changed(this.#value());
    }) : null;
    this.#deck.controls.append(...edges);
    const bar = el("div", {class: "mark-bar"}, status, labels.element);
    const main = el("div", {class: "mark-main"}, this.#deck.media, this.#deck.element, this.#timeline.element, bar);
    this.#deck.element.insertBefore(this.#deck.media, this.#deck.element.firstChild);
    const element = el("div", {class: "mark-tool segments"}, main, el("div", {class: "mark-beside"}, list.element, nothing?.element));
    element.addEventListener("keydown", (event) => {
      if (event.key === "Escape" && !event.defaultPrevented && this.#cancel()) event.preventDefault();
      else if (event.key === "Enter" && this.#draft && !event.defaultPrevented && !event.target.closest("button, input")) {
        this.#say(gettext("Choose a label for what is marked, or press Escape."), true);
        event.preventDefault();
      } else if (event.key === "Delete" && this.#picked !== null && !event.target.closest("input")) {
        this.#remove(this.#picked);
        event.preventDefault();
      }
    });
    this.#parts = {labels, status, edges, list, nothing, bar};
    this.#host.replaceChildren(element);
  }

  #draw() {
    const dress = new Map(this.#labels.map((label) => [label.value, label]));
    const shown = this.#sorted().map((one) => ({...one, colour: dress.get(one.label)?.colour ?? "var(--line)", tag: this.#title(one.label), picked: one.id === this.#picked}));
    const open = this.#opened === null ? this.#draft : {start: Math.min(this.#opened, this.#deck.time), end: Math.max(this.#opened, this.#deck.time)};
    this.#timeline.show(shown, open, this.#readonly);
    const {labels, list, nothing, bar, edges} = this.#parts;
    labels.show(this.#brush ?? this.#segment(this.#picked)?.label ?? null, this.#readonly);
    list.show(shown, {readonly: this.#readonly, looping: Boolean(this.#deck.loop)});
    nothing?.show({on: this.#nothing, possible: !this.#segments.length && !this.#readonly, readonly: this.#readonly});
    bar.hidden = this.#readonly;
    for (const button of edges) button.hidden = this.#readonly;
  }

  #drawLoop() {
    this.#parts.list.looping(Boolean(this.#deck.loop));
  }

  #say(text, warn = false) {
    this.#parts.status.textContent = text;
    this.#parts.status.classList.toggle("warn", warn);
  }

  #segment(id) {
    return this.#segments.find((one) => one.id === id) ?? null;
  }

  #title(label) {
    return this.#labels.find((one) => one.value === label)?.title ?? label;
  }
}
