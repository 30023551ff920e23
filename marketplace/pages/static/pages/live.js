/**
 * The live client for pages: protocol 1 of workers/live/protocol/README.md, without dependencies.
 *
 *     import {LiveSocket} from "./live.js";
 *     const live = new LiveSocket(base, {ticket: () => askTicket("/api/v1/tickets", "worker")});
 *     live.addEventListener("fact", ({detail}) => …);        // each once, in order
 *     live.addEventListener("snapshot", ({detail}) => …);    // replace what is shown
 *     live.addEventListener("topic", ({detail}) => …);       // {topic, version, state}
 *     live.addEventListener("tasks", ({detail}) => …);       // {batch, assignments}: not yet given
 *     live.addEventListener("status", ({detail}) => …);      // connecting | live | waiting | refused
 *     live.start();
 *     const reply = await live.command("claim", {batch, count: 3});
 *
 * It connects again by itself, with its cursor, after pauses drawn evenly so that a restarted server is not stormed;
 * it drops facts that it has, connects again where one is missing, and repeats commands that were not answered with the
 * same key. Give it `cursor` (and keep `live.cursor`) to go on where another page left off.
 */

// The longest pause before the next try: half as long again each time, so that a short absence costs little.
const PAUSE_MS = 250;
const LONGER = 1.5;
const PAUSE_MAX_MS = 15_000;
const OPEN_WITHIN_MS = 15_000;
const SILENT_HEARTBEATS = 2.5;
const NOT_AUTHENTICATED = 4401;
const TOO_MANY = 4429;
const SEVERAL = 3;
// Connecting again would end the same way.
const FINAL = new Set([4400, 4403, 4404, 1007, 1009]);
const KEYED = new Set(["claim", "submit", "return"]);

/** Ask for a ticket with the page's own session; `csrf` is the value of the form's token. */
export async function askTicket(address, socket, {csrf = "", headers = {}} = {}) {
  const answer = await fetch(address, {
    method: "POST",
    credentials: "same-origin",
    headers: {
      "Content-Type": "application/json",
      "Idempotency-Key": crypto.randomUUID(),
      ...(csrf ? {"X-CSRFToken": csrf} : {}),
      ...headers,
    },
    body: JSON.stringify({socket}),
  });
  if (!answer.ok) throw Object.assign(new Error(`no ticket: ${answer.status}`), {status: answer.status});
  return (await answer.json()).ticket;
}

export class LiveSocket extends EventTarget {
  #address;
  #ticket;
  #wait;
  #random;
  #socket = null;
  #joined = false;
  #stopped = true;
  #tries = 0;
  #timers = new Set();
  #heardAt = 0;
  #nextAt = 0;
  #commands = new Map();
  #topics = new Set();
  #streams = new Map();
  #given = new Map();

  /**
   * address  wss://…/ws/worker/
   * ticket   () => Promise of a fresh ticket, asked for at each connection
   * cursor   {epoch, seq} to go on from
   */
  constructor(address, {ticket, cursor = null, random = Math.random} = {}) {
    super();
    this.#address = address;
    this.#ticket = ticket;
    this.#random = random;
    this.cursor = cursor;
    this.hello = null;
    /** topic → {version, state} */
    this.topics = new Map();
    this.counts = {connects: 0, losses: 0, duplicates: 0, gaps: 0, snapshots: 0, resumes: 0};
  }

