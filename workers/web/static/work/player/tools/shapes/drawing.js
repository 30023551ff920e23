/**
 * What is drawn: the shapes, which of them is selected, and the one in the making. It knows no page.
 *
 * `render()` is called after every change that can be seen, `changed(value)` only after finished ones.
 */

import {gettext, interpolate} from "../../../../pages/i18n.js";
import {distance, rounded, within} from "./geometry.js";
import {saidPoint} from "./words.js";

const POINTS_IN_ALL = 20_000;

export class Drawing {
  /**
   * cursor   where the crosshair is, or null
   * current  the label that the next shape gets
   * draft    {label, points} of the shape in the making, or null
   * fresh    whether the selected shape was just drawn, so that a choice of label is meant for the next one
   */
  constructor({kind, field, changed, render, say}) {
    Object.assign(this, {kind, field, render, say, words: kind.words()});
    this._changed = changed;
    this._next = 1;
    this._moving = false;
    this.entries = [];
    this.nothing = false;
    this.bounds = null;
    this.mode = "draw";
    this.current = field.labels[0].value;
    this.occluding = false;
    this.cursor = null;
    this.draft = null;
    this.drop();
  }

  drop() {
    this.selected = null;
    this.handle = null;
    this.fresh = false;
  }

  /** Show a value that came from outside. Shapes that were there keep their place, their eye and their selection. */
  show(value) {
    const left = [...this.entries];
    const take = (fits) => {
      const at = left.findIndex(fits);
      return at < 0 ? null : left.splice(at, 1)[0];
    };
    const things = Array.isArray(value) ? value : [];
    const same = things.map((thing) => {
      const text = JSON.stringify(thing);
      return take((entry) => JSON.stringify(entry.thing) === text);
    });
    // What is left over on both sides was changed, in order.
    const entries = things.map((thing, at) => {
      const entry = same[at] ?? left.shift() ?? {id: this._next++, hidden: false};
      return same[at] ?? {...entry, thing};
    });
    this.entries = entries;
    this.nothing = Array.isArray(value) && value.length === 0;
    this._moving = false;
    if (!this.entry(this.selected)) this.drop();
    else if (this.handle !== null && !this.handles().some(({key}) => key === this.handle)) this.handle = null;
    this.render();
  }

  get value() {
    if (this.entries.length) return this.entries.map(({thing}) => thing);
    return this.nothing ? [] : undefined;
  }

  entry(id) {
    return this.entries.find((entry) => entry.id === id) ?? null;
  }

  get chosen() {
    return this.entry(this.selected);
  }

  number(id) {
    return this.entries.findIndex((entry) => entry.id === id) + 1;
  }

  label(value) {
    return this.field.labels.find((label) => label.value === value) ?? {value, title: value};
  }

  name(entry) {
    return `${this.words.One} ${this.number(entry.id)}, ${this.label(entry.thing.label).title}`;
  }

  handles() {
    return this.chosen ? this.kind.handles(this.chosen.thing) : [];
  }

  /** The point in the picture, at its finest where the picture is shown enlarged. */
  fit([x, y], fine) {
    const {width, height} = this.bounds;
    return [rounded(within(x, 0, width), fine), rounded(within(y, 0, height), fine)];
  }

  /** Tell the page what the value is now. */
  commit() {
    this._moving = false;
    this._changed(this.value);
  }

  /** Commit what keys have moved; they move in many small steps, of which only the last is a change. */
  settle() {
    if (this._moving) this.commit();
  }

  // ---- labels

  /** Take a label for the next shape, or for the one that is selected or in the making. */
  choose(value) {
    const {title} = this.label(value);
    if (this.draft && this.kind.named && this.draft.points.length) {
      this.say(gettext("Finish or cancel this skeleton first."));
      return;
    }
    this.current = value;
    if (this.draft) {
      this.draft = {...this.draft, label: value};
    } else if (this.chosen && !this.fresh) {
      this.relabel(this.selected, value);
      return;
    } else {
      this.drop();
    }
    this.say(title);
    this.render();
  }

  relabel(id, label) {
    const {thing} = this.entry(id);
    const made = this.kind.relabelled ? this.kind.relabelled(thing, label, this.field) : {...thing, label};
    if (!made) {
      this.say(interpolate(gettext("%(label)s has none of its points."), {label: this.label(label).title}));
      this.render();
      return;
    }
    this.current = label;
    this.replace(id, made);
    this.say(this.name(this.entry(id)));
  }

