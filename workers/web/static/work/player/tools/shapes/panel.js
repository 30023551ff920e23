/** What stands around the picture: labels, buttons, and the list of shapes. */

import {el, icon, show} from "../../../../pages/dom.js";
import {gettext, interpolate} from "../../../../pages/i18n.js";
import {visibilities} from "./keypoints.js";
import {swatch} from "./scene.js";
import {plainName} from "./words.js";

// More labels than this are chosen from a menu, where typing finds them.
const LABELS_SHOWN = 12;
let panels = 0;

const button = (props, ...children) => el("button", {type: "button", ...props}, ...children);

/** A menu of all labels. */
function labelMenu(field, keyOf, props) {
  return el("select", props, field.labels.map(({value, title}) =>
    el("option", {value}, keyOf.has(value) ? `${title} (${keyOf.get(value).toUpperCase()})` : title)));
}

/** The choice of the label for the next shape, or for the one that is selected. */
export class LabelPicker {
  constructor(drawing, keyOf) {
    this.drawing = drawing;
    const {field} = drawing;
    const name = `shape-label-${(panels += 1)}`;
    if (field.labels.length > LABELS_SHOWN) {
      this.menu = labelMenu(field, keyOf, {"aria-label": gettext("Label"), onchange: () => drawing.choose(this.menu.value)});
      this.element = el("div", {class: "shape-labels"}, this.menu);
      return;
    }
    this.inputs = new Map();
    this.element = el("div", {class: "shape-labels", role: "radiogroup", "aria-label": gettext("Label")}, field.labels.map(({value, title}) => {
      const input = el("input", {type: "radio", name, value, class: "visually-hidden", onchange: () => drawing.choose(value)});
      this.inputs.set(value, input);
      const key = keyOf.get(value);
      return el("label", {class: "shape-label"}, input, swatch(field, value), el("span", {}, title),
        key && el("kbd", {"aria-hidden": "true"}, key.toUpperCase()));
    }));
  }

  render() {
    const {drawing} = this;
    const value = drawing.draft?.label ?? (drawing.chosen && !drawing.fresh ? drawing.chosen.thing.label : drawing.current);
    if (this.menu) this.menu.value = value;
    else this.inputs.get(value).checked = true;
  }
}

/** Draw or select, and what can be done with the shape in the making. */
export class Actions {
  constructor(drawing) {
    this.drawing = drawing;
    const mode = (value, name) => button({class: "button quiet small", onclick: () => {
      drawing.mode = value;
      drawing.render();
    }}, icon(value === "draw" ? "edit" : "hand"), name);
    this.draw = mode("draw", gettext("Draw"));
    this.pick = mode("select", gettext("Select and move"));
    const act = (name, run, props = {}) => button({class: "button quiet small", onclick: run, ...props}, name);
    this.finish = act(gettext("Finish"), () => drawing.finish(), {class: "button small"});
    this.occluded = act(gettext("Next is occluded"), () => {
      drawing.occluding = !drawing.occluding;
      drawing.render();
    });
    this.absent = act(gettext("Absent"), () => drawing.place(null));
    this.back = act(gettext("Back"), () => drawing.back());
    this.cancel = act(gettext("Cancel"), () => drawing.cancel());
    this.modes = el("div", {class: "row", role: "group", "aria-label": gettext("What a press does")}, this.draw, this.pick);
    this.making = el("div", {class: "row"}, this.finish, this.occluded, this.absent, this.back, this.cancel);
    this.element = el("div", {class: "shape-actions"}, this.modes, this.making);
  }

  render() {
    const {drawing} = this;
    this.modes.hidden = Boolean(drawing.draft) || drawing.readonly;
    this.making.hidden = !drawing.draft;
    this.draw.setAttribute("aria-pressed", String(drawing.mode === "draw"));
    this.pick.setAttribute("aria-pressed", String(drawing.mode !== "draw"));
    this.occluded.setAttribute("aria-pressed", String(drawing.occluding));
    for (const only of [this.occluded, this.absent]) only.hidden = !drawing.kind.named;
    this.finish.hidden = drawing.kind.dragged;
    this.finish.disabled = !drawing.finishable;
  }
}

