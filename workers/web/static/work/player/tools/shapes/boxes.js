/** Boxes: {label, x, y, width, height}. */

import {gettext, interpolate} from "../../../../pages/i18n.js";
import {rounded, within} from "./geometry.js";
import {said} from "./words.js";

const edges = ({x, y, width, height}) => [x, y, rounded(x + width), rounded(y + height)];

function fromEdges(box, [left, top, right, bottom]) {
  return {...box, x: left, y: top, width: rounded(right - left), height: rounded(bottom - top)};
}

const SIDES = ["nw", "n", "ne", "e", "se", "s", "sw", "w"];
const names = () => ({
  nw: gettext("upper left corner"), n: gettext("upper edge"), ne: gettext("upper right corner"),
  e: gettext("right edge"), se: gettext("lower right corner"), s: gettext("lower edge"),
  sw: gettext("lower left corner"), w: gettext("left edge"),
});

/** See `kinds.js`. */
export const boxes = {
  words: () => ({
    one: gettext("box"), One: gettext("Box"), fresh: gettext("New box"), list: gettext("Boxes"),
    few: gettext("Draw at least %(count)s boxes."), many: gettext("There may be at most %(count)s boxes."),
    how: gettext("Drag from one corner of the thing to the opposite one, or click both corners."),
  }),
  closed: true,
  dragged: true,
  ends: () => 2,
  least: 2,

  made(label, [[ax, ay], [bx, by]]) {
    const [left, top, right, bottom] = [Math.min(ax, bx), Math.min(ay, by), Math.max(ax, bx), Math.max(ay, by)];
    return fromEdges({label}, [left, top, right, bottom]);
  },

  outline(box) {
    const [left, top, right, bottom] = edges(box);
    return [[left, top], [right, top], [right, bottom], [left, bottom]];
  },

  sketch: ([[ax, ay], [bx, by]]) => [[ax, ay], [bx, ay], [bx, by], [ax, by]],

  handles(box) {
    const [left, top, right, bottom] = edges(box);
    const called = names();
    return SIDES.map((key) => ({
      key,
      name: called[key],
      x: key.includes("w") ? left : key.includes("e") ? right : (left + right) / 2,
      y: key.includes("n") ? top : key.includes("s") ? bottom : (top + bottom) / 2,
    }));
  },

  moved(box, key, [x, y], field) {
    let [left, top, right, bottom] = edges(box);
    // An edge stops before its opposite, so that the box stays large enough.
    if (key.includes("w")) left = Math.min(x, right - field.min_size);
    if (key.includes("e")) right = Math.max(x, left + field.min_size);
    if (key.includes("n")) top = Math.min(y, bottom - field.min_size);
    if (key.includes("s")) bottom = Math.max(y, top + field.min_size);
    return fromEdges(box, [Math.max(left, 0), Math.max(top, 0), right, bottom]);
  },

  shifted: (box, dx, dy, {width, height}) => ({
    ...box,
    x: within(rounded(box.x + dx), 0, rounded(width - box.width)),
    y: within(rounded(box.y + dy), 0, rounded(height - box.height)),
  }),

  facts: ({x, y, width, height}) =>
    interpolate(gettext("x %(x)s, y %(y)s, %(width)s × %(height)s px"), {
      x: said(x), y: said(y), width: said(width), height: said(height),
    }),

  problem(box, field) {
    if (Math.min(box.width, box.height) >= field.min_size) return null;
    return interpolate(gettext("it must be at least %(size)s px wide and high"), {size: field.min_size});
  },
};
