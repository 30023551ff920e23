/** Draws what a `Drawing` holds as SVG over the picture. Strokes and marks keep their size when the picture is zoomed. */

import {el, svg} from "../../../../pages/dom.js";
import {distance, extent, middle} from "./geometry.js";

const INKS = 8;
const DASHES = 4;
const HANDLE_PX = 6;
// So that a name does not hide the handle below it.
const TAG_LIFT_PX = 8;
const TAG_PX = 18;
// With more shapes than this only the selected one has its name written beside it.
const NAMED_MAX = 60;
// Between points that are closer on the screen there is no room for the mark that adds one.
const MIDDLE_FROM_PX = 36;
const MOVE_FROM_PX = 64;
const REPAINT_MS = 200;
const REPAINT_MAX_MS = 1000;

/** The classes that give a label its colour and its dashes, so that no two are told apart by colour alone. */
function inked(field, value) {
  const at = Math.max(field.labels.findIndex((label) => label.value === value), 0);
  const ink = field.labels[at]?.colour ? field.labels[at].colour - 1 : at % INKS;
  return `ink-${ink} dash-${(at + Math.floor(at / INKS)) % DASHES}`;
}

const path = (points, closed) => (points.length ? `M${points.map(([x, y]) => `${x} ${y}`).join("L")}${closed ? "Z" : ""}` : "");
const stretches = (pairs) => pairs.map((pair) => path(pair, false)).join("");

/** A short stretch of line as a key to a label's colour and dashes. */
export function swatch(field, value) {
  return svg("svg", {class: `shape-swatch ${inked(field, value)}`, viewBox: "0 0 28 12", "aria-hidden": "true"},
    svg("path", {class: "halo", d: "M1 6H27"}), svg("path", {class: "line", d: "M1 6H27"}));
}

export class Scene {
  constructor(view, drawing) {
    Object.assign(this, {view, drawing});
    this.shapes = svg("g");
    this.draft = svg("g", {class: "draft"});
    this.handles = svg("g");
    this.chosen = svg("g");
    // Layers of their own: what moves does not make the rest be painted again.
    this.pictures = [svg("g", {}, this.shapes), svg("g", {}, this.chosen, this.draft, this.handles)];
    this.guides = [el("div", {class: "guide across"}), el("div", {class: "guide upright"})];
    this._nodes = new Map();
    this._fixed = new Set();
    this._painted = {x: 0, y: 0, scale: 1};
    this._since = null;
    const layers = this.pictures.map((group) => svg("svg", {class: "view-marks", "aria-hidden": "true"}, group));
    view.frame.append(...layers, ...this.guides);
    view.addEventListener("view", () => this._follow());
  }

  render() {
    this._shapes();
    this._handles();
    this.point();
  }

  /** Show where the crosshair is now. */
  point() {
    this._draft();
    this._guides();
  }

  /**
   * Move with the picture. Many shapes take longer to paint than a frame lasts: they are moved and scaled as they were
   * painted last, and painted again when the picture rests.
   */
  _follow() {
    const [all, active] = this.pictures;
    this._put(active);
    if (this.drawing.entries.length <= NAMED_MAX) {
      this._put(all);
    } else {
      const {x, y, scale} = this.view;
      const share = scale / this._painted.scale;
      all.parentNode.style.transform = `translate(${x - this._painted.x * share}px, ${y - this._painted.y * share}px) scale(${share})`;
      this._since ??= performance.now();
      clearTimeout(this._repaint);
      const late = performance.now() - this._since > REPAINT_MAX_MS;
      this._repaint = setTimeout(() => this._put(all), late ? 0 : REPAINT_MS);
    }
    if (this.view.scale !== this._scale) {
      this._scale = this.view.scale;
      this._handles();
      this._draft();
    }
    this._guides();
  }

  /** Put a layer to where the picture is. Only a change of scale has to touch each mark. */
  _put(group) {
    const {x, y, scale} = this.view;
    group.setAttribute("transform", `translate(${x} ${y}) scale(${scale})`);
    if (group === this.pictures[0]) {
      group.parentNode.style.transform = "";
      this._painted = {x, y, scale};
      this._since = null;
    }
    if (group.scale === scale) return;
    group.scale = scale;
    for (const node of this._fixed) if (group.contains(node)) this._place(node);
  }

