/**
 * A text as people read it: lines, words, sentences, characters, and the two ways to count them.
 *
 * Answers count characters as code points; the page counts UTF-16 units. Everything inside the tools is in units and is
 * turned into code points only where a value leaves or enters.
 */

const BREAK = /\r\n|\n|\r/g;
const PAIR = /[\ud800-\udfff]/;

/** One text with its lines and boundaries. What costs time is worked out line by line when it is first asked for. */
export class Reading {
  #points = null;
  #units = null;
  #segmented = new Map();
  #segmenters = new Map();

  constructor(text) {
    this.text = text;
    this.lines = [];
    let from = 0;
    for (const found of text.matchAll(BREAK)) {
      this.lines.push({start: from, end: found.index});
      from = found.index + found[0].length;
    }
    this.lines.push({start: from, end: text.length});
    if (PAIR.test(text)) this.#count();
  }

  /** How many code points are before this unit. */
  toPoints(unit) {
    return this.#points ? this.#points[unit] : unit;
  }

  /** The unit at which this code point begins; the end of the text for points beyond it. */
  toUnits(point) {
    if (!this.#units) return Math.min(point, this.text.length);
    return this.#units[Math.min(point, this.#units.length - 1)];
  }

  /** The number of the line that a unit is on; a line break belongs to the line that it ends. */
  lineAt(unit) {
    let low = 0;
    let high = this.lines.length - 1;
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if (this.lines[middle].start <= unit) low = middle;
      else high = middle - 1;
    }
    return low;
  }

  /** The stretch without white space around it and without torn characters; with `words`, whole words. Null if nothing
   * is left. */
  snapped(start, end, words) {
    let [from, to] = start <= end ? [start, end] : [end, start];
    [from, to] = [this.#piece("grapheme", from)?.start ?? from, this.#ceiling("grapheme", to)];
    if (words) {
      while (from < to && /\s/u.test(this.text[from])) from += 1;
      while (to > from && /\s/u.test(this.text[to - 1])) to -= 1;
      if (from === to) return null;
      const first = this.#piece("word", from);
      if (first?.word) from = first.start;
      const last = this.#piece("word", to - 1);
      if (last?.word) to = last.end;
    }
    return from < to ? {start: from, end: to} : null;
  }

  /** The word at a unit, or null where there is none. */
  wordAt(unit) {
    for (const at of [unit, unit - 1]) {
      const piece = at >= 0 ? this.#piece("word", at) : null;
      if (piece?.word) return {start: piece.start, end: piece.end};
    }
    return null;
  }

  /** Where a caret comes to from `unit`: `by` is character, word or sentence, `step` 1 or -1. */
  moved(unit, by, step) {
    const kind = by === "character" ? "grapheme" : by;
    const starts = this.#starts(kind, this.lineAt(unit));
    const line = this.lines[this.lineAt(unit)];
    if (step > 0) {
      if (unit >= line.end) return this.lines[this.lineAt(unit) + 1]?.start ?? this.text.length;
      const next = starts.find((one) => one.start > unit && (kind !== "word" || one.word));
      return next?.start ?? line.end;
    }
    if (unit <= line.start) return this.lineAt(unit) ? this.lines[this.lineAt(unit) - 1].end : 0;
    return starts.findLast((one) => one.start < unit && (kind !== "word" || one.word))?.start ?? line.start;
  }

  /** Where an end of a span, `start` or `end`, comes to by one step: to where a word starts or ends, or by one
   * character. */
  stepped(unit, end, step, words) {
    if (!words) return this.moved(unit, "character", step);
    const edges = this.#starts("word", this.lineAt(unit)).filter((one) => one.word).map((one) => one[end]);
    const found = step > 0 ? edges.find((edge) => edge > unit) : edges.findLast((edge) => edge < unit);
    return found ?? this.moved(unit, "word", step);
  }

  #ceiling(kind, unit) {
    const piece = this.#piece(kind, unit);
    return !piece || piece.start === unit ? unit : piece.end;
  }

  /** The piece that the unit is in; null at the end of a line. */
  #piece(kind, unit) {
    const starts = this.#starts(kind, this.lineAt(unit));
    let low = 0;
    let high = starts.length - 1;
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if (starts[middle].start <= unit) low = middle;
      else high = middle - 1;
    }
    const found = starts[low];
    return found && found.start <= unit && unit < found.end ? found : null;
  }

  #starts(kind, line) {
    const key = `${kind} ${line}`;
    if (!this.#segmented.has(key)) {
      if (!this.#segmenters.has(kind)) this.#segmenters.set(kind, new Intl.Segmenter(undefined, {granularity: kind}));
      const {start, end} = this.lines[line];
      const pieces = [];
      for (const one of this.#segmenters.get(kind).segment(this.text.slice(start, end))) {
        const from = start + one.index;
        pieces.push({start: from, end: from + one.segment.length, word: Boolean(one.isWordLike)});
      }
      this.#segmented.set(key, pieces);
    }
    return this.#segmented.get(key);
  }

  #count() {
    this.#points = new Uint32Array(this.text.length + 1);
    const units = [];
    for (let unit = 0; unit < this.text.length; ) {
      const size = this.text.codePointAt(unit) > 0xffff ? 2 : 1;
      this.#points[unit] = units.length;
      // Half of a pair counts as the point that it belongs to.
      if (size === 2) this.#points[unit + 1] = units.length;
      units.push(unit);
      unit += size;
    }
    this.#points[this.text.length] = units.length;
    units.push(this.text.length);
    this.#units = Uint32Array.from(units);
  }
}
