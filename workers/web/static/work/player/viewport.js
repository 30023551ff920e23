/**
 * A picture that is zoomed and moved: by wheel, pinch, drag, keys and buttons.
 *
 *     mountImage(host, {src, alt})             shows a picture to look at
 *     new Viewport(frame, {src, alt, press})   the same for a tool that draws on it
 */

import {el} from "../../pages/dom.js";
import {gettext, interpolate} from "../../pages/i18n.js";

const SCALE_MAX = 32;
const STEP = 1.25;
const WHEEL = 0.0015;
const KEY_PX = 40;
// From here on single pixels are shown as squares.
const PIXELS_FROM = 4;
const PRIMARY = 0;
const MIDDLE = 1;

const KEYS = {
  "+": (view, at) => view.zoom(STEP, at),
  "=": (view, at) => view.zoom(STEP, at),
  "-": (view, at) => view.zoom(1 / STEP, at),
  PageUp: (view, at) => view.zoom(STEP, at),
  PageDown: (view, at) => view.zoom(1 / STEP, at),
  Home: (view) => view.fit(),
  End: (view, at) => view.actual(at),
};
const ARROWS = {ArrowLeft: [1, 0], ArrowRight: [-1, 0], ArrowUp: [0, 1], ArrowDown: [0, -1]};

/** Add a style sheet that lies beside a module to the page, once. */
export function stylesheet(address) {
  const {href} = new URL(address);
  if ([...document.styleSheets].some((sheet) => sheet.href === href) || document.querySelector(`link[href="${href}"]`)) return;
  document.head.append(el("link", {rel: "stylesheet", href}));
}

/**
 * The picture in a frame. Pixels of the picture are `scale` pixels of the screen; (x, y) is where its corner is.
 *
 * Events: "view" after each change of scale or place, "ready" when the picture is there, "failed" when it is not.
 */
export class Viewport extends EventTarget {
  /**
   * `press(event, point)` is asked when something presses on the picture, and may answer {move, up, cancel}; where it
   * answers nothing the picture is moved.
   */
  constructor(frame, {src, alt = "", press = () => null}) {
    super();
    Object.assign(this, {frame, press, scale: 1, x: 0, y: 0, width: 0, height: 0, fitted: true});
    this._src = src;
    this._pointers = new Map();
    this._gesture = null;
    this._space = false;
    this.image = el("img", {class: "view-picture", alt, draggable: "false", referrerpolicy: "no-referrer", decoding: "async"});
    this.failure = el("div", {class: "view-failure", role: "alert", hidden: true});
    frame.classList.add("view");
    frame.append(this.image, this.failure);
    this._off = new AbortController();
    this._listen();
    this._load();
  }

  get ready() {
    return this.width > 0;
  }

  /** The point of the picture at a place of the window. */
  toPicture({clientX, clientY}) {
    const {left, top} = this.frame.getBoundingClientRect();
    return [(clientX - left - this.frame.clientLeft - this.x) / this.scale, (clientY - top - this.frame.clientTop - this.y) / this.scale];
  }

  /** The middle of what is seen, in the picture. */
  centre() {
    const {clientWidth, clientHeight} = this.frame;
    return [(clientWidth / 2 - this.x) / this.scale, (clientHeight / 2 - this.y) / this.scale];
  }

  /** All of the picture. */
  fit() {
    this.scale = this._fitting();
    this.fitted = true;
    this.x = 0;
    this.y = 0;
    this._apply();
  }

  /** One pixel of the picture for one of the screen. */
  actual(at = this.centre()) {
    this.zoom(1 / this.scale, at);
  }

  /** Larger or smaller, with a point of the picture staying where it is. */
  zoom(factor, at = this.centre()) {
    if (!this.ready) return;
    const scale = Math.min(Math.max(this.scale * factor, this._fitting() / 2), SCALE_MAX);
    this.x += at[0] * (this.scale - scale);
    this.y += at[1] * (this.scale - scale);
    this.scale = scale;
    this.fitted = false;
    this._apply();
  }

  pan(dx, dy) {
    this.x += dx;
    this.y += dy;
    this.fitted = false;
    this._apply();
  }

  /** Move the picture as little as possible so that a point of it is seen. */
  reveal([x, y], margin = 24) {
    const {clientWidth, clientHeight} = this.frame;
    const [px, py] = [x * this.scale + this.x, y * this.scale + this.y];
    const beyond = (at, size) => Math.max(Math.min(margin, size / 2) - at, 0) + Math.min(size - Math.min(margin, size / 2) - at, 0);
    const [dx, dy] = [beyond(px, clientWidth), beyond(py, clientHeight)];
    if (!this.fitted && (dx || dy)) this.pan(dx, dy);
  }