  /** A mark that keeps its size at a point of the picture. */
  _mark([x, y], ...children) {
    const node = svg("g", {}, ...children);
    node.at = [x, y];
    this._place(node);
    return node;
  }

  _place(node) {
    const {scale, width} = this.view;
    const [x, y] = node.at;
    let shift = "";
    if (node.width) {
      // A name stands above its shape, and in the picture.
      const up = y * scale < TAG_PX + node.lift ? TAG_PX + 4 + node.lift : -node.lift;
      const left = Math.min((width - x) * scale - node.width, 0);
      shift = ` translate(${left} ${up})`;
    }
    node.setAttribute("transform", `translate(${x} ${y}) scale(${1 / scale})${shift}`);
  }

  _shapes() {
    const {entries, selected} = this.drawing;
    const gone = new Set(this._nodes.keys());
    const named = entries.length <= NAMED_MAX;
    entries.forEach((entry, at) => {
      gone.delete(entry.id);
      const state = `${at} ${entry.hidden} ${entry.id === selected} ${named}`;
      const known = this._nodes.get(entry.id);
      if (known?.thing === entry.thing && known.state === state) return;
      const made = {thing: entry.thing, state, node: this._shape(entry, at + 1, named)};
      const layer = entry.id === selected ? this.chosen : this.shapes;
      if (known) this._forget(known.node);
      if (known?.node.parentNode === layer) known.node.replaceWith(made.node);
      else {
        known?.node.remove();
        layer.append(made.node);
      }
      this._nodes.set(entry.id, made);
    });
    for (const id of gone) {
      this._forget(this._nodes.get(id).node);
      this._nodes.get(id).node.remove();
      this._nodes.delete(id);
    }
  }

  _forget(node) {
    for (const mark of node.querySelectorAll("g")) this._fixed.delete(mark);
  }

  _shape({id, thing, hidden}, number, named) {
    const {kind, field, selected} = this.drawing;
    const chosen = id === selected;
    const node = svg("g", {class: `shape ${inked(field, thing.label)}${chosen ? " chosen" : ""}`, "data-shape": number});
    if (hidden) return node;
    const outline = kind.outline(thing);
    const d = kind.bones ? stretches(kind.bones(thing, field)) : path(outline, kind.closed);
    if (kind.closed) node.append(svg("path", {class: "area", d}));
    node.append(svg("path", {class: "halo", d}), svg("path", {class: "line", d}));
    const met = kind.crossing?.(outline, true);
    if (met) node.append(this._crossed(outline, met));
    if (kind.named && !chosen) for (const handle of kind.handles(thing)) node.append(this._keep(this._dot(handle)));
    if (named || chosen) {
      const [left, top] = extent(outline);
      const {title} = this.drawing.label(thing.label);
      node.append(this._keep(this._tag([left, top], `${number} ${title}`, kind.named || chosen ? TAG_LIFT_PX : 0)));
    }
    return node;
  }

  _keep(mark) {
    this._fixed.add(mark);
    return mark;
  }

  /** The name on a ground of the label's colour; its width is reckoned, for measuring it would cost a layout. */
  _tag(at, text, lift) {
    const short = text.length > 24 ? `${text.slice(0, 23)}…` : text;
    const width = [...short].length * 7 + 10;
    const node = svg("g", {},
      svg("rect", {class: "tag", x: -1, y: -TAG_PX - 1, width, height: TAG_PX, rx: 3}),
      svg("text", {class: "tag-text", x: 4, y: -6, textLength: width - 10, lengthAdjust: "spacingAndGlyphs"}, short));
    Object.assign(node, {at, width, lift});
    this._place(node);
    return node;
  }

  _dot({x, y, visibility, key}, className = "") {
    const shape = typeof key === "string" && !visibility
      ? svg("rect", {x: -HANDLE_PX + 1, y: -HANDLE_PX + 1, width: 2 * HANDLE_PX - 2, height: 2 * HANDLE_PX - 2, rx: 1})
      : svg("circle", {r: HANDLE_PX});
    shape.setAttribute("class", `dot ${visibility ?? ""} ${className}`);
    return this._mark([x, y], shape);
  }

  _crossed(points, met) {
    const side = (at) => [points[at], points[(at + 1) % points.length]];
    return svg("path", {class: "crossed", d: stretches(met.map(side))});
  }

