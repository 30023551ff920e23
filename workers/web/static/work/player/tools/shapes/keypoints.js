/** Skeletons: {label, points: {name: {x, y, visibility} | {visibility: "absent"}}}, all points of the label there. */

import {gettext, interpolate} from "../../../../pages/i18n.js";
import {extent, rounded, within} from "./geometry.js";
import {plainName} from "./words.js";

const ABSENT = "absent";

/** The points of a skeleton that have a place, as [name, point]. */
const placed = ({points}) => Object.entries(points).filter(([, point]) => point.visibility !== ABSENT);
const places = (skeleton) => placed(skeleton).map(([, {x, y}]) => [x, y]);
const withPoint = (skeleton, name, point) => ({...skeleton, points: {...skeleton.points, [name]: point}});

/** The words for a point's visibility. */
export const visibilities = () => ({
  visible: gettext("visible"), occluded: gettext("occluded"), absent: gettext("absent"),
});

/** See `kinds.js`. Its drawings are lists of [x, y, visibility], or null for a point that is absent. */
export const keypoints = {
  words: () => ({
    one: gettext("skeleton"), One: gettext("Skeleton"), fresh: gettext("New skeleton"), list: gettext("Skeletons"),
    few: gettext("Draw at least %(count)s skeletons."), many: gettext("There may be at most %(count)s skeletons."),
    how: gettext("Click each point as it is asked for. Say of points that are hidden or missing that they are."),
  }),
  closed: false,
  named: true,
  least: 1,
  ends: (label, field) => field.skeletons[label].points.length,

  made(label, points, field) {
    const entries = field.skeletons[label].points.map((name, at) => {
      const point = points[at];
      return [name, point ? {x: point[0], y: point[1], visibility: point[2] ?? "visible"} : {visibility: ABSENT}];
    });
    return {label, points: Object.fromEntries(entries)};
  },

  outline: places,
  sketch: (points) => points.filter(Boolean),

  /** The joined points as pairs of places. */
  bones({label, points}, field) {
    return field.skeletons[label].edges
      .map(([one, other]) => [points[one], points[other]])
      .filter((ends) => ends.every((end) => end && end.visibility !== ABSENT))
      .map((ends) => ends.map(({x, y}) => [x, y]));
  },

  handles: (skeleton) =>
    placed(skeleton).map(([key, {x, y, visibility}]) => ({
      key, x, y, visibility, name: `${plainName(key)}, ${visibilities()[visibility]}`,
    })),

  moved: (skeleton, key, [x, y]) => withPoint(skeleton, key, {...skeleton.points[key], x, y}),

  shifted(skeleton, dx, dy, {width, height}) {
    const [left, top, right, bottom] = extent(places(skeleton));
    const [x, y] = [within(dx, -left, width - right), within(dy, -top, height - bottom)];
    const points = Object.entries(skeleton.points).map(([name, point]) => [
      name, point.visibility === ABSENT ? point : {...point, x: rounded(point.x + x), y: rounded(point.y + y)},
    ]);
    return {...skeleton, points: Object.fromEntries(points)};
  },

  /** A point made visible, occluded or absent; one that had no place comes to `at`. */
  seen(skeleton, name, visibility, at) {
    const before = skeleton.points[name];
    if (visibility === ABSENT) return withPoint(skeleton, name, {visibility});
    return withPoint(skeleton, name, {x: before.x ?? at[0], y: before.y ?? at[1], visibility});
  },

  /** A point that is deleted is absent; null where it was the last. */
  without: (skeleton, key) =>
    placed(skeleton).length > 1 ? withPoint(skeleton, key, {visibility: ABSENT}) : null,

  /** With the points that the other label has too; null where there are none. */
  relabelled(skeleton, label, field) {
    const entries = field.skeletons[label].points.map((name) => [name, skeleton.points[name] ?? {visibility: ABSENT}]);
    const made = {label, points: Object.fromEntries(entries)};
    return placed(made).length ? made : null;
  },

  facts: (skeleton) =>
    interpolate(gettext("%(placed)s of %(count)s points"), {
      placed: placed(skeleton).length, count: Object.keys(skeleton.points).length,
    }),

  problem: () => null,
};
