/**
 * The line of time under a sound or film: its waveform where that can be had, a ruler, the playhead, and the stretches
 * that are marked. Dragging over it marks, a tap goes there, the ends of what is picked can be dragged.
 */
import {el, icon} from "../../../pages/dom.js";
import {gettext, interpolate} from "../../../pages/i18n.js";
import {layered} from "../marking/layers.js";
import {peaksOf} from "./peaks.js";
import {clock, plain} from "./times.js";

const RULER = 20;
const WAVE = 88;
const LANE = 30;
const LANES_MAX = 6;
const DRAGGED = 5;
const SHORTEST_VIEW = 0.5;
const TICKS = [0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 1800, 3600];
const TICK_APART = 70;
const SHOWN_MAX = 500;

/** `marked(start, end)` after a drag over free time, `pick(id)`, `moved(id, {start} or {end})` after a drag of an end. */
export class Timeline {
  #deck;
  #calls;
  #from = 0;
  #span = 0;
  #width = 0;
  #items = [];
  #draft = null;
  #peaks = null;
  #readonly = false;
  #ending = new AbortController();
  #due = false;
  #parts = {};

  constructor({deck, name, url, marked, pick, moved}) {
    this.#deck = deck;
    this.#calls = {marked, pick, moved};
    this.#build(name);
    this.#listen();
    deck.addEventListener("ready", async () => {
      this.#whole();
      if (this.#peaks) return;
      this.#peaks = await peaksOf(url, {length: deck.length, signal: this.#ending.signal});
      if (this.#ending.signal.aborted) return;
      this.element.dataset.wave = this.#peaks ? "drawn" : "none";
      this.#parts.plain.hidden = Boolean(this.#peaks);
      this.#later();
    });
  }

  /** Show the stretches: {id, start, end, colour, tag, picked}; `draft` is one that has no label yet. */
  show(items, draft, readonly) {
    const layers = layered(items);
    this.#items = items.map((one, at) => ({...one, lane: Math.min(layers[at], LANES_MAX - 1)}));
    this.#draft = draft;
    this.#readonly = readonly;
    const lanes = this.#items.reduce((most, one) => Math.max(most, one.lane + 1), 1);
    this.#parts.view.style.height = `${RULER + WAVE + lanes * LANE + 4}px`;
    this.#later();
  }

  /** Bring a stretch into view. */
  reveal({start, end}) {
    if (start >= this.#from && end <= this.#from + this.#span) return;
    this.#look(Math.max(0, (start + end) / 2 - this.#span / 2), Math.max(this.#span, (end - start) * 1.2));
  }

  focus() {
    this.#parts.view.focus();
  }

  destroy() {
    this.#ending.abort();
  }

  /** Show `factor` times as much time, about the playhead. */
  zoom(factor, about = this.#deck.time) {
    const span = Math.min(this.#deck.length, Math.max(SHORTEST_VIEW, this.#span * factor));
    const share = this.#span ? Math.min(1, Math.max(0, (about - this.#from) / this.#span)) : 0;
    this.#look(about - share * span, span);
  }

  #whole() {
    this.#look(0, this.#deck.length);
  }

  #look(from, span) {
    const {length} = this.#deck;
    this.#span = Math.min(length, span);
    this.#from = Math.min(Math.max(0, from), length - this.#span);
    const {scroll, box} = this.#parts;
    box.classList.toggle("zoomed", this.#span < length);
    Object.assign(scroll, {max: length - this.#span, step: this.#span / 20, value: this.#from});
    scroll.disabled = this.#span >= length;
    this.#later();
  }

  #build(name) {
    const canvas = el("canvas", {class: "timeline-wave", "aria-hidden": "true"});
    const stretches = el("div", {class: "timeline-stretches", "aria-hidden": "true"});
    const head = el("div", {class: "timeline-head", "aria-hidden": "true"});
    const view = el("div", {class: "timeline-view", tabindex: 0, role: "slider", "aria-label": name, "aria-valuemin": 0, "aria-valuemax": 0, "aria-valuenow": 0,
      "aria-orientation": "horizontal"},
    canvas, stretches, head);
    const scroll = el("input", {type: "range", min: 0, max: 0, value: 0, class: "timeline-scroll", "aria-label": gettext("Scroll through the recording")});
    const button = (label, sign, press) => {
      const made = el("button", {type: "button", class: "button quiet small deck-button", "aria-label": label, title: label}, icon(sign));
      made.addEventListener("click", press);
      return made;
    };
    const zooms = el("div", {class: "timeline-zoom", role: "group", "aria-label": gettext("Zoom")},
      button(gettext("Zoom out"), "zoom-out", () => this.zoom(2)), button(gettext("Zoom in"), "zoom-in", () => this.zoom(0.5)), button(gettext("Show all"), "fit", () => this.#whole()));
    const plainText = el("p", {class: "helptext", hidden: true}, gettext("No waveform: this page may play the recording, but could not read its sound. Mark by time."));
    const box = el("div", {class: "timeline-below"}, scroll, zooms);
    this.element = el("div", {class: "timeline", "data-wave": "waiting"}, view, box, plainText);
    this.#parts = {canvas, stretches, head, view, scroll, box, plain: plainText};
  }

  #listen() {
    const {view, scroll, stretches} = this.#parts;
    const {signal} = this.#ending;
    this.#deck.addEventListener("time", () => this.#follow());
    scroll.addEventListener("input", () => this.#look(Number(scroll.value), this.#span));
    view.addEventListener("keydown", (event) => {
      if (this.#key(event)) event.preventDefault();
    });
    view.addEventListener("wheel", (event) => {
      if (event.ctrlKey) this.zoom(event.deltaY > 0 ? 1.25 : 0.8, this.#timeAt(event.clientX));
      else if (event.shiftKey || event.deltaX) this.#look(this.#from + ((event.deltaX || event.deltaY) / 1000) * this.#span, this.#span);
      else return;
      event.preventDefault();
    }, {passive: false});
    view.addEventListener("pointerdown", (event) => {
      if (event.button || !this.#deck.length) return;
      if (event.target.matches(".timeline-handle")) this.#dragEnd(event);
      else this.#dragOver(event);
    });
    stretches.addEventListener("click", (event) => {
      const block = event.target.closest(".timeline-block");
      if (block) this.#calls.pick(block.dataset.id);
    });
    const sizes = new ResizeObserver(() => this.#later());
    sizes.observe(view);
    signal.addEventListener("abort", () => sizes.disconnect());
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => this.#later(), {signal});
  }

  #key(event) {
    const {key, shiftKey} = event;
    if (event.altKey) return false;
    const direction = {ArrowLeft: -1, ArrowDown: -1, ArrowRight: 1, ArrowUp: 1}[key];
    if (direction) this.#deck.step(direction * (event.ctrlKey || event.metaKey ? 1 : shiftKey ? 0.01 : 0.1));
    else if (event.ctrlKey || event.metaKey) return false;
    else if (key === "PageDown") this.#deck.step(5);
    else if (key === "PageUp") this.#deck.step(-5);
    else if (key === "Home") this.#deck.seek(0);
    else if (key === "End") this.#deck.seek(this.#deck.length);
    else if (key === "+" || key === "=") this.zoom(0.5);
    else if (key === "-") this.zoom(2);
    else return false;
    return true;
  }

  #dragOver(event) {
    const {view} = this.#parts;
    if (event.target.closest(".timeline-block")) return;
    const first = this.#timeAt(event.clientX);
    let dragged = false;
    const move = (moved) => {
      dragged ||= Math.abs(moved.clientX - event.clientX) > DRAGGED;
      if (!dragged || this.#readonly) return;
      const other = this.#timeAt(moved.clientX);
      this.#draft = {start: Math.min(first, other), end: Math.max(first, other)};
      this.#later();
    };
    this.#dragging(view, event, move, (ended) => {
      if (ended.type === "pointercancel") this.#draft = null;
      else if (!dragged) this.#deck.seek(first);
      else if (!this.#readonly && this.#draft) this.#calls.marked(plain(this.#draft.start), plain(this.#draft.end));
      this.#later();
    });
  }

  #dragEnd(event) {
    const {end, id} = event.target.dataset;
    const item = this.#items.find((one) => one.id === id) ?? this.#draft;
    const before = {...item};
    let now = null;
    event.preventDefault();
    this.#dragging(this.#parts.view, event, (moved) => {
      const at = plain(this.#timeAt(moved.clientX));
      if (end === "start" ? at >= before.end : at <= before.start) return;
      now = {[end]: at};
      Object.assign(item, now);
      // What is heard at the edge decides where it belongs.
      this.#deck.seek(at);
      this.#later();
    }, (ended) => {
      Object.assign(item, before);
      if (now && ended.type !== "pointercancel") {
        if (item === this.#draft) this.#calls.marked(now.start ?? before.start, now.end ?? before.end);
        else this.#calls.moved(id, now);
      }
      this.#later();
    });
  }

  #dragging(element, event, move, end) {
    element.setPointerCapture(event.pointerId);
    const over = new AbortController();
    const {signal} = over;
    element.addEventListener("pointermove", move, {signal});
    for (const name of ["pointerup", "pointercancel"]) {
      element.addEventListener(name, (ended) => {
        over.abort();
        end(ended);
      }, {signal});
    }
  }

  #timeAt(x) {
    const box = this.#parts.view.getBoundingClientRect();
    const share = Math.min(1, Math.max(0, (x - box.left) / box.width));
    return Math.min(this.#deck.length, this.#from + share * this.#span);
  }

  #x(time) {
    return ((time - this.#from) / this.#span) * this.#width;
  }

  #follow() {
    const {time, playing, length} = this.#deck;
    const {view, head} = this.#parts;
    if (this.#span && this.#span < length && (time < this.#from || time > this.#from + this.#span)) {
      this.#look(time - this.#span * (playing ? 0.05 : 0.5), this.#span);
    }
    head.style.transform = `translateX(${this.#span ? this.#x(time) : 0}px)`;
    view.setAttribute("aria-valuemax", length.toFixed(3));
    view.setAttribute("aria-valuenow", time.toFixed(3));
    view.setAttribute("aria-valuetext", interpolate(gettext("%(time)s of %(length)s"), {time: clock(time), length: clock(length)}));
  }

  #later() {
    if (this.#due) return;
    this.#due = true;
    requestAnimationFrame(() => {
      this.#due = false;
      if (!this.#ending.signal.aborted) this.#draw();
    });
  }

  #draw() {
    const {canvas, view} = this.#parts;
    this.#width = view.clientWidth;
    if (!this.#width || !this.#span) return;
    const sharp = devicePixelRatio || 1;
    canvas.width = Math.round(this.#width * sharp);
    canvas.height = Math.round((RULER + WAVE) * sharp);
    Object.assign(canvas.style, {width: `${this.#width}px`, height: `${RULER + WAVE}px`});
    const paint = canvas.getContext("2d");
    paint.scale(sharp, sharp);
    const style = getComputedStyle(view);
    this.#drawRuler(paint, style);
    this.#drawWave(paint, style);
    this.#drawStretches();
    this.#follow();
  }

  #drawRuler(paint, style) {
    const step = TICKS.find((tick) => (tick / this.#span) * this.#width >= TICK_APART) ?? TICKS.at(-1);
    const digits = step < 0.1 ? 2 : step < 1 ? 1 : 0;
    paint.font = `12px ${style.fontFamily}`;
    paint.fillStyle = style.color;
    for (let tick = Math.ceil(this.#from / step); tick * step <= this.#from + this.#span; tick += 1) {
      const x = Math.round(this.#x(tick * step));
      paint.fillRect(x, RULER - 6, 1, 6);
      if (x < this.#width - 30) paint.fillText(clock(tick * step, digits), x + 3, 13);
    }
  }

  #drawWave(paint, style) {
    const middle = RULER + WAVE / 2;
    paint.fillStyle = style.getPropertyValue("border-bottom-color");
    paint.fillRect(0, middle, this.#width, 1);
    if (!this.#peaks) return;
    const {low, high, rate} = this.#peaks;
    paint.fillStyle = style.getPropertyValue("caret-color");
    for (let x = 0; x < this.#width; x += 1) {
      const first = Math.floor((this.#from + (x / this.#width) * this.#span) * rate);
      const last = Math.max(first + 1, Math.ceil((this.#from + ((x + 1) / this.#width) * this.#span) * rate));
      let [bottom, top] = [0, 0];
      for (let at = first; at < last && at < low.length; at += 1) {
        if (low[at] < bottom) bottom = low[at];
        if (high[at] > top) top = high[at];
      }
      const scale = WAVE / 2 - 2;
      paint.fillRect(x, middle - top * scale, 1, Math.max(1, (top - bottom) * scale));
    }
  }

  #drawStretches() {
    const until = this.#from + this.#span;
    const shown = this.#items.filter((one) => one.start < until && one.end > this.#from).slice(0, SHOWN_MAX);
    const parts = shown.flatMap((one) => [this.#shade(one), this.#block(one)]);
    for (const one of [...shown.filter((each) => each.picked), ...(this.#draft && this.#draft.end > this.#draft.start ? [this.#draft] : [])]) {
      if (one === this.#draft) parts.push(this.#shade({...one, picked: true}));
      if (!this.#readonly) parts.push(this.#handle(one, "start"), this.#handle(one, "end"));
    }
    this.#parts.stretches.replaceChildren(...parts);
  }

  #shade(one) {
    return this.#placed(el("div", {class: one.picked ? "timeline-shade picked" : "timeline-shade"}), one);
  }

  #block(one) {
    const block = el("div", {class: one.picked ? "timeline-block picked" : "timeline-block", "data-id": one.id, title: one.tag}, el("bdi", {}, one.tag));
    block.style.top = `${RULER + WAVE + 2 + one.lane * LANE}px`;
    return this.#placed(block, one);
  }

  #handle(one, end) {
    const handle = el("div", {class: `timeline-handle ${end}`, "data-end": end, "data-id": one.id ?? ""});
    handle.style.left = `${this.#x(one[end])}px`;
    return handle;
  }

  #placed(element, {start, end, colour}) {
    const left = Math.max(-2, this.#x(start));
    Object.assign(element.style, {left: `${left}px`, width: `${Math.max(2, Math.min(this.#width + 2, this.#x(end)) - left)}px`});
    if (colour) element.style.setProperty("--mark", colour);
    return element;
  }
}
