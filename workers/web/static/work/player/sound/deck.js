/**
 * What plays a sound or film: the media element with its buttons, its speed, and a loop over a part of it.
 *
 *     const deck = openDeck({url, kind: "audio"});
 *     host.append(deck.element);
 *     deck.addEventListener("ready" | "time" | "state" | "broken", …);
 */
import {el, icon} from "../../../pages/dom.js";
import {gettext, interpolate} from "../../../pages/i18n.js";
import {clock, plain} from "./times.js";

const SPEEDS = [0.5, 0.75, 1, 1.25, 1.5, 2];
// Until a film has played a little nobody knows how long its pictures last.
const FRAME = 1 / 25;
const FRAMES_SEEN = 6;

export function openDeck(options) {
  return new Deck(options);
}

class Deck extends EventTarget {
  #loop = null;
  #frame = FRAME;
  #gone = false;
  #parts = {};

  constructor({url, kind, name}) {
    super();
    this.kind = kind;
    this.media = el(kind, {preload: "metadata", class: "deck-media", playsinline: kind === "video", "aria-label": name ?? null});
    this.#build();
    this.#listen();
    this.media.src = url;
  }

  /** Length in seconds; 0 until it is known. */
  get length() {
    const {duration} = this.media;
    return Number.isFinite(duration) ? duration : 0;
  }

  get time() {
    return plain(this.media.currentTime);
  }

  get playing() {
    return !this.media.paused && !this.media.ended;
  }

  get loop() {
    return this.#loop;
  }

  /** Play, first going back `rewind` seconds. */
  play(rewind = 0) {
    if (rewind) this.seek(this.media.currentTime - rewind);
    // Refused where there is nothing to play, or the browser wants a touch first: the button still says "play".
    return this.media.play().catch(() => {});
  }

  pause() {
    this.media.pause();
  }

  toggle(rewind = 0) {
    return this.playing ? this.pause() : this.play(rewind);
  }

  seek(to) {
    if (this.media.readyState < 1) return;
    this.media.currentTime = Math.min(Math.max(0, to), this.length || to);
    this.#told("time");
  }

  step(by) {
    this.seek(this.media.currentTime + by);
  }

  /** One picture on or back. */
  stepFrame(direction) {
    this.pause();
    // From the middle of a picture to the middle of the next, so that rounding skips none.
    const at = Math.floor(this.media.currentTime / this.#frame + 0.01);
    this.seek((at + direction) * this.#frame + this.#frame / 2);
  }

  /** Play a stretch over and over; null ends that. */
  repeat(stretch) {
    this.#loop = stretch;
    if (stretch) {
      this.seek(stretch.start);
      this.play();
    }
    this.#told("state");
  }

  destroy() {
    this.#gone = true;
    this.media.pause();
    this.media.removeAttribute("src");
    this.media.load();
  }

  #build() {
    const button = (label, content, press, more = {}) => {
      const made = el("button", {type: "button", class: "button quiet small deck-button", "aria-label": label, title: label, ...more}, content);
      made.addEventListener("click", press);
      return made;
    };
    const jump = (by) => button(by < 0 ? interpolate(gettext("Back %s s"), [-by]) : interpolate(gettext("On %s s"), [by]), `${by < 0 ? "−" : "+"}${Math.abs(by)} s`, () => this.step(by));
    const play = button(gettext("Play"), icon("play"), () => this.toggle(), {class: "button small deck-button deck-play"});
    const time = el("output", {class: "deck-time", "aria-label": gettext("Time")}, clock(0));
    const speed = el("select", {class: "deck-speed", "aria-label": gettext("Speed")},
      SPEEDS.map((rate) => el("option", {value: rate, selected: rate === 1}, `${rate}×`)));
    speed.addEventListener("change", () => (this.media.playbackRate = Number(speed.value)));
    const frames = this.kind === "video"
      ? [button(gettext("One picture back"), icon("chevron-left"), () => this.stepFrame(-1)), button(gettext("One picture on"), icon("chevron-right"), () => this.stepFrame(1))] : [];
    const trouble = el("p", {class: "notice bad deck-trouble", role: "alert", hidden: true});
    this.controls = el("div", {class: "deck-controls", role: "group", "aria-label": gettext("Player")},
      play, jump(-5), jump(-1), frames, jump(1), jump(5), time, speed);
    this.element = el("div", {class: `deck deck-${this.kind}`}, this.media, trouble, this.controls);
    this.#parts = {play, time, trouble};
  }

  #listen() {
    const {media} = this;
    const on = (names, act) => names.split(" ").forEach((name) => media.addEventListener(name, act));
    on("play pause ended", () => this.#told("state"));
    on("timeupdate seeked", () => this.#told("time"));
    on("loadedmetadata durationchange", () => this.#settle());
    on("play", () => this.#run());
    on("error", () => {
      if (this.#gone) return;
      this.#parts.trouble.textContent = this.kind === "video"
        ? gettext("The film cannot be loaded. Check your connection and reload; if it stays so, report the task as broken.")
        : gettext("The sound cannot be loaded. Check your connection and reload; if it stays so, report the task as broken.");
      this.#parts.trouble.hidden = false;
      for (const one of this.controls.querySelectorAll("button, select")) one.disabled = true;
      this.dispatchEvent(new Event("broken"));
    });
    if (this.kind === "video" && media.requestVideoFrameCallback) this.#measure();
  }

  #settle() {
    if (this.media.duration === Infinity) {
      // Recordings made in a browser do not say how long they are; asking for their end finds out.
      this.media.currentTime = 1e7;
      this.media.addEventListener("durationchange", () => (this.media.currentTime = 0), {once: true});
      return;
    }
    this.#told("time");
    this.dispatchEvent(new Event("ready"));
  }

  /** While it plays, the time is told with every frame of the screen. */
  #run() {
    if (this.#gone || !this.playing) return;
    const {currentTime} = this.media;
    if (this.#loop && currentTime >= this.#loop.end) this.media.currentTime = this.#loop.start;
    this.#told("time");
    requestAnimationFrame(() => this.#run());
  }

  #measure() {
    const gaps = [];
    let last = null;
    const seen = (_, {mediaTime}) => {
      if (last !== null && mediaTime > last && this.playing) gaps.push(mediaTime - last);
      last = mediaTime;
      if (gaps.length < FRAMES_SEEN) this.media.requestVideoFrameCallback(seen);
      // The shortest: where the screen was late, pictures were left out.
      else this.#frame = Math.max(1 / 120, Math.min(...gaps));
    };
    this.media.requestVideoFrameCallback(seen);
  }

  #told(what) {
    const {play, time} = this.#parts;
    time.textContent = `${clock(this.media.currentTime)} / ${this.length ? clock(this.length) : "–"}`;
    if (what === "state" && play.dataset.playing !== String(this.playing)) {
      play.dataset.playing = String(this.playing);
      const label = this.playing ? gettext("Pause") : gettext("Play");
      play.setAttribute("aria-label", label);
      play.title = label;
      play.replaceChildren(icon(this.playing ? "pause" : "play"));
    }
    this.dispatchEvent(new Event(what));
  }
}
