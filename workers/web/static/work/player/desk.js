/**
 * The worker's desk in one batch: places held, answers on their way. Shared by all tabs of the browser.
 *
 * An answer is written down before it is sent, and sent with the same key until the server has said what became of it;
 * so it is stored once, whatever dies in between. One tab sends at a time (a Web Lock), in the order in which answers
 * were given. A tab that died leaves its places to the next one that asks.
 *
 * Events: "change" (something to look at: status, waiting, problem), "sent" ({entry, outcomes, problem}).
 */

import {api, Offline} from "../../pages/api.js";
import {change, forgetOld, got, leasesOf, queueOf} from "./store.js";

const PAUSE_MS = 1_000;
const PAUSE_MAX_MS = 30_000;
const WAIT_MS = 20_000;
const PAGE_MAX = 100;
const TAB_WAIT_MS = 400;

/** The code of a refusal, however the server wrote it. */
const codeOf = (body) => body?.code ?? (body?.type ?? "").split("/").at(-1);

export class Desk extends EventTarget {
  #channel;
  #pumping = null;
  #again = false;
  #pause = 0;
  #timer = null;
  #refilling = null;
  #left = false;

  /**
   * user   public id of who is signed in
   * batch  public id of the batch
   * cap    how many places the batch gives one person at once
   */
  constructor({user, batch, cap}) {
    super();
    this.user = user;
    this.batch = batch;
    this.cap = Math.min(cap, PAGE_MAX);
    this.page = 1;
    this.tab = null;
    /** ok | offline | busy | signed-out */
    this.status = "ok";
    /** Answers and returns that the server has not confirmed. */
    this.waiting = 0;
    /** Why there is nothing more to take, as the server said it last. */
    this.problem = null;
    /** How far the server's clock is ahead of this one. */
    this.ahead = 0;
  }

  get now() {
    return Date.now() + this.ahead;
  }