  // ---- shapes that are there

  select(id, handle = null) {
    this.settle();
    this.selected = id;
    this.handle = handle;
    this.fresh = false;
    const entry = this.chosen;
    if (entry) {
      entry.hidden = false;
      this.current = entry.thing.label;
      this.say(handle === null ? `${this.name(entry)}: ${this.kind.facts(entry.thing)}` : this.saidHandle());
    }
    this.render();
  }

  saidHandle() {
    const {name, x, y} = this.handles().find(({key}) => key === this.handle);
    return `${name}: ${saidPoint([x, y])}`;
  }

  /** Put a changed thing in the place of a shape. Unless `finished` more will follow. */
  replace(id, thing, finished = true) {
    this.entries = this.entries.map((entry) => (entry.id === id ? {...entry, thing} : entry));
    if (finished) this.commit();
    this.render();
  }

  /** Move the selected shape or its handle a little, by keys. `settle` ends it. */
  nudge(dx, dy, fine) {
    const {id, thing} = this.chosen;
    const before = this.handles().find(({key}) => key === this.handle);
    const moved = before
      ? this.kind.moved(thing, before.key, this.fit([before.x + dx, before.y + dy], fine), this.field)
      : this.kind.shifted(thing, rounded(dx, fine), rounded(dy, fine), this.bounds);
    this._moving = true;
    this.fresh = false;
    this.replace(id, moved, false);
    this.say(before ? this.saidHandle() : this.kind.facts(moved));
  }

  remove(id) {
    const entry = this.entry(id);
    const name = this.name(entry);
    this.entries = this.entries.filter((one) => one.id !== id);
    if (this.selected === id) this.drop();
    this.commit();
    this.say(interpolate(gettext("%(name)s deleted. %(count)s left."), {name, count: this.entries.length}));
    this.render();
  }

  /** Delete the selected handle's point, or the shape where it cannot be without it or no point is selected. */
  removeSelected() {
    const {id, thing} = this.chosen;
    if (this.handle === null || !this.kind.without) {
      this.remove(id);
      return;
    }
    const rest = this.kind.without(thing, this.handle);
    if (!rest) {
      this.say(gettext("It cannot have fewer points. Press Escape and then Delete to delete all of it."));
      return;
    }
    const keys = this.kind.handles(rest).map(({key}) => key);
    const at = typeof this.handle === "number" ? Math.min(this.handle, keys.length - 1) : null;
    this.handle = at;
    this.replace(id, rest);
    this.say(this.kind.facts(rest));
  }

  insert(at, point, finished = true) {
    const {id, thing} = this.chosen;
    if (this.kind.full(thing)) return;
    this.handle = at;
    this.replace(id, this.kind.inserted(thing, at, point), finished);
    this.say(this.saidHandle());
  }

  toggleHidden(id) {
    this.entries = this.entries.map((entry) => (entry.id === id ? {...entry, hidden: !entry.hidden} : entry));
    const entry = this.entry(id);
    this.say(interpolate(entry.hidden ? gettext("%(name)s hidden") : gettext("%(name)s shown"), {name: this.name(entry)}));
    if (entry.hidden && this.selected === id) this.drop();
    this.render();
  }

  /** Say, or take back, that there is nothing in the picture to mark. */
  sayNothing(nothing) {
    this.nothing = nothing;
    this.commit();
    this.render();
  }

  // ---- the shape in the making

  /** The names of the points that a drawing of the current draft asks for, where they have names. */
  get asked() {
    return this.kind.named && this.draft ? this.field.skeletons[this.draft.label].points : [];
  }

  get startable() {
    return this.bounds !== null && this.mode === "draw";
  }

  /** Begin a shape; false where there may be no more. */
  start() {
    if (!this.bounds) return false;
    if (this.entries.length >= this.field.max) {
      this.say(interpolate(this.words.many, {count: this.field.max}));
      return false;
    }
    this.settle();
    this.drop();
    this.mode = "draw";
    this.occluding = false;
    this.draft = {label: this.current, points: []};
    this.say(`${this.words.fresh}: ${this.label(this.current).title}. ${this.askedNow() || this.words.how}`);
    this.render();
    return true;
  }

  askedNow() {
    const name = this.asked[this.draft?.points.length];
    return name === undefined ? "" : interpolate(gettext("Place: %(name)s (%(number)s of %(count)s)"), {
      name: name.replaceAll("_", " "), number: this.draft.points.length + 1, count: this.asked.length,
    });
  }

