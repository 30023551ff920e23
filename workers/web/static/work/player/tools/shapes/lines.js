/** What polygons and polylines share: {label, points: [[x, y], …]}. */

import {gettext, interpolate, ngettext} from "../../../../pages/i18n.js";
import {crossing, extent, length, rounded, within} from "./geometry.js";
import {said} from "./words.js";

const POINTS_MAX = 1000;

const common = {
  ends: () => POINTS_MAX,
  made: (label, points) => ({label, points: points.map((point) => [...point])}),
  outline: ({points}) => points,
  sketch: (points) => points,

  handles: ({points}) =>
    points.map(([x, y], at) => ({
      key: at, x, y, name: interpolate(gettext("point %(number)s of %(count)s"), {number: at + 1, count: points.length}),
    })),

  moved: (line, key, point) => ({...line, points: line.points.with(key, point)}),

  shifted(line, dx, dy, {width, height}) {
    const [left, top, right, bottom] = extent(line.points);
    const [x, y] = [within(dx, -left, width - right), within(dy, -top, height - bottom)];
    return {...line, points: line.points.map(([u, v]) => [rounded(u + x), rounded(v + y)])};
  },

  inserted: (line, at, point) => ({...line, points: line.points.toSpliced(at, 0, point)}),
  full: (line) => line.points.length >= POINTS_MAX,

  /** Null where too few points would be left. */
  without(line, key) {
    return line.points.length > this.least ? {...line, points: line.points.toSpliced(key, 1)} : null;
  },
};

/** See `kinds.js`. */
export const polygons = {
  ...common,
  words: () => ({
    one: gettext("polygon"), One: gettext("Polygon"), fresh: gettext("New polygon"), list: gettext("Polygons"),
    few: gettext("Draw at least %(count)s polygons."), many: gettext("There may be at most %(count)s polygons."),
    how: gettext("Click the corners of the thing one after the other. Click the first one again to close the polygon."),
  }),
  closed: true,
  least: 3,
  crossing: (points, closed) => crossing(points, closed),

  facts({points}) {
    const [left, top, right, bottom] = extent(points);
    const count = ngettext("%(count)s point", "%(count)s points", points.length);
    return interpolate(gettext("%(points)s, %(width)s × %(height)s px"), {
      points: interpolate(count, {count: points.length}), width: said(right - left), height: said(bottom - top),
    });
  },

  problem({points}, field) {
    const met = crossing(points);
    if (met) {
      return interpolate(gettext("its sides from point %(one)s and from point %(other)s cross or touch; move one of them"), {
        one: met[0] + 1, other: met[1] + 1,
      });
    }
    const [left, top, right, bottom] = extent(points);
    if (Math.min(rounded(right - left), rounded(bottom - top)) >= field.min_size) return null;
    return interpolate(gettext("it must be at least %(size)s px wide and high"), {size: field.min_size});
  },
};

/** See `kinds.js`. */
export const polylines = {
  ...common,
  words: () => ({
    one: gettext("line"), One: gettext("Line"), fresh: gettext("New line"), list: gettext("Lines"),
    few: gettext("Draw at least %(count)s lines."), many: gettext("There may be at most %(count)s lines."),
    how: gettext("Click along the line. Click its last point again to end it."),
  }),
  closed: false,
  least: 2,

  facts({points}) {
    const count = ngettext("%(count)s point", "%(count)s points", points.length);
    return interpolate(gettext("%(points)s, %(length)s px long"), {
      points: interpolate(count, {count: points.length}), length: said(length(points)),
    });
  },

  problem({points}, field) {
    if (length(points) >= field.min_length) return null;
    return interpolate(gettext("it must be at least %(length)s px long"), {length: field.min_length});
  },
};