  /** Whether the key moved or zoomed the picture. */
  key({key, ctrlKey, metaKey, altKey}, at = this.centre()) {
    if (!this.ready || ctrlKey || metaKey || altKey || !Object.hasOwn(KEYS, key)) return false;
    KEYS[key](this, at);
    return true;
  }

  /** Brightness and contrast as shares of what they are; they change only what is seen. */
  light(brightness, contrast) {
    this.image.style.filter = brightness === 1 && contrast === 1 ? "" : `brightness(${brightness}) contrast(${contrast})`;
  }

  destroy() {
    this._off.abort();
    this._resized.disconnect();
  }

  _fitting() {
    const {clientWidth, clientHeight} = this.frame;
    return Math.min(clientWidth / this.width, clientHeight / this.height) || 1;
  }

  _load() {
    this.failure.hidden = true;
    this.image.hidden = false;
    this.image.removeAttribute("src");
    this.image.src = this._src;
  }

  _loaded() {
    const {naturalWidth, naturalHeight} = this.image;
    if (!naturalWidth || !naturalHeight) {
      this._failed();
      return;
    }
    Object.assign(this, {width: naturalWidth, height: naturalHeight});
    // Sizes are set one by one: the site's policy lets no style attribute through.
    Object.assign(this.image.style, {width: `${naturalWidth}px`, height: `${naturalHeight}px`});
    this.frame.style.aspectRatio = `${naturalWidth} / ${naturalHeight}`;
    this.fit();
    this.dispatchEvent(new Event("ready"));
  }

  _failed() {
    this.image.hidden = true;
    this.failure.hidden = false;
    const again = el("button", {type: "button", class: "button quiet"}, gettext("Try again"));
    again.addEventListener("click", () => this._load());
    const words = gettext("The picture could not be loaded. Try again; if it stays away, report the task as broken.");
    this.failure.replaceChildren(el("p", {}, words), again);
    this.dispatchEvent(new Event("failed"));
  }

  /** At most once a frame: wheels and fingers tell more often than the screen is drawn. */
  _apply() {
    if (!this.ready) return;
    this._keepNear();
    this._drawing ??= requestAnimationFrame(() => {
      this._drawing = null;
      this.image.style.transform = `translate(${this.x}px, ${this.y}px) scale(${this.scale})`;
      this.image.classList.toggle("pixels", this.scale >= PIXELS_FROM);
      this.frame.classList.toggle("fitted", this.fitted);
      this.dispatchEvent(new Event("view"));
    });
  }

  /** Centred where it is smaller than the frame, without a gap where it is larger. */
  _keepNear() {
    const near = (at, size, room) => (size <= room ? (room - size) / 2 : Math.min(Math.max(at, room - size), 0));
    this.x = near(this.x, this.width * this.scale, this.frame.clientWidth);
    this.y = near(this.y, this.height * this.scale, this.frame.clientHeight);
  }

  _listen() {
    const {frame, image} = this;
    const on = (target, name, act, options = {}) =>
      target.addEventListener(name, act, {signal: this._off.signal, ...options});
    on(image, "load", () => this._loaded());
    on(image, "error", () => this._failed());
    on(frame, "wheel", (event) => this._wheel(event), {passive: false});
    on(frame, "pointerdown", (event) => this._down(event));
    on(frame, "pointermove", (event) => this._move(event));
    on(frame, "pointerup", (event) => this._up(event));
    on(frame, "pointercancel", (event) => this._up(event, true));
    on(frame, "keydown", (event) => this._spaced(event, true));
    on(frame, "keyup", (event) => this._spaced(event, false));
    on(frame, "blur", () => this._spaced({key: " "}, false));
    on(frame, "auxclick", (event) => event.preventDefault());
    this._resized = new ResizeObserver(() => (this.fitted && this.ready ? this.fit() : this._apply()));
    this._resized.observe(frame);
  }

  _wheel(event) {
    if (!this.ready) return;
    event.preventDefault();
    if (event.shiftKey) {
      this.pan(-event.deltaY - event.deltaX, 0);
      return;
    }
    const lines = event.deltaMode === WheelEvent.DOM_DELTA_LINE ? 16 : 1;
    // Browsers tell a pinch on a touchpad as a wheel with Ctrl, in small steps.
    const speed = event.ctrlKey ? 8 * WHEEL : WHEEL;
    this.zoom(Math.exp(-event.deltaY * lines * speed), this.toPicture(event));
  }

  _spaced(event, down) {
    if (event.key !== " " || (down && event.target !== this.frame)) return;
    if (down) event.preventDefault();
    this._space = down;
    this.frame.classList.toggle("panning", down);
  }

