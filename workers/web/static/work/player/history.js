/** Undo and redo over snapshots of values. Changes of one field that follow each other closely are one step. */

const TOGETHER_MS = 1_200;
const STEPS_MAX = 200;

export class History {
  #past = [];
  #future = [];
  #now;
  #last = {field: null, at: 0};

  constructor(values) {
    this.#now = values;
  }

  get canUndo() {
    return this.#past.length > 0;
  }

  get canRedo() {
    return this.#future.length > 0;
  }

  /** After a change of a field to these values. `merges`: whether quick changes of it are one step, as typing is. */
  push(values, {field = null, merges = false, at = Date.now()} = {}) {
    const together = merges && this.#last.field === field && at - this.#last.at < TOGETHER_MS && this.#past.length > 0;
    if (!together) this.#past.push(this.#now);
    if (this.#past.length > STEPS_MAX) this.#past.shift();
    this.#now = values;
    this.#future = [];
    this.#last = {field: merges ? field : null, at};
  }

  /** Another state that undo leads to, as what was typed on another device. */
  seed(values) {
    this.#past.push(values);
  }

  undo() {
    return this.#step(this.#past, this.#future);
  }

  redo() {
    return this.#step(this.#future, this.#past);
  }

  #step(from, to) {
    if (!from.length) return null;
    to.push(this.#now);
    this.#now = from.pop();
    this.#last = {field: null, at: 0};
    return this.#now;
  }
}