  _handles() {
    const {drawing} = this;
    const {chosen, kind, handle} = drawing;
    const marks = [];
    if (chosen && !chosen.hidden && !drawing.draft) {
      const ink = inked(drawing.field, chosen.thing.label);
      if (!drawing.readonly) {
        for (const [x, y] of this.middles().values()) {
          marks.push(this._mark([x, y], svg("circle", {class: "middle", r: 7}), svg("path", {class: "sign", d: "M-4 0H4M0 -4V4"})));
        }
        const grip = this.grip();
        if (grip) {
          marks.push(this._mark(grip, svg("circle", {class: "middle", r: 10}),
            svg("path", {class: "sign", d: "M-6 0H6M0 -6V6M-6 0l2 -2M-6 0l2 2M6 0l-2 -2M6 0l-2 2M0 -6l-2 2M0 -6l2 2M0 6l-2 -2M0 6l2 -2"})));
        }
      }
      const dots = kind.handles(chosen.thing);
      for (const dot of dots) {
        const mark = this._dot(dot, dot.key === handle ? "held" : "");
        if (kind.named) mark.append(svg("text", {class: "point-name", x: 10, y: 4}, dot.key.replaceAll("_", " ")));
        marks.push(mark);
      }
      this.handles.setAttribute("class", ink);
    }
    this.handles.replaceChildren(...marks);
  }

  /** Where a point can be added to the selected shape: by its place among the points. */
  middles() {
    const {chosen, kind} = this.drawing;
    const found = new Map();
    if (!chosen || !kind.inserted || kind.full(chosen.thing)) return found;
    const points = kind.outline(chosen.thing);
    const sides = kind.closed ? points.length : points.length - 1;
    for (let at = 0; at < sides; at += 1) {
      const next = points[(at + 1) % points.length];
      if (distance(points[at], next) * this.view.scale >= MIDDLE_FROM_PX) found.set(at + 1, middle(points[at], next));
    }
    return found;
  }

  /** What the selected shape is moved by as a whole, where there is room for it. */
  grip() {
    const {chosen, kind} = this.drawing;
    if (!chosen || kind.named) return null;
    const [left, top, right, bottom] = extent(kind.outline(chosen.thing));
    const room = Math.min(right - left, bottom - top) * this.view.scale;
    return room >= MOVE_FROM_PX ? [(left + right) / 2, (top + bottom) / 2] : null;
  }

  _draft() {
    const {draft, kind, cursor, field} = this.drawing;
    if (!draft) {
      if (this.draft.firstChild) this.draft.replaceChildren();
      return;
    }
    const points = draft.points.filter(Boolean);
    const shown = cursor && points.length && !kind.named ? [...points, cursor] : points;
    const marks = [];
    if (kind.named) {
      const thing = kind.made(draft.label, draft.points, field);
      const d = stretches(kind.bones(thing, field));
      marks.push(svg("path", {class: "halo", d}), svg("path", {class: "line", d}));
      marks.push(...kind.handles(thing).map((dot) => this._dot(dot)));
    } else {
      const line = kind.dragged && shown.length === 2 ? kind.sketch(shown) : shown;
      const d = path(line, kind.dragged);
      marks.push(svg("path", {class: "halo", d}), svg("path", {class: "line", d}));
      if (kind.crossing && shown.length > 2) {
        marks.push(svg("path", {class: "closing", d: path([shown.at(-1), shown[0]], false)}));
        // The crosshair may well lie on a point: only sides with a length can cross.
        const sides = shown.filter((point, at) => at === 0 || distance(point, shown[at - 1]) > 0);
        const met = kind.crossing(sides, false);
        if (met) marks.push(this._crossed(sides, met));
      }
      marks.push(...points.map(([x, y], at) => this._dot({x, y, key: at}, at === 0 && kind.closed ? "first" : "")));
    }
    this.draft.setAttribute("class", `draft ${inked(field, draft.label)}`);
    this.draft.replaceChildren(...marks);
  }

  _guides() {
    const {cursor, startable, readonly} = this.drawing;
    const shown = Boolean(cursor) && startable && !readonly;
    for (const guide of this.guides) guide.hidden = !shown;
    if (!shown) return;
    const {x, y, scale} = this.view;
    const [across, upright] = this.guides;
    across.style.transform = `translateY(${cursor[1] * scale + y}px)`;
    upright.style.transform = `translateX(${cursor[0] * scale + x}px)`;
  }
}
