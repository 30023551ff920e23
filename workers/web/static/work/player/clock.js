/**
 * The time that is left for what is in hand. While the person is active, places are prolonged by themselves; when they
 * cannot be prolonged any more, or nobody is there, a warning comes before the end.
 */

const TICK_MS = 1_000;
const ACTIVE_MS = 60_000;
const BEAT_EVERY_MS = 15_000;
const WARN_S = 60;
const SIGNS = ["keydown", "pointerdown", "pointermove", "wheel", "input", "touchmove"];

export class Clock extends EventTarget {
  #desk;
  #limit;
  #leases = () => [];
  #shown = () => [];
  #activeAt = Date.now();
  #beatAt = 0;
  #final = new Set();
  #warned = new Set();
  #beating = false;

  /** desk; limit: the batch's time limit in seconds */
  constructor(desk, limit) {
    super();
    this.#desk = desk;
    this.#limit = limit;
    for (const sign of SIGNS) addEventListener(sign, () => (this.#activeAt = Date.now()), {passive: true, capture: true});
    setInterval(() => this.tick(), TICK_MS);
    document.addEventListener("visibilitychange", () => !document.hidden && this.tick());
  }

  /** `shown()`: places on the page; `leases()`: those and the ones that come next. */
  watch(shown, leases) {
    this.#shown = shown;
    this.#leases = leases;
    this.tick();
  }

  /** Seconds until the first place on the page ends; null without one. */
  get left() {
    const ends = this.#shown().map(({until}) => until);
    return ends.length ? Math.floor((Math.min(...ends) - this.#desk.now) / 1_000) : null;
  }

  get final() {
    return this.#shown().some(({token}) => this.#final.has(token));
  }

  tick() {
    const {left} = this;
    this.dispatchEvent(new CustomEvent("tick", {detail: {left, final: this.final}}));
    if (left === null) return;
    const warnAt = Math.min(WARN_S, this.#limit / 3);
    const key = this.#shown().map(({token}) => token).join();
    if (left <= 0) this.#once(`over ${key}`, "over");
    else if (left <= warnAt) this.#once(`soon ${key}`, "soon", {left});
    else this.#warned.delete(`soon ${key}`);
    this.#beat();
  }

  #once(key, name, detail = {}) {
    if (this.#warned.has(key)) return;
    this.#warned.add(key);
    this.dispatchEvent(new CustomEvent(name, {detail}));
  }

  /** Prolong once less than three quarters are left, not more often than needed, and only while somebody is there. */
  async #beat() {
    const now = Date.now();
    const due = this.#leases().filter(({until, token}) => {
      const left = (until - this.#desk.now) / 1_000;
      return left > 0 && left < 0.75 * this.#limit && !this.#final.has(token);
    });
    const every = Math.min(BEAT_EVERY_MS, 100 * this.#limit);
    if (!due.length || this.#beating || now - this.#activeAt > ACTIVE_MS || now - this.#beatAt < every) return;
    this.#beating = true;
    this.#beatAt = now;
    try {
      for (const {token, until, final} of await this.#desk.beat(due)) {
        if (final) this.#final.add(token);
        this.dispatchEvent(new CustomEvent("beat", {detail: {token, until}}));
      }
    } finally {
      this.#beating = false;
    }
  }
}