  _down(event) {
    if (!this.ready || event.target.closest?.("button")) return;
    if (event.button !== PRIMARY && event.button !== MIDDLE) return;
    event.preventDefault();
    this.frame.focus({preventScroll: true});
    // A pointer that a test makes up, or that has gone meanwhile, cannot be captured.
    try {
      this.frame.setPointerCapture(event.pointerId);
    } catch {}
    this._pointers.set(event.pointerId, event);
    if (this._pointers.size === 2) {
      this._gesture?.cancel?.();
      this._gesture = this._pinch();
    } else if (this._pointers.size === 1) {
      const free = this._space || event.button === MIDDLE;
      this._gesture = (!free && this.press(event, this.toPicture(event))) || this._drag(event);
    }
  }

  _move(event) {
    if (!this._pointers.has(event.pointerId)) return;
    this._pointers.set(event.pointerId, event);
    this._gesture?.move?.(event, this.toPicture(event));
  }

  _up(event, cancelled = false) {
    if (!this._pointers.delete(event.pointerId)) return;
    const gesture = this._gesture;
    this._gesture = null;
    if (cancelled) gesture?.cancel?.();
    else gesture?.up?.(event, this.toPicture(event));
  }

  _drag(event) {
    let last = event;
    this.frame.classList.add("panning");
    const end = () => this.frame.classList.toggle("panning", this._space);
    return {
      move: (now) => {
        if (now.clientX !== last.clientX || now.clientY !== last.clientY) {
          this.pan(now.clientX - last.clientX, now.clientY - last.clientY);
        }
        last = now;
      },
      up: end,
      cancel: end,
    };
  }

  _pinch() {
    const facts = () => {
      const [one, other] = [...this._pointers.values()];
      return {
        clientX: (one.clientX + other.clientX) / 2,
        clientY: (one.clientY + other.clientY) / 2,
        apart: Math.hypot(one.clientX - other.clientX, one.clientY - other.clientY) || 1,
      };
    };
    let last = facts();
    return {
      move: () => {
        const now = facts();
        this.zoom(now.apart / last.apart, this.toPicture(last));
        this.pan(now.clientX - last.clientX, now.clientY - last.clientY);
        last = now;
      },
    };
  }
}

/** The buttons that zoom, fit, and set brightness and contrast. */
export function viewBar(view) {
  const button = (text, name, act) => {
    const made = el("button", {type: "button", class: "view-button", "aria-label": name, title: name}, text);
    made.addEventListener("click", act);
    return made;
  };
  const scale = el("output", {class: "view-scale"});
  const show = () => (scale.textContent = `${Math.round(view.scale * 100)} %`);
  view.addEventListener("view", show);
  const slider = (name) => {
    const input = el("input", {type: "range", min: "0.3", max: "3", step: "0.1", value: "1"});
    input.addEventListener("input", () => view.light(Number(brightness.input.value), Number(contrast.input.value)));
    return {input, label: el("label", {}, el("span", {}, name), input)};
  };
  const brightness = slider(gettext("Brightness"));
  const contrast = slider(gettext("Contrast"));
  const reset = button(gettext("Reset"), gettext("Reset brightness and contrast"), () => {
    brightness.input.value = contrast.input.value = "1";
    view.light(1, 1);
  });
  const light = el("details", {class: "view-light"}, el("summary", {class: "view-button"}, gettext("Light")),
    el("div", {class: "view-sliders"}, brightness.label, contrast.label, reset));
  return el("div", {class: "view-bar", role: "group", "aria-label": gettext("View")},
    button("−", gettext("Zoom out"), () => view.zoom(1 / STEP)), scale,
    button("+", gettext("Zoom in"), () => view.zoom(STEP)),
    button(gettext("Fit"), gettext("Fit all of the picture"), () => view.fit()),
    button("1:1", gettext("1:1, the picture in its own size"), () => view.actual()), light);
}

/**
 * Show a picture that can be zoomed and moved. `alt` is what it is called.
 *
 * Returns {view, destroy()}.
 */
export function mountImage(host, {src, alt = ""}) {
  stylesheet(new URL("viewport.css", import.meta.url));
  const name = interpolate(gettext("%(name)s. Zoom with + and −, move with the arrows, Home shows all."), {name: alt || gettext("Picture")});
  const frame = el("div", {class: "view-plain", tabindex: "0", role: "group", "aria-label": name});
  host.append(frame);
  const view = new Viewport(frame, {src, alt});
  frame.addEventListener("keydown", (event) => {
    const arrow = view.ready && !event.ctrlKey && !event.metaKey && !event.altKey && ARROWS[event.key];
    if (arrow) view.pan(arrow[0] * KEY_PX, arrow[1] * KEY_PX);
    if (arrow || view.key(event)) {
      event.preventDefault();
      event.stopPropagation();
    }
  });
  host.append(viewBar(view));
  return {
    view,
    destroy() {
      view.destroy();
      host.replaceChildren();
    },
  };
}