  /**
   * Put the next point of the draft; `near` is how close to its first or last point means that one, `occluded` only
   * for points with names. A null point is absent.
   */
  place(point, {near = 0, occluded = this.occluding} = {}) {
    const {points, label} = this.draft;
    if (this.kind.named) {
      points.push(point && occluded ? [...point, "occluded"] : point);
      this.occluding = false;
    } else {
      const ends = this.kind.closed ? [points[0], points.at(-1)] : [points.at(-1)];
      if (points.length && ends.some((end) => distance(end, point) <= near)) {
        if (points.length >= this.kind.least && !this.kind.dragged) this.finish();
        else this.say(gettext("That is too close to the point before."));
        return;
      }
      points.push(point);
    }
    const placed = point ? saidPoint(point) : gettext("absent");
    if (points.length >= this.kind.ends(label, this.field)) {
      this.finish();
      return;
    }
    this.say(`${interpolate(gettext("Point %(number)s"), {number: points.length})}: ${placed}. ${this.askedNow()}`);
    this.render();
  }

  /** Take the last point of the draft back. */
  back() {
    if (!this.draft.points.length) {
      this.cancel();
      return;
    }
    this.draft.points.pop();
    this.say(this.askedNow() || interpolate(gettext("%(count)s points left"), {count: this.draft.points.length}));
    this.render();
  }

  get finishable() {
    return Boolean(this.draft) && this.draft.points.filter(Boolean).length >= this.kind.least;
  }

  /** Make a shape of the draft. */
  finish() {
    if (!this.finishable) {
      this.say(this.kind.named
        ? gettext("At least one of its points must be in the picture.")
        : interpolate(gettext("It needs at least %(count)s points."), {count: this.kind.least}));
      if (this.kind.named) this.draft = null;
      this.render();
      return;
    }
    const {label, points} = this.draft;
    const thing = this.kind.made(label, points, this.field);
    const problem = this.kind.problem(thing, this.field);
    this.draft = null;
    if (problem && !this.kind.crossing?.(points, true)) {
      this.say(`${interpolate(gettext("Not kept: %(problem)s."), {problem})}`);
      this.render();
      return;
    }
    const entry = {id: this._next++, thing, hidden: false};
    this.entries = [...this.entries, entry];
    this.nothing = false;
    this.selected = entry.id;
    this.handle = null;
    this.fresh = true;
    this.commit();
    this.say(`${this.name(entry)}: ${problem ?? this.kind.facts(thing)}`);
    this.render();
  }

  cancel() {
    this.draft = null;
    this.say(gettext("Cancelled"));
    this.render();
  }

  // ---- what is wrong

  /** Why the market would refuse the shape, or null. */
  wrong(entry) {
    return this.kind.problem(entry.thing, this.field) ?? this._outside(entry.thing);
  }

  /** What is wrong with the whole, in words, or null. */
  problem() {
    if (this.draft) {
      return interpolate(gettext("You have not finished a %(shape)s. Finish it, or cancel it with Escape."), {
        shape: this.words.one,
      });
    }
    if (!this.entries.length) return null;
    for (const entry of this.entries) {
      const problem = this.wrong(entry);
      if (problem) return `${this.name(entry)}: ${problem}.`;
    }
    const seen = new Map();
    for (const entry of this.entries) {
      const text = JSON.stringify(entry.thing);
      if (seen.has(text)) {
        return interpolate(gettext("%(one)s and %(other)s are the same; delete one."), {
          one: this.name(seen.get(text)), other: this.name(entry),
        });
      }
      seen.set(text, entry);
    }
    if (this.entries.length < this.field.min) return interpolate(this.words.few, {count: this.field.min});
    if (this.entries.length > this.field.max) return interpolate(this.words.many, {count: this.field.max});
    const points = this.kind.inserted ? this.entries.reduce((sum, {thing}) => sum + thing.points.length, 0) : 0;
    if (this.field.type === "polygons" && points > POINTS_IN_ALL) {
      return interpolate(gettext("There may be at most %(count)s points in all."), {count: POINTS_IN_ALL});
    }
    return null;
  }

  _outside(thing) {
    if (!this.bounds) return null;
    const {width, height} = this.bounds;
    const out = this.kind.outline(thing).some(([x, y]) => x < 0 || y < 0 || x > width || y > height);
    return out ? interpolate(gettext("it reaches out of the picture of %(width)s × %(height)s px"), {width, height}) : null;
  }
}
