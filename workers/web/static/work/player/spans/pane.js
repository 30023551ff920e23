/**
 * The text itself: drawn once line by line, spans over it, a caret, and the way from a place on the page to a place in
 * the text. Knows nothing of labels' rules: `spans` come with everything that is to be seen of them.
 */
import {el, svg} from "../../../pages/dom.js";

const KNOB_RISE = 2;

/** A pane for the reading in `host`. */
export class Pane {
  #reading;
  #lines;
  #drawn = [];
  #draft = new Set();
  #spans = [];

  constructor(reading, name) {
    this.#reading = reading;
    this.#lines = reading.lines.map((_, at) => el("div", {class: "spans-line", "data-line": String(at), dir: "auto"}));
    this.caret = el("i", {class: "spans-caret", "aria-hidden": "true", hidden: true});
    this.knobs = ["start", "end"].map((end) => el("i", {class: `spans-knob ${end}`, "data-end": end, "aria-hidden": "true", hidden: true}));
    this.over = svg("svg", {class: "spans-arcs", "aria-hidden": "true"});
    this.sheet = el("div", {class: "spans-sheet"}, ...this.#lines, this.over, this.caret, ...this.knobs);
    this.element = el("div", {
      class: reading.lines.length > 200 ? "spans-text long" : "spans-text", tabindex: "0", role: "textbox",
      "aria-readonly": "true", "aria-multiline": "true", "aria-label": name,
    }, this.sheet);
    this.draw([]);
  }

  /** Show the spans: {id, start, end, layer, colour, tag, picked}. Only lines that look different are touched. */
  draw(spans) {
    this.#spans = spans;
    const onLine = this.#lines.map(() => []);
    for (const span of spans) {
      const last = this.#reading.lineAt(Math.max(span.start, span.end - 1));
      for (let line = this.#reading.lineAt(span.start); line <= last; line += 1) onLine[line].push(span);
    }
    this.#lines.forEach((element, at) => {
      const here = onLine[at];
      const look = here.map((one) => `${one.id} ${one.start} ${one.end} ${one.layer} ${one.tag} ${one.picked}`).join("|");
      if (this.#drawn[at] === look) return;
      this.#drawn[at] = look;
      element.replaceChildren(...this.#pieces(this.#reading.lines[at], here));
    });
  }

  /** The place in the text under a point of the window, or null outside the text. */
  offsetAt(x, y) {
    let node;
    let offset;
    if (document.caretPositionFromPoint) {
      const place = document.caretPositionFromPoint(x, y);
      [node, offset] = [place?.offsetNode, place?.offset];
    } else {
      const range = document.caretRangeFromPoint(x, y);
      [node, offset] = [range?.startContainer, range?.startOffset];
    }
    return node && this.sheet.contains(node) ? this.offsetOf(node, offset) : null;
  }

  /** The place in the text of a place in the document within this pane. */
  offsetOf(node, offset) {
    if (node === this.element || node === this.sheet) {
      const at = node === this.element ? (offset ? this.#lines.length : 0) : offset;
      return at < this.#lines.length ? this.#reading.lines[at].start : this.#reading.text.length;
    }
    const line = (node.nodeType === Node.ELEMENT_NODE ? node : node.parentElement).closest(".spans-line");
    if (!line) return null;
    const range = document.createRange();
    range.selectNodeContents(line);
    range.setEnd(node, offset);
    const {start, end} = this.#reading.lines[Number(line.dataset.line)];
    return Math.min(start + range.toString().length, end);
  }

  /** The document's node and offset of a place in the text. */
  placeOf(unit) {
    const at = this.#reading.lineAt(unit);
    const line = this.#lines[at];
    let left = Math.min(unit, this.#reading.lines[at].end) - this.#reading.lines[at].start;
    const walker = document.createTreeWalker(line, NodeFilter.SHOW_TEXT);
    let last = null;
    while (walker.nextNode()) {
      last = walker.currentNode;
      if (left <= last.length) return [last, left];
      left -= last.length;
    }
    return last ? [last, last.length] : [line, 0];
  }

  /** The stretch as a range of the document. */
  rangeOf(start, end) {
    const range = document.createRange();
    range.setStart(...this.placeOf(start));
    range.setEnd(...this.placeOf(end));
    return range;
  }

  /** Where a place in the text is within the sheet: {left, top, height}. */
  spot(unit, atEnd = false) {
    const range = this.rangeOf(unit, unit);
    let box = range.getClientRects()[0] ?? null;
    const line = this.#reading.lines[this.#reading.lineAt(unit)];
    if (atEnd && unit > line.start) {
      // At the end of a line of the page the place after it is on the next one.
      box = [...this.rangeOf(Math.max(line.start, unit - 1), unit).getClientRects()].at(-1) ?? box;
    }
    if (!box) {
      box = this.#lines[this.#reading.lineAt(unit)].getBoundingClientRect();
      box = {left: box.left, right: box.left, top: box.top, height: Math.min(box.height, 28)};
    }
    const sheet = this.sheet.getBoundingClientRect();
    const rtl = getComputedStyle(this.#lines[this.#reading.lineAt(unit)]).direction === "rtl";
    return {left: (atEnd && !rtl ? box.right : box.left) - sheet.left, top: box.top - sheet.top, height: box.height};
  }

  /** Whether the line at a place runs from right to left. */
  runsLeft(unit) {
    return getComputedStyle(this.#lines[this.#reading.lineAt(unit)]).direction === "rtl";
  }

  /** Put the caret at a place and bring it into view; null hides it. */
  showCaret(unit) {
    this.caret.hidden = unit === null;
    if (unit === null) return;
    const {left, top, height} = this.spot(unit);
    Object.assign(this.caret.style, {left: `${left}px`, top: `${top}px`, height: `${height}px`});
  }

  /** Bring a place into view. */
  reveal(unit) {
    const {top, height} = this.spot(unit);
    const room = this.element;
    if (top < room.scrollTop) room.scrollTop = top - height;
    else if (top + 2 * height > room.scrollTop + room.clientHeight) room.scrollTop = top + 2 * height - room.clientHeight;
    const box = room.getBoundingClientRect();
    const y = box.top + top - room.scrollTop;
    if (y < 0 || y + height > window.innerHeight) this.#lines[this.#reading.lineAt(unit)].scrollIntoView({block: "center"});
  }

  /** Put the handles at the ends of a stretch; null hides them. */
  showKnobs(stretch) {
    for (const knob of this.knobs) {
      knob.hidden = !stretch;
      if (!stretch) continue;
      const {left, top, height} = this.spot(stretch[knob.dataset.end], knob.dataset.end === "end");
      Object.assign(knob.style, {left: `${left}px`, top: `${top + height - KNOB_RISE}px`});
    }
  }

  /** Tint a stretch that has no label yet, without touching the text: the selection in progress must survive. */
  tint(stretch) {
    if (!globalThis.Highlight) return;
    const all = CSS.highlights.get("spans-draft") ?? new Highlight();
    for (const range of this.#draft) all.delete(range);
    this.#draft.clear();
    if (stretch) {
      const range = this.rangeOf(stretch.start, stretch.end);
      this.#draft.add(range);
      all.add(range);
    }
    CSS.highlights.set("spans-draft", all);
  }

  #pieces({start, end}, spans) {
    if (start === end) return [document.createElement("br")];
    const {text} = this.#reading;
    if (!spans.length) return [document.createTextNode(text.slice(start, end))];
    const edges = [...new Set([start, end, ...spans.flatMap((one) => [one.start, one.end])])]
      .filter((edge) => edge >= start && edge <= end)
      .sort((one, other) => one - other);
    const pieces = [];
    for (let at = 0; at + 1 < edges.length; at += 1) {
      const [from, to] = [edges[at], edges[at + 1]];
      const here = spans.filter((one) => one.start < to && from < one.end);
      pieces.push(here.length ? piece(text.slice(from, to), here) : document.createTextNode(text.slice(from, to)));
      // Shorter ones first, so that names of nested spans close like brackets.
      const closing = here.filter((one) => one.end === to).sort((one, other) => other.start - one.start);
      pieces.push(...closing.map(tag));
    }
    return pieces;
  }
}

function piece(text, spans) {
  const mark = el("mark", {class: spans.some((one) => one.picked) ? "spans-piece picked" : "spans-piece",
    "data-spans": spans.map((one) => one.id).join(" ")}, text);
  // Underlines in layers, the first one nearest to the text: each span keeps its height along its whole length.
  const ordered = [...spans].sort((one, other) => one.layer - other.layer);
  const depth = Math.min(5, ordered.at(-1).layer + 1);
  const tone = (spans.find((one) => one.picked) ?? ordered.at(-1)).colour;
  const paint = ordered.filter((one) => one.layer < 5);
  mark.style.setProperty("--mark", tone);
  mark.style.paddingBottom = `${depth * 4}px`;
  mark.style.backgroundImage = paint.map((one) => `linear-gradient(${one.colour}, ${one.colour})`).join(", ");
  mark.style.backgroundPosition = paint.map((one) => `0 calc(100% - ${(depth - 1 - one.layer) * 4}px)`).join(", ");
  mark.style.backgroundSize = paint.map(() => "100% 3px").join(", ");
  return mark;
}

function tag(span) {
  const name = el("span", {class: span.picked ? "spans-tag picked" : "spans-tag", "data-spans": span.id,
    "data-tag": span.tag, "aria-hidden": "true"});
  name.style.setProperty("--mark", span.colour);
  return name;
}