  /** Begin, and stay connected until `stop`. */
  start() {
    if (!this.#stopped) return;
    this.#stopped = false;
    this.#connect();
  }

  /** Close for good. Commands without an answer fail. */
  stop() {
    this.#stopped = true;
    clearTimeout(this.#wait);
    this.#leave();
    for (const {reject} of this.#commands.values()) reject(new Error("the socket was closed for good"));
    this.#commands.clear();
  }

  /** Send a command, again with the same key until it is answered; resolves to its reply {status, body, replayed}. */
  command(type, asked = {}) {
    const id = crypto.randomUUID();
    const frame = {type, id, ...(KEYED.has(type) ? {key: `live-${id}`} : {}), ...asked};
    return new Promise((resolve, reject) => {
      this.#commands.set(id, {frame, resolve, reject});
      this.#sayIfJoined(frame);
    });
  }

  /** Follow a topic, now and after each new connection. */
  subscribe(topic) {
    this.#topics.add(topic);
    this.#sayIfJoined({type: "subscribe", topic});
  }

  unsubscribe(topic) {
    this.#topics.delete(topic);
    this.topics.delete(topic);
    this.#sayIfJoined({type: "unsubscribe", topic});
  }

  /** Keep `window` leases of the batch in the worker's hands; they come as `tasks`. */
  stream(batch, window) {
    this.#streams.set(batch, window);
    this.#given.set(batch, new Set());
    this.#sayIfJoined(this.#streamFrame(batch));
  }

  unstream(batch) {
    this.#streams.delete(batch);
    this.#given.delete(batch);
    this.#sayIfJoined({type: "unstream", id: crypto.randomUUID(), batch});
  }

  #connect() {
    this.#tell("status", "connecting");
    const socket = new WebSocket(this.#address);
    this.#socket = socket;
    // What belongs to a connection that was left says nothing any more.
    const mine = (act) => (event) => this.#socket === socket && act(event);
    this.#later(OPEN_WITHIN_MS, () => this.#socket === socket && !this.#joined && this.#lost());
    socket.onopen = mine(() => {
      this.counts.connects += 1;
      this.#nextAt = 0;
      this.#heardAt = performance.now();
      this.#authenticate(socket);
    });
    socket.onmessage = mine(({data}) => {
      this.#heardAt = performance.now();
      this.#take(JSON.parse(data));
    });
    socket.onclose = mine(({code, reason}) => this.#closed(code, reason));
  }

  /** With a ticket asked for now: while no server is there, none is made in vain. */
  async #authenticate(socket) {
    try {
      const ticket = await this.#ticket();
      if (this.#socket === socket) this.#say({type: "authenticate", ticket});
    } catch (error) {
      if (this.#socket !== socket) return;
      if (error.status === 401 || error.status === 403) this.#refused(error.status, error.message);
      else this.#lost();
    }
  }

  #take(frame) {
    switch (frame.type) {
      case "hello":
        this.hello = frame;
        this.#beat();
        this.#say({type: "join", ...(this.cursor ? {cursor: this.cursor} : {})});
        break;
      case "snapshot":
        this.counts.snapshots += 1;
        this.cursor = frame.cursor;
        this.#tell("snapshot", frame);
        this.#begin();
        break;
      case "resumed":
        this.counts.resumes += 1;
        this.#begin();
        break;
      case "fact":
        this.#takeFact(frame);
        break;
      case "reply":
        this.#commands.get(frame.id)?.resolve(frame);
        this.#commands.delete(frame.id);
        break;
      case "state":
        this.#show(frame.topic, frame.version, frame.state);
        break;
      case "change":
        this.#change(frame);
        break;
      case "tasks":
        this.#give(frame);
        break;
      case "stream":
        if (frame.state === "ended") this.#streams.delete(frame.batch);
        this.#tell("stream", frame);
        break;
      case "error":
        this.#tell("problem", frame);
        break;
      default: // a later server may say more
    }
  }

  #takeFact(fact) {
    // A requester's socket has a stream for each organisation, and its facts say which; others have one.
    const {epoch, seq, stream} = fact;
    const seen = stream === undefined ? this.cursor?.seq : (this.cursor?.seqs?.[stream] ?? 0);
    if (epoch !== this.cursor?.epoch || seq > seen + 1) {
      // Something between was lost on the way: what the server still has is asked for again.
      this.counts.gaps += 1;
      this.#lost();
    } else if (seq <= seen) {
      this.counts.duplicates += 1;
    } else {
      const reached = stream === undefined ? {seq} : {seqs: {...this.cursor.seqs, [stream]: seq}};
      this.cursor = {epoch, ...reached};
      this.#tell("fact", fact);
    }
  }

  /** The server knows where we are: now everything that was left open goes on. */
  #begin() {
    if (this.#joined) return;
    this.#joined = true;
    this.#tries = 0;
    this.#tell("status", "live");
    for (const topic of this.#topics) this.#say({type: "subscribe", topic});
    for (const {frame} of this.#commands.values()) this.#say(frame);
    for (const batch of this.#streams.keys()) this.#say(this.#streamFrame(batch));
  }

  #change({topic, from, version, set, gone}) {
    const known = this.topics.get(topic);
    if (known?.version === from) {
      const state = {...known.state, ...set};
      for (const name of gone) if (!(name in set)) delete state[name];
      this.#show(topic, version, state);
    } else if (this.#topics.has(topic) && !(known?.version >= version)) {
      this.#say({type: "subscribe", topic});
    }
  }

  #show(topic, version, state) {
    if (!this.#topics.has(topic)) return;
    this.topics.set(topic, {version, state});
    this.#tell("topic", {topic, version, state});
  }

  #give({batch, assignments}) {
    const given = this.#given.get(batch);
    if (!given) return;
    const fresh = assignments.filter(({id, token}) => !given.has(`${id} ${token}`));
    for (const {id, token} of fresh) given.add(`${id} ${token}`);
    if (fresh.length) this.#tell("tasks", {batch, assignments: fresh});
  }

  /** Say something each heartbeat; a server that is silent for longer is gone, whatever the network thinks. */
  #beat() {
    const every = 1000 * this.hello.heartbeat_s;
    const socket = this.#socket;
    this.#later(every, () => {
      if (this.#socket !== socket) return;
      if (performance.now() - this.#heardAt > SILENT_HEARTBEATS * every) {
        this.#lost();
      } else {
        this.#say({type: "ping"});
        this.#beat();
      }
    });
  }

  #closed(code, reason) {
    this.counts.losses += 1;
    if (FINAL.has(code)) {
      this.#leave();
      this.#refused(code, reason);
    } else {
      if (code === TOO_MANY) this.#tries = Math.max(this.#tries, 8);
      if (code === NOT_AUTHENTICATED && this.#tries >= SEVERAL) {
        this.#leave();
        this.#refused(code, reason);
      } else {
        this.#lost();
      }
    }
  }

  /** Leave this connection and try again after a while. */
  #lost() {
    this.#leave();
    this.#again();
  }