/** The list of what is drawn, with what can be done to each. */
export class ShapeList {
  /** `focus()` brings the focus back to the picture; `reveal(entry)` shows where a shape is. */
  constructor(drawing, keyOf, {focus, reveal}) {
    Object.assign(this, {drawing, keyOf, focus, reveal});
    this._rows = new Map();
    this.count = el("span", {class: "soft number"});
    this.list = el("ol", {class: "shape-list"});
    this.empty = el("p", {class: "soft"}, drawing.words.how);
    this.nothing = el("input", {type: "checkbox", onchange: () => drawing.sayNothing(this.nothing.checked)});
    this.none = el("label", {class: "shape-none"}, this.nothing, el("span", {}, gettext("There is nothing to mark in this picture")));
    this.element = el("section", {class: "shape-panel", "aria-label": drawing.words.list},
      el("p", {class: "shape-panel-title"}, el("strong", {}, drawing.words.list), " ", this.count), this.empty, this.none, this.list);
  }

  render() {
    const {drawing} = this;
    const {entries, field} = drawing;
    this.count.textContent = interpolate(gettext("%(count)s of at most %(most)s"), {count: entries.length, most: field.max});
    this.empty.hidden = entries.length > 0 || drawing.readonly;
    this.none.hidden = entries.length > 0 || field.min > 0 || Boolean(drawing.draft) || (drawing.readonly && !drawing.nothing);
    this.nothing.checked = drawing.nothing;
    this.nothing.disabled = drawing.readonly;
    const gone = new Set(this._rows.keys());
    entries.forEach((entry, at) => {
      gone.delete(entry.id);
      const row = this._rows.get(entry.id) ?? this._row(entry.id);
      this._rows.set(entry.id, row);
      this._fill(row, entry, at);
      if (this.list.children[at] !== row.element) this.list.insertBefore(row.element, this.list.children[at] ?? null);
    });
    for (const id of gone) this._drop(id);
  }

  _drop(id) {
    const {element} = this._rows.get(id);
    const held = element.contains(document.activeElement);
    const next = element.nextElementSibling ?? element.previousElementSibling;
    element.remove();
    this._rows.delete(id);
    if (!held) return;
    if (next) next.querySelector("button").focus();
    else this.focus();
  }

  _row(id) {
    const {drawing} = this;
    const pick = button({class: "shape-pick", onclick: () => {
      drawing.select(id);
      this.reveal(drawing.entry(id));
    }});
    const eye = button({class: "button quiet small icon-only", onclick: () => drawing.toggleHidden(id)}, icon("eye"));
    const bin = button({class: "button quiet small icon-only", onclick: () => drawing.remove(id)}, icon("trash"));
    const wrong = el("p", {class: "errorlist"});
    const more = el("div", {class: "shape-more"});
    return {pick, eye, bin, wrong, more, element: el("li", {}, el("div", {class: "shape-row"}, pick, eye, bin), wrong, more)};
  }

  _fill(row, entry, at) {
    const {drawing} = this;
    const chosen = entry.id === drawing.selected;
    const state = `${at} ${chosen} ${entry.hidden} ${drawing.handle} ${drawing.readonly} ${drawing.bounds?.width}`;
    if (row.thing === entry.thing && row.state === state) return;
    Object.assign(row, {thing: entry.thing, state});
    const name = drawing.name(entry);
    const {title} = drawing.label(entry.thing.label);
    show(row.pick, swatch(drawing.field, entry.thing.label), el("span", {class: "shape-name"}, `${at + 1} ${title}`));
    row.pick.setAttribute("aria-label", name);
    row.pick.setAttribute("aria-pressed", String(chosen));
    row.eye.setAttribute("aria-label", interpolate(gettext("Hide %(name)s"), {name}));
    row.eye.setAttribute("aria-pressed", String(entry.hidden));
    row.bin.setAttribute("aria-label", interpolate(gettext("Delete %(name)s"), {name}));
    row.bin.hidden = drawing.readonly;
    row.element.classList.toggle("off", entry.hidden);
    const problem = drawing.wrong(entry);
    row.wrong.textContent = problem ?? "";
    row.wrong.hidden = !problem;
    row.more.hidden = !chosen;
    if (chosen) this._more(row, entry);
  }

