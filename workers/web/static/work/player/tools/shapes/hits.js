/** What lies under a pointer. */

import {distance, extent, fromStretch, inside} from "./geometry.js";

// How close counts, in pixels of the screen: fingers are broader than the tip of a mouse.
const REACH_PX = {mouse: 9, pen: 12, touch: 24};

/** How close counts for a pointer, in pixels of the picture. */
export const reach = (pointerType, scale) => (REACH_PX[pointerType] ?? REACH_PX.mouse) / scale;

// Things are never changed in place, so what was measured once stays true.
const extents = new WeakMap();

function extentOf(kind, thing) {
  if (!extents.has(thing)) extents.set(thing, extent(kind.outline(thing)));
  return extents.get(thing);
}

function nearest(candidates, point, most) {
  let found = null;
  for (const candidate of candidates) {
    const apart = distance(candidate.at, point);
    if (apart <= most) [found, most] = [candidate, apart];
  }
  return found;
}

/**
 * The mark of the selected shape under the point: {handle} | {middle, at} | {grip}, or null. Handles come before what
 * lies under them.
 */
export function markAt(scene, point, most) {
  const handles = scene.drawing.handles().map(({key, x, y}) => ({handle: key, at: [x, y]}));
  const middles = [...scene.middles()].map(([middle, at]) => ({middle, at}));
  const grip = scene.grip();
  return nearest(handles, point, most) ?? nearest(middles, point, most)
    ?? (grip ? nearest([{grip: true, at: grip}], point, most) : null);
}

/** The shape of which an edge or a point lies under the point, the nearest one; null if there is none. */
export function edgeAt(drawing, point, most) {
  const {kind, field} = drawing;
  let found = null;
  for (const entry of drawing.entries) {
    if (entry.hidden) continue;
    const [left, top, right, bottom] = extentOf(kind, entry.thing);
    const [x, y] = point;
    if (x < left - most || x > right + most || y < top - most || y > bottom + most) continue;
    const outline = kind.outline(entry.thing);
    const sides = kind.bones?.(entry.thing, field)
      ?? outline.map((end, at) => [end, outline[at + 1] ?? (kind.closed ? outline[0] : end)]);
    let apart = Math.min(...sides.map(([one, other]) => fromStretch(point, one, other)));
    if (kind.named) apart = Math.min(apart, ...outline.map((at) => distance(at, point)));
    if (apart <= most) [found, most] = [entry, apart];
  }
  return found;
}

/** The smallest shape around the point, or null. */
export function around(drawing, point) {
  const {kind} = drawing;
  if (!kind.closed) return null;
  const size = ({thing}) => {
    const [left, top, right, bottom] = extentOf(kind, thing);
    return (right - left) * (bottom - top);
  };
  const found = drawing.entries.filter((entry) => !entry.hidden && inside(point, kind.outline(entry.thing)));
  return found.sort((one, other) => size(one) - size(other))[0] ?? null;
}