  #leave() {
    const socket = this.#socket;
    this.#socket = null;
    this.#joined = false;
    this.topics.clear();
    for (const timer of this.#timers) clearTimeout(timer);
    this.#timers.clear();
    socket?.close();
  }

  /** After a restart everybody comes back: evenly spread, not all at once. */
  #again() {
    if (this.#stopped) return;
    this.#tell("status", "waiting");
    const longest = Math.min(PAUSE_MAX_MS, PAUSE_MS * LONGER ** Math.min(this.#tries, 20));
    this.#tries += 1;
    this.#wait = setTimeout(() => this.#connect(), this.#random() * longest);
  }

  #refused(code, reason) {
    this.stop();
    this.#tell("refused", {code, reason});
    this.#tell("status", "refused");
  }

  #later(ms, act) {
    const timer = setTimeout(() => {
      this.#timers.delete(timer);
      act();
    }, ms);
    this.#timers.add(timer);
  }

  #streamFrame(batch) {
    return {type: "stream", id: crypto.randomUUID(), batch, window: this.#streams.get(batch)};
  }

  /** Send it, no faster than the server takes frames: as many at once as a second takes, and then one by one. */
  #say(frame) {
    const socket = this.#socket;
    const now = performance.now();
    const every = 1000 / (this.hello?.limits.frames_per_s ?? 20);
    this.#nextAt = Math.max(this.#nextAt + every, now - 1000);
    const send = () => {
      if (this.#socket === socket && socket?.readyState === WebSocket.OPEN) socket.send(JSON.stringify(frame));
    };
    if (this.#nextAt > now) this.#later(this.#nextAt - now, send);
    else send();
  }

  #sayIfJoined(frame) {
    if (this.#joined) this.#say(frame);
  }

  #tell(type, detail) {
    this.dispatchEvent(new CustomEvent(type, {detail}));
  }
}