  /** What is shown of the selected shape besides: its numbers, its label, and of skeletons the points. */
  _more(row, entry) {
    const {drawing} = this;
    const {kind, field} = drawing;
    if (row.shownFor !== drawing.readonly) {
      row.shownFor = drawing.readonly;
      row.facts = el("p", {class: "soft number"});
      row.menu = labelMenu(field, this.keyOf, {"aria-label": gettext("Label of this shape"), onchange: () => {
        drawing.relabel(entry.id, row.menu.value);
        row.menu.value = drawing.entry(entry.id).thing.label;
      }});
      row.menu.disabled = drawing.readonly;
      row.points = el("div", {class: "shape-points"});
      show(row.more, row.facts, field.labels.length > 1 && row.menu, row.points);
    }
    row.facts.textContent = kind.facts(entry.thing);
    row.menu.value = entry.thing.label;
    if (kind.named) this._points(row, entry);
  }

  _points(row, {id, thing}) {
    const {drawing} = this;
    const {kind} = drawing;
    const names = Object.keys(thing.points);
    if (row.pointsOf !== thing.label) {
      row.pointsOf = thing.label;
      row.seen = new Map(names.map((name) => {
        const menu = el("select", {onchange: () => this._see(id, name, menu.value)},
          Object.entries(visibilities()).map(([value, word]) => el("option", {value}, word)));
        return [name, menu];
      }));
      show(row.points, [...row.seen].map(([name, menu]) => el("label", {class: "shape-point"}, el("span", {}, plainName(name)), menu)));
    }
    for (const [name, menu] of row.seen) {
      menu.value = thing.points[name].visibility;
      menu.disabled = drawing.readonly || !drawing.bounds;
      menu.parentElement.classList.toggle("held", drawing.handle === name);
    }
  }

  _see(id, name, visibility) {
    const {drawing} = this;
    const {kind} = drawing;
    const {thing} = drawing.entry(id);
    if (visibility === "absent" && !kind.without(thing, name)) {
      drawing.say(gettext("At least one of its points must be in the picture."));
      this._rows.get(id).seen.get(name).value = thing.points[name].visibility;
      return;
    }
    // A point that was absent comes to the middle of the others, from where it is dragged.
    const places = kind.outline(thing);
    const mean = (axis) => places.reduce((sum, place) => sum + place[axis], 0) / places.length;
    drawing.handle = visibility === "absent" ? null : name;
    drawing.replace(id, kind.seen(thing, name, visibility, drawing.fit([mean(0), mean(1)], false)));
    drawing.say(`${plainName(name)}: ${visibilities()[visibility]}`);
  }
}

/** The keys of the picture, for those who look for them. */
export function keySheet(kind) {
  const rows = [
    ["N", gettext("Begin at the crosshair")],
    ["↑ ↓ ← →", gettext("Move the crosshair, or what is selected; with Shift ten times as far")],
    ["Enter", kind.named
      ? gettext("Place the point; with Shift it is occluded")
      : kind.dragged ? gettext("Place the corner") : gettext("Place a point; twice in one place ends it")],
    ...(kind.named ? [["Del", gettext("The point is absent")]] : []),
    ["⌫", gettext("Take the last point back")],
    ["Tab", gettext("Next shape; Enter goes to its points, Tab to the next one")],
    ["Del", gettext("Delete what is selected")],
    ["Esc", gettext("One step out; then Tab leaves the picture")],
    ["+ −", gettext("Zoom; Home shows all, End its own size")],
    [gettext("Space"), gettext("Hold it and drag to move the picture")],
  ];
  return el("details", {class: "shape-keys"}, el("summary", {}, icon("keyboard"), gettext("Keys")),
    el("dl", {}, rows.map(([key, words]) => el("div", {}, el("dt", {}, el("kbd", {}, key)), el("dd", {}, words)))));
}
