/** Mouse, pen and fingers. */

import {around, edgeAt, markAt, reach} from "./hits.js";

// A pointer that moved less was meant as a click.
const CLICK_PX = 5;
const SNAP_PX = 8;

/** Gestures on a drawing; `press` is what a `Viewport` asks. */
export class Pointer {
  /** `point()` is called when only the crosshair has moved. */
  constructor(view, scene, drawing, point) {
    Object.assign(this, {view, scene, drawing, point});
  }

  /** The point as it is kept: in the picture, on its border where it is close to that. */
  snapped([x, y]) {
    const {scale} = this.view;
    const {width, height} = this.drawing.bounds;
    const near = (at, end) => (at * scale < SNAP_PX ? 0 : (end - at) * scale < SNAP_PX ? end : at);
    return this.drawing.fit([near(x, width), near(y, height)], scale > 1);
  }

  hover(event) {
    const {drawing, view} = this;
    if (!view.ready || !drawing.bounds) return;
    const point = view.toPicture(event);
    drawing.cursor = this.snapped(point);
    view.frame.dataset.under = drawing.draft ? "" : this._under(point, event);
    this.point();
  }

  leave() {
    if (!this.drawing.cursor) return;
    this.drawing.cursor = null;
    this.point();
  }

  press(event, point) {
    const {drawing} = this;
    if (!drawing.bounds) return null;
    const near = reach(event.pointerType, this.view.scale);
    if (drawing.draft) return this._next(event, near);
    drawing.settle();
    const mark = drawing.readonly ? null : markAt(this.scene, point, near);
    if (mark) return this._hold(event, point, mark);
    const edge = edgeAt(drawing, point, near * 0.75);
    if (edge) return this._take(event, point, edge);
    if (drawing.mode === "draw") return this._draw(event, point, near);
    const found = around(drawing, point);
    if (found) return this._take(event, point, found);
    drawing.select(null);
    return null;
  }

  _under(point, event) {
    const {drawing} = this;
    const near = reach(event.pointerType, this.view.scale);
    if (!drawing.readonly && markAt(this.scene, point, near)) return "mark";
    if (edgeAt(drawing, point, near * 0.75)) return "shape";
    return drawing.mode !== "draw" && around(drawing, point) ? "shape" : "";
  }

  _moved(from, event) {
    return Math.hypot(event.clientX - from.clientX, event.clientY - from.clientY) >= CLICK_PX;
  }

  /** The next point of the draft, where the pointer is let go. */
  _next(from, near) {
    const {drawing} = this;
    return {
      move: (event, point) => this._cursor(point),
      up: (event, point) => {
        const occluded = drawing.occluding || event.shiftKey;
        drawing.place(this.snapped(point), {near: drawing.kind.dragged ? 0 : near, occluded});
        this._lift(from);
      },
      cancel: () => this._lift(from),
    };
  }

  /** A new shape: by dragging where two points make it, else by clicks. */
  _draw(from, begun, near) {
    const {drawing, view} = this;
    const drags = Boolean(drawing.kind.dragged);
    let drawn = false;
    const begin = () => {
      drawn = drawing.start();
      if (drawn) drawing.place(this.snapped(begun));
    };
    return {
      move: (event, point) => {
        if (drags && !drawn && this._moved(from, event)) begin();
        this._cursor(point);
      },
      up: (event, point) => {
        if (drawn) {
          drawing.place(this.snapped(point));
        } else if (drags) {
          const found = around(drawing, begun);
          if (found) drawing.select(found.id);
          else begin();
        } else if (drawing.start()) {
          drawing.place(this.snapped(point), {near, occluded: event.shiftKey});
        }
        this._lift(from);
        view.frame.dataset.under = "";
      },
      cancel: () => {
        if (drawn) drawing.cancel();
        this._lift(from);
      },
    };
  }

  /** The mark of the selected shape follows the pointer. */
  _hold(from, begun, mark) {
    const {drawing} = this;
    if (mark.middle !== undefined) {
      const before = drawing.chosen.thing;
      drawing.insert(mark.middle, this.snapped(mark.at), false);
      return this._follow(from, begun, drawing.chosen.thing, before, (thing, point) => this._handled(thing, mark.middle, point, mark.at, begun));
    }
    const {thing} = drawing.chosen;
    if (mark.grip) return this._follow(from, begun, thing, thing, (now, point) => this._shifted(now, begun, point));
    drawing.select(drawing.selected, mark.handle);
    return this._follow(from, begun, thing, thing, (now, point) => this._handled(now, mark.handle, point, mark.at, begun));
  }

  _take(from, begun, entry) {
    const {drawing} = this;
    const known = drawing.selected === entry.id;
    drawing.select(entry.id);
    // Fingers slip: what was not selected yet is only selected.
    if (drawing.readonly || (from.pointerType === "touch" && !known)) return {};
    return this._follow(from, begun, entry.thing, entry.thing, (thing, point) => this._shifted(thing, begun, point));
  }

  _handled(thing, key, [x, y], [atX, atY], [fromX, fromY]) {
    return this.drawing.kind.moved(thing, key, this.snapped([atX + x - fromX, atY + y - fromY]), this.drawing.field);
  }

  _shifted(thing, [fromX, fromY], [x, y]) {
    const [dx, dy] = [x - fromX, y - fromY];
    const fine = this.view.scale > 1;
    return this.drawing.kind.shifted(thing, fine ? dx : Math.round(dx), fine ? dy : Math.round(dy), this.drawing.bounds);
  }

  /** `thing` is what is dragged, `before` what comes back when the gesture is broken off. */
  _follow(from, begun, thing, before, drag) {
    const {drawing} = this;
    const id = drawing.selected;
    let moved = false;
    return {
      move: (event, point) => {
        moved ||= this._moved(from, event);
        if (!moved || !drawing.entry(id)) return;
        drawing.fresh = false;
        drawing.replace(id, drag(thing, point), false);
      },
      up: () => {
        const now = drawing.entry(id)?.thing;
        if (now && now !== before) {
          drawing.commit();
          drawing.say(drawing.kind.facts(now));
        }
        drawing.render();
      },
      cancel: () => {
        if (drawing.entry(id)) drawing.replace(id, before, false);
      },
    };
  }

  _cursor(point) {
    this.drawing.cursor = this.snapped(point);
    this.point();
  }

  /** A finger that is lifted leaves no crosshair behind. */
  _lift(from) {
    if (from.pointerType === "touch") this.drawing.cursor = null;
    this.drawing.render();
  }
}
