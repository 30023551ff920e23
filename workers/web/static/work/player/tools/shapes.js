/**
 * Boxes, polygons, polylines and skeletons on a picture: the tool of these four answer types.
 *
 * `shapes/drawing.js` holds what is drawn, `scene.js` draws it as SVG, `pointer.js` and `keyboard.js` read people's
 * hands, `panel.js` stands around the picture; what a type has to itself is in `kinds.js`.
 */

import {el} from "../../../pages/dom.js";
import {gettext, interpolate} from "../../../pages/i18n.js";
import {useSheet} from "../marking/sheet.js";
import {styled, viewBar, Viewport} from "../viewport.js";
import {Drawing} from "./shapes/drawing.js";
import {extent} from "./shapes/geometry.js";
import {Keyboard} from "./shapes/keyboard.js";
import {KINDS} from "./shapes/kinds.js";
import {Actions, keySheet, LabelPicker, ShapeList} from "./shapes/panel.js";
import {Pointer} from "./shapes/pointer.js";
import {Scene} from "./shapes/scene.js";

/** The key of each label: the one that it asks for, else the next that is free. */
function keysOf(labels, take) {
  const keys = new Map();
  for (const {value, hotkey} of labels) if (hotkey) keys.set(value, take(hotkey));
  for (const {value} of labels) keys.set(value, keys.get(value) ?? take());
  return new Map([...keys].filter(([, key]) => key).map(([value, key]) => [value, key.toLowerCase()]));
}

/** See tools/index.js. Values are lists of objects as `marketplace/projects/answer_types` has them. */
export async function mount(host, {field, data, value, readonly = false, changed, key: take = (wanted) => wanted ?? null}) {
  // Without them the picture would still move under the first touch.
  await Promise.all([styled(), useSheet(new URL("shapes.css", import.meta.url).href)]);
  const kind = KINDS[field.type];
  const keyOf = keysOf(field.labels, take);
  const beginKey = take("n");
  const status = el("p", {class: "shape-status", role: "status"});
  const name = interpolate(gettext("%(title)s: the picture to draw on. Press N to begin at the crosshair, arrows to move it."), {title: field.title});
  const frame = el("div", {class: "view-drawn", tabindex: "0", role: "application", "aria-label": name});
  let failed = false;
  // What the next frame has to show: nothing, where the crosshair is, or all.
  let due = null;

  // For the eyes; those who listen hear it from the status.
  const ask = el("p", {class: "shape-ask", "aria-hidden": "true"});

  const drawing = new Drawing({kind, field, changed, render: () => schedule(), say: (text) => (status.textContent = text)});
  const view = new Viewport(frame, {src: data[field.of], press: (event, point) => pointer.press(event, point)});
  const scene = new Scene(view, drawing);
  frame.append(ask);
  const pointer = new Pointer(view, scene, drawing, () => schedule(point));
  const keyboard = new Keyboard(view, scene, drawing, new Map([...keyOf].map(([label, key]) => [key, label])));
  const labels = new LabelPicker(drawing, keyOf);
  const actions = new Actions(drawing);
  const list = new ShapeList(drawing, keyOf, {focus, reveal});
  const keys = keySheet(kind);
  const bars = el("div", {class: "shape-bars"}, actions.element, viewBar(view));
  const picture = el("div", {class: "shape-picture"}, labels.element, frame, bars, status, keys);
  const root = el("div", {class: "shapes"}, el("div", {class: "shape-columns"}, picture, list.element));
  host.append(root);

  /** Draw at most once a frame, however often pointers tell. */
  function schedule(show = render) {
    if (due === null) {
      requestAnimationFrame(() => {
        const act = due;
        due = null;
        act();
      });
    }
    if (due !== render) due = show;
  }

  function point() {
    scene.point();
  }

  function render() {
    scene.render();
    labels.render();
    actions.render();
    list.render();
    ask.textContent = drawing.draft ? drawing.askedNow() : "";
    ask.hidden = !ask.textContent;
    bars.hidden = failed;
    frame.classList.toggle("drawing", drawing.startable && !drawing.readonly);
    root.classList.toggle("readonly", drawing.readonly);
  }

  function focus() {
    frame.focus({preventScroll: false});
  }

  function reveal({thing}) {
    const [left, top, right, bottom] = extent(kind.outline(thing));
    view.reveal([(left + right) / 2, (top + bottom) / 2]);
  }

  function setReadonly(locked) {
    drawing.readonly = locked;
    if (locked) drawing.draft = null;
    drawing.mode = locked ? "select" : "draw";
    labels.element.hidden = locked;
    keys.hidden = locked;
    schedule();
  }

  view.addEventListener("ready", () => {
    failed = false;
    // Where all pictures are said to have one size the market holds answers to that.
    const {width = view.width, height = view.height} = field;
    drawing.bounds = {width: Math.min(width, view.width), height: Math.min(height, view.height)};
    schedule();
  });
  view.addEventListener("failed", () => {
    failed = true;
    drawing.bounds = null;
    schedule();
  });
  frame.addEventListener("pointermove", (event) => {
    if (event.buttons === 0 && event.pointerType !== "touch") pointer.hover(event);
  });
  frame.addEventListener("pointerleave", (event) => {
    if (event.buttons === 0) pointer.leave();
  });
  frame.addEventListener("keydown", (event) => {
    if (event.target !== frame || !keyboard.down(event)) return;
    event.preventDefault();
    event.stopPropagation();
  });
  frame.addEventListener("keyup", (event) => keyboard.up(event));
  frame.addEventListener("blur", () => drawing.settle());
  setReadonly(readonly);
  drawing.show(value);

  return {
    shows: [field.of],
    show: (next) => drawing.show(next),
    problem() {
      drawing.settle();
      if (failed && !drawing.entries.length) return gettext("The picture could not be loaded, so nothing can be drawn.");
      return drawing.problem();
    },
    focus,
    setReadonly,
    destroy() {
      drawing.settle();
      view.destroy();
      host.replaceChildren();
    },
    keys: readonly ? [] : [
      ...field.labels.filter((label) => keyOf.has(label.value)).map((label) => ({
        key: keyOf.get(label.value), label: label.title, run: () => drawing.choose(label.value),
      })),
      ...(beginKey ? [{
        key: beginKey,
        label: drawing.words.fresh,
        run() {
          focus();
          keyboard.begin();
        },
      }] : []),
    ],
  };
}
