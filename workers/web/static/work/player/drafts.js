/**
 * What is typed for a place, kept at each change in this browser, and a moment later with the server, so that it is there
 * after a crash and on any other device.
 */

import {api} from "../../pages/api.js";
import {same} from "./asked.js";
import {change, got} from "./store.js";

const SAVE_AFTER_MS = 2_000;
const SAVE_AT_LATEST_MS = 10_000;

/**
 * What to go on with: what was typed here, or what the server has from elsewhere, whichever is newer.
 *
 * The server's is what was sent from here last, unless another device has saved since then. Where both have gone on,
 * what was typed here is shown, and `other` is the server's.
 * @param {{values: Object, sent: Object|null}|undefined} local
 * @param {Object|null} server
 */
export function newest(local, server) {
  if (!local) return {values: server ?? {}, other: null};
  if (!server || same(server, local.values) || (local.sent && same(server, local.sent))) return {values: local.values, other: null};
  if (local.sent && same(local.sent, local.values)) return {values: server, other: null};
  return {values: local.values, other: server};
}

/** The draft of one place. */
export class Draft {
  #user;
  #lease;
  #extended;
  #timer = null;
  #since = 0;
  #values = null;
  #sent = null;
  #writing = Promise.resolve();
  #ended = false;

  constructor({user, lease, extended}) {
    this.#user = user;
    this.#lease = lease;
    this.#extended = extended;
    this.#sent = lease.draft ?? null;
  }

  /** Read both, and choose: {values, unclear, other}. */
  async read() {
    const local = await change(["drafts"], ({drafts}) => got(drafts.get([this.#user, this.#lease.id])));
    const chosen = newest(local, this.#lease.draft);
    if (local && chosen.values === local.values && !same(local.values, this.#lease.draft ?? {})) this.#plan(local.values);
    return {...chosen, unclear: Boolean(local?.unclear) && chosen.values === local.values};
  }

  /** Keep it here now, with the server soon. */
  keep(values, {unclear = false} = {}) {
    if (this.#ended) return;
    this.#write(values, unclear);
    this.#plan(values);
  }

  #write(values, unclear) {
    const row = {user: this.#user, assignment: this.#lease.id, batch: this.#lease.batch, values, unclear, at: Date.now()};
    this.#writing = this.#writing
      .then(() => change(["drafts"], ({drafts}) => got(drafts.put({...row, sent: this.#sent}))))
      .catch((error) => console.error(error));
  }

  #plan(values) {
    this.#values = values;
    this.#since ||= Date.now();
    clearTimeout(this.#timer);
    const wait = Math.max(0, Math.min(SAVE_AFTER_MS, this.#since + SAVE_AT_LATEST_MS - Date.now()));
    this.#timer = setTimeout(() => this.save(), wait);
  }

  /** Tell the server, if it does not know. */
  async save({keepalive = false} = {}) {
    clearTimeout(this.#timer);
    this.#since = 0;
    const values = this.#values;
    if (this.#ended || values === null || same(values, this.#sent ?? {})) return;
    let answer;
    try {
      const body = {token: this.#lease.token, values};
      answer = await api("PUT", `/worker/assignments/${this.#lease.id}/draft`, {body, keepalive});
    } catch {
      if (!this.#ended) this.#timer = setTimeout(() => this.save(), SAVE_AT_LATEST_MS);
      return; // it is kept here
    }
    if (this.#ended || answer.status >= 300) return;
    this.#sent = values;
    await change(["drafts"], async ({drafts}) => {
      const row = await got(drafts.get([this.#user, this.#lease.id]));
      if (row) drafts.put({...row, sent: values});
    }).catch(() => {});
    if (answer.body.lease_until) this.#extended(Date.parse(answer.body.lease_until));
  }

  /** All that was typed is written in this browser. */
  written() {
    return this.#writing;
  }

  /** It is on its way as an answer: nothing more is saved as a draft. */
  end() {
    this.#ended = true;
    clearTimeout(this.#timer);
  }
}
