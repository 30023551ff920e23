/**
 * Keys on the picture.
 *
 *   n            begin a shape at the crosshair; on a selected point: add one after it
 *   arrows       move the crosshair, or the selected shape or point, by a pixel of the screen; Shift: by ten
 *   Enter        place a point; on a selected shape: go to its points; on a point with a name: visible or occluded
 *   Tab          the next shape, or the next point; past the last it leaves the picture
 *   Delete       the selected point or shape; while points with names are placed: this one is absent
 *   Backspace    take the last point back
 *   Escape       one step out
 *
 * Keys that labels have come first.
 */

import {gettext} from "../../../../pages/i18n.js";
import {saidPoint} from "./words.js";

const FAR = 10;
const NEAR_PX = 8;
const ARROWS = {ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1]};

export class Keyboard {
  constructor(view, scene, drawing, labelKeys) {
    Object.assign(this, {view, scene, drawing, labelKeys});
    this._leaving = false;
  }

  /** Whether the key was for the picture. */
  down(event) {
    const {drawing, view} = this;
    const {key} = event;
    const command = event.ctrlKey || event.metaKey;
    if (command && key.toLowerCase() === "z" && !event.shiftKey && drawing.draft) {
      drawing.back();
      return true;
    }
    if (command || event.altKey) return false;
    const leaving = this._leaving;
    this._leaving = false;
    if (!ARROWS[key] && key !== "Shift") drawing.settle();
    if (key === "Tab") return this._tab(event.shiftKey, leaving);
    if (!drawing.readonly) {
      const label = this.labelKeys.get(key.toLowerCase());
      if (label !== undefined) {
        drawing.choose(label);
        return true;
      }
    }
    if (key === "Escape") return this._escape();
    if (view.key(event, drawing.cursor ?? view.centre())) return true;
    if (!view.ready || !drawing.bounds || drawing.readonly) return false;
    if (ARROWS[key]) {
      this._arrow(ARROWS[key], event.shiftKey ? FAR : 1);
      return true;
    }
    return this._act(key, event.shiftKey);
  }

  /** Keys that were let go: a series of small moves is over. */
  up({key}) {
    if (!ARROWS[key]) return;
    this.drawing.settle();
    if (this._spoken) this.drawing.say(this._spoken);
    this._spoken = null;
  }

  /** Begin a shape at the crosshair, from wherever it was asked. */
  begin() {
    this._crosshair();
    const {drawing} = this;
    if (!drawing.draft && !drawing.start()) return;
    if (!drawing.kind.named) this._place(false);
  }

  _act(key, shifted) {
    const {drawing} = this;
    const held = drawing.chosen && drawing.handle !== null;
    switch (key.toLowerCase()) {
      case "n":
      case "insert":
        if (drawing.draft) this._place(shifted);
        else if (held && drawing.kind.inserted) this._insert();
        else this.begin();
        return true;
      case "enter":
        if (drawing.draft) this._place(shifted);
        else if (held && drawing.kind.named) this._see();
        else if (drawing.chosen && !drawing.fresh) drawing.select(drawing.selected, drawing.handles()[0].key);
        else this.begin();
        return true;
      case "delete":
        if (drawing.draft && drawing.kind.named) drawing.place(null);
        else if (drawing.chosen && !drawing.draft) drawing.removeSelected();
        return true;
      case "backspace":
        if (drawing.draft) drawing.back();
        else if (drawing.chosen) drawing.removeSelected();
        return true;
      default:
        return false;
    }
  }

  _place(occluded) {
    const {drawing, view} = this;
    this._crosshair();
    const point = drawing.fit(drawing.cursor, view.scale > 1);
    const near = drawing.kind.dragged ? 0 : NEAR_PX / view.scale;
    drawing.place(point, {near, occluded: drawing.occluding || occluded});
  }

  _insert() {
    const {drawing, view} = this;
    const points = drawing.kind.outline(drawing.chosen.thing);
    const at = drawing.handle;
    const other = at + 1 < points.length ? at + 1 : drawing.kind.closed ? 0 : at - 1;
    const place = [(points[at][0] + points[other][0]) / 2, (points[at][1] + points[other][1]) / 2];
    drawing.insert(other === at - 1 ? at : at + 1, drawing.fit(place, view.scale > 1));
  }

  _see() {
    const {drawing} = this;
    const {id, thing} = drawing.chosen;
    const visibility = thing.points[drawing.handle].visibility === "visible" ? "occluded" : "visible";
    drawing.replace(id, drawing.kind.seen(thing, drawing.handle, visibility));
    drawing.say(drawing.saidHandle());
  }

  _crosshair() {
    const {drawing, view} = this;
    drawing.cursor ??= drawing.fit(view.centre(), view.scale > 1);
  }

  _arrow([x, y], steps) {
    const {drawing, view} = this;
    const [dx, dy] = [(x * steps) / view.scale, (y * steps) / view.scale];
    if (drawing.chosen && !drawing.draft && !drawing.fresh) {
      drawing.nudge(dx, dy, view.scale > 1);
      const held = drawing.handles().find(({key}) => key === drawing.handle) ?? drawing.handles()[0];
      view.reveal([held.x, held.y]);
      return;
    }
    this._crosshair();
    const {width, height} = drawing.bounds;
    drawing.cursor = [
      Math.min(Math.max(drawing.cursor[0] + dx, 0), width), Math.min(Math.max(drawing.cursor[1] + dy, 0), height),
    ];
    view.reveal(drawing.cursor);
    this._spoken = saidPoint(drawing.fit(drawing.cursor, view.scale > 1));
    drawing.render();
  }

  /** To the next or previous shape or point; false lets the focus leave the picture. */
  _tab(back, leaving) {
    const {drawing, view} = this;
    if (drawing.draft || leaving) return false;
    if (drawing.fresh) {
      drawing.select(drawing.selected);
      return true;
    }
    const handles = drawing.handles();
    if (drawing.handle !== null) {
      const at = handles.findIndex(({key}) => key === drawing.handle);
      const next = handles[(at + (back ? -1 : 1) + handles.length) % handles.length];
      drawing.select(drawing.selected, next.key);
      view.reveal([next.x, next.y]);
      return true;
    }
    const at = drawing.entries.findIndex(({id}) => id === drawing.selected);
    if (at < 0 && back) return false;
    const entry = drawing.entries[at + (back ? -1 : 1)];
    drawing.select(entry?.id ?? null);
    if (entry) view.reveal(drawing.kind.outline(entry.thing)[0]);
    return Boolean(entry);
  }

  _escape() {
    const {drawing} = this;
    if (drawing.draft) drawing.cancel();
    else if (drawing.handle !== null) drawing.select(drawing.selected);
    else if (drawing.chosen) drawing.select(null);
    else {
      this._leaving = true;
      drawing.say(gettext("Tab leaves the picture."));
      return false;
    }
    if (!drawing.chosen) drawing.say(gettext("Nothing is selected."));
    return true;
  }
}