  /** Become a tab with a name of its own, the one from before a reload if it is free; then send what waits. */
  async open() {
    const before = sessionStorage.getItem("touchstone-tab");
    this.tab = (before && (await this.#hold(before, TAB_WAIT_MS)) && before) || null;
    if (!this.tab) {
      this.tab = crypto.randomUUID();
      await this.#hold(this.tab, TAB_WAIT_MS);
      sessionStorage.setItem("touchstone-tab", this.tab);
    }
    await forgetOld().catch(() => {});
    await this.listen();
  }

  /** Hear what other tabs are told, and count what waits: enough for a page that only sends. */
  async listen() {
    this.#channel = new BroadcastChannel(`touchstone-work-${this.user}`);
    this.#channel.onmessage = ({data}) => this.#heard(data);
    addEventListener("online", () => this.#resume());
    await this.#count();
  }

  /** Held for the life of the page: this is how other tabs know that it lives. */
  #hold(tab, wait) {
    return new Promise((resolve) => {
      navigator.locks
        .request(`touchstone-tab:${this.batch}:${tab}`, {signal: AbortSignal.timeout(wait)}, () => {
          resolve(true);
          return new Promise(() => {});
        })
        .catch(() => resolve(false));
    });
  }

  async #living() {
    const prefix = `touchstone-tab:${this.batch}:`;
    const {held} = await navigator.locks.query();
    return new Set(held.filter(({name}) => name.startsWith(prefix)).map(({name}) => name.slice(prefix.length)));
  }

  /** What this tab should have in hand: the page that is shown, and the next. */
  async #wanted() {
    const tabs = Math.max(1, (await this.#living()).size);
    return Math.min(this.cap, PAGE_MAX, 2 * this.page * tabs);
  }

  /**
   * Places for this tab, at most `count` in all: those that it has, those of tabs that died, then free ones. Each is in the
   * hands of one tab only.
   */
  async take(count, {but = []} = {}) {
    const asked = Date.now();
    const living = await this.#living();
    const left = new Set(but);
    return change(["leases"], async (stores) => {
      const all = (await leasesOf(stores, this.user, this.batch)).filter(({state, token}) => state === "held" && !left.has(token));
      const rank = (lease) => (lease.tab === this.tab ? 0 : lease.tab === null ? 2 : living.has(lease.tab) || lease.tabAt >= asked ? 3 : 1);
      const found = all
        .map((lease) => ({lease, rank: rank(lease)}))
        .filter((one) => one.rank < 3 && this.#alive(one.lease))
        .sort((one, other) => one.rank - other.rank || one.lease.order - other.lease.order)
        .slice(0, count)
        .map(({lease}) => ({...lease, tab: this.tab, tabAt: Date.now()}));
      for (const lease of found) stores.leases.put(lease);
      return found;
    });
  }

  /** A place whose time is over is shown only where something was typed for it: then it may still be had. */
  #alive(lease) {
    return lease.until > this.now || lease.typed;
  }

  /** Places of this tab by their tokens, as far as they are still held. */
  byTokens(tokens) {
    return change(["leases"], async ({leases}) => {
      const found = [];
      for (const token of tokens) {
        const lease = await got(leases.get(token));
        if (lease?.state === "held") found.push(lease);
      }
      return found;
    });
  }

  /** Think no more of places whose time is over; what was typed stays as a draft. */
  drop(tokens) {
    return change(["leases"], async ({leases}) => {
      for (const token of tokens) {
        const lease = await got(leases.get(token));
        if (lease) leases.put({...lease, state: "gone", at: Date.now()});
      }
    });
  }

  /** Note that something was typed for a place. */
  async typed(token) {
    await change(["leases"], async ({leases}) => {
      const lease = await got(leases.get(token));
      if (lease && !lease.typed) leases.put({...lease, typed: true});
    });
  }

  /** Write down the answers of a page and let them go; resolves once they are written, not when they have arrived. */
  async submit(answers) {
    const then = {batch: this.batch, count: await this.#wanted()};
    return this.#enqueue({
      kind: "answers",
      method: "POST",
      path: "/worker/submissions",
      body: {
        answers: answers.map(({lease, values, unclear}) => ({
          assignment: lease.id,
          token: lease.token,
          values: unclear ? {} : values,
          unclear: Boolean(unclear),
        })),
        then_claim: then,
      },
      leases: answers.map(({lease}) => lease),
      typed: answers.map(({typed}) => typed),
    });
  }

  /** Give a place back, with a reason and words for the requester. */
  async giveBack(lease, {reason = "skip", comment = ""} = {}) {
    return this.#enqueue({
      kind: "return",
      method: "POST",
      path: `/worker/assignments/${lease.id}/return`,
      body: {token: lease.token, reason, comment},
      leases: [lease],
    });
  }

  async #enqueue({kind, method, path, body, leases, typed = []}) {
    const entry = {
      user: this.user, batch: this.batch, tab: this.tab, kind, method, path, body, typed, key: crypto.randomUUID(), at: Date.now(),
      tokens: leases.map(({token}) => token), assignments: leases.map(({id}) => id),
      worth: leases.map(({price_micros: micros}) => micros), currency: leases[0]?.currency ?? "",
    };
    await change(["queue", "leases"], async (stores) => {
      for (const token of entry.tokens) {
        const lease = await got(stores.leases.get(token));
        // Another tab may have taken it over while this one slept.
        if (lease?.state === "gone") throw new Error("this place was answered already");
        if (lease) stores.leases.put({...lease, state: "gone", at: Date.now()});
      }
      await got(stores.queue.add(entry));
    });
    this.waiting += 1;
    this.#tell();
    this.pump();
    return entry;
  }

  /** Send what waits, if nobody else does; resolves once nothing waits, or it has to wait longer. */
  pump() {
    clearTimeout(this.#timer);
    this.#timer = null;
    this.#again = true;
    this.#pumping ??= this.#drain().finally(() => {
      this.#pumping = null;
      // Something came in the very last moment.
      if (this.#again && this.status === "ok") this.pump();
    });
    return this.#pumping;
  }

  async #drain() {
    await navigator.locks.request(`touchstone-send:${this.user}`, async () => {
      while (this.#again) {
        this.#again = false;
        for (let [entry] = await queueOf(this.user); entry; [entry] = await queueOf(this.user)) {
          if (!(await this.#send(entry))) return;
        }
      }
    });
    await this.#count();
  }

  /** Whether it was answered, so that the next may go. */
  async #send(entry) {
    const answer = await this.#ask(entry.method, entry.path, {body: entry.body, key: entry.key});
    if (!answer) return false;
    const {status, body} = answer;
    if (status < 300 || codeOf(body) === "lease-lost") {
      await this.#settle(entry, body);
      return true;
    }
    await this.#refuse(entry, status, body);
    return true;
  }

  /** One request to the server; null where it has to be asked again. */
  async #ask(method, path, {body, key} = {}) {
    let answer;
    try {
      answer = await api(method, path, {body, key, signal: AbortSignal.timeout(WAIT_MS)});
    } catch (error) {
      if (!(error instanceof Offline) && error.name !== "TimeoutError" && error.name !== "AbortError") throw error;
      this.#later("offline");
      return null;
    }
    const {status, headers} = answer;
    const date = Date.parse(headers.get("Date") ?? "");
    if (date) this.ahead = date - Date.now();
    if (status === 401 || (status === 403 && ["forbidden", "not-authenticated", "csrf", ""].includes(codeOf(answer.body)))) {
      this.#say("signed-out");
      return null;
    }
    if (status === 429 || status >= 500) {
      this.#later("busy", 1_000 * Number(headers.get("Retry-After") ?? 0));
      return null;
    }
    this.#pause = 0;
    this.#say("ok");
    return answer;
  }

  #later(status, least = 0) {
    this.#pause = Math.min(PAUSE_MAX_MS, this.#pause ? 2 * this.#pause : PAUSE_MS);
    clearTimeout(this.#timer);
    // Spread, so that a server that comes back is not stormed.
    this.#timer = setTimeout(() => this.#resume(), Math.max(least, this.#pause * (0.5 + Math.random() / 2)));
    this.#say(status);
  }

  async #resume() {
    await this.pump();
    // A page that only sends takes no places.
    if (this.tab && (this.status === "offline" || this.status === "busy")) await this.refill();
  }

  #say(status) {
    if (this.status === status) return;
    this.status = status;
    this.#tell();
  }

  /** The server has said what became of an entry. */
  async #settle(entry, body) {
    const outcomes = body?.outcomes ?? [];
    const done = new Set(outcomes.filter(({outcome}) => outcome !== "lease_lost").map(({assignment}) => assignment));
    await change(["queue", "leases", "drafts"], async (stores) => {
      stores.queue.delete(entry.n);
      for (const assignment of entry.assignments) {
        // What was not taken stays here, as it stays with the server.
        if (entry.kind === "return" || done.has(assignment)) stores.drafts.delete([this.user, assignment]);
      }
      await this.#receive(stores, entry.batch, body?.claimed ?? []);
    });
    if (body && "claim_problem" in body && entry.batch === this.batch) this.problem = body.claimed.length ? null : body.claim_problem;
    this.#spread({type: "sent", entry, outcomes, lost: outcomes.filter(({outcome}) => outcome === "lease_lost").length, problem: null, claimProblem: body && "claim_problem" in body ? body.claim_problem : undefined});
  }

  /** The server will not take it as it is: the places go back to the tab that had them, with what is wrong. */
  async #refuse(entry, status, body) {
    const mine = entry.kind === "answers" && status === 422;
    await change(["queue", "leases"], async ({queue, leases}) => {
      queue.delete(entry.n);
      for (const token of mine ? entry.tokens : []) {
        const lease = await got(leases.get(token));
        if (lease) leases.put({...lease, state: "held", typed: true, tab: entry.tab, tabAt: Date.now()});
      }
    });
    this.#spread({type: "sent", entry, outcomes: [], lost: 0, problem: {...(body ?? {}), status}});
  }

  async #receive(stores, batch, given, {repairs = false} = {}) {
    const now = Date.now();
    let order = now * PAGE_MAX;
    for (const lease of given) {
      const known = await got(stores.leases.get(lease.token));
      const until = Date.parse(lease.lease_until);
      if (known) {
        if (known.state === "held") {
          const repair = repairs ? (lease.repair ?? null) : known.repair;
          stores.leases.put({...known, draft: lease.draft, until: Math.max(until, known.until), repair});
        }
        continue;
      }
      stores.leases.put({
        ...lease, user: this.user, batch, until, repair: lease.repair ?? null, state: "held", tab: null, tabAt: 0, at: now,
        order: order++, typed: Boolean(lease.draft),
      });
    }
  }

  /** The worker goes: no more places are asked for. */
  leave() {
    this.#left = true;
  }

  /** Ask for places until there are as many in hand as wanted. One request at a time, after what waits to be sent. */
  refill() {
    if (this.#left) return Promise.resolve();
    this.#refilling ??= this.#claim().finally(() => (this.#refilling = null));
    return this.#refilling;
  }

  async #claim() {
    await navigator.locks.request(`touchstone-send:${this.user}`, async () => {
      const count = await this.#wanted();
      const answer = await this.#ask("POST", `/worker/batches/${this.batch}/claim`, {body: {count}});
      if (!answer) return;
      const {status, body} = answer;
      if (status < 300) {
        this.problem = null;
        await change(["leases"], (stores) => this.#receive(stores, this.batch, body.assignments));
      } else {
        this.problem = {...(body ?? {}), code: codeOf(body), status};
      }
      this.#spread({type: "filled"});
    });
    await this.#count();
  }

  /**
   * What the server says is held: drafts of other devices, reasons of repairs, and what is no longer there. Resolves to
   * false where it could not be asked.
   */
  async look() {
    const before = new Set();
    await change(["leases"], async (stores) => {
      for (const lease of await leasesOf(stores, this.user, this.batch)) if (lease.state === "held") before.add(lease.token);
    });
    const answer = await this.#ask("GET", "/worker/assignments?state=leased");
    if (!answer || answer.status >= 300) return false;
    const held = answer.body.results.filter(({batch}) => batch === this.batch);
    await change(["leases"], async (stores) => {
      await this.#receive(stores, this.batch, held, {repairs: true});
      for (const {token} of held) before.delete(token);
      for (const token of before) {
        const lease = await got(stores.leases.get(token));
        if (lease?.state !== "held") continue;
        // It has ended. With something typed it may still be submitted; without, nothing is lost.
        stores.leases.put({...lease, until: Math.min(lease.until, this.now - 1), ...(lease.typed ? {} : {state: "gone"})});
      }
    });
    return true;
  }

  /** Prolong places: [{token, until, final}] of those that the server knows; until is null where one is lost. */
  async beat(leases) {
    const answer = await this.#ask("PUT", "/worker/leases", {body: {leases: leases.map(({id, token}) => ({assignment: id, token}))}});
    if (!answer || answer.status >= 300) return [];
    const beats = answer.body.leases.map(({assignment, lease_until: until, final}, at) => ({
      assignment, token: leases[at].token, until: until && Date.parse(until), final,
    }));
    await change(["leases"], async ({leases: rows}) => {
      for (const {token, until} of beats) {
        const lease = await got(rows.get(token));
        if (lease && until) rows.put({...lease, until});
      }
    });
    return beats;
  }

  /** Note until when a place lives, as told with a draft. */
  async extended(token, until) {
    await change(["leases"], async ({leases}) => {
      const lease = await got(leases.get(token));
      if (lease) leases.put({...lease, until: Math.max(until, lease.until)});
    });
  }

  /** All places that this browser holds in the batch. */
  held() {
    return change(["leases"], async (stores) =>
      (await leasesOf(stores, this.user, this.batch)).filter(({state, until}) => state === "held" && until > this.now),
    );
  }

  async #count() {
    const before = this.waiting;
    this.waiting = (await queueOf(this.user)).length;
    if (this.waiting !== before) this.#tell();
  }

  #spread(message) {
    this.#channel.postMessage(message);
    this.#heard(message);
  }

  #heard(message) {
    if (message.type === "sent") {
      if (message.claimProblem !== undefined && message.entry.batch === this.batch) {
        this.problem = message.claimProblem;
      }
      this.dispatchEvent(new CustomEvent("sent", {detail: message}));
    }
    this.#count();
    this.#tell();
  }

  #tell() {
    this.dispatchEvent(new CustomEvent("change"));
  }
}
