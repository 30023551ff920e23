/**
 * The kinds of shapes by answer type. Each has, `thing` being one object of the answer's value:
 *
 *   words()                     what it is called
 *   closed                      whether its outline is
 *   named                       whether its points have names and are asked for one by one
 *   dragged                     whether its two points are drawn by dragging
 *   least                       how few points a drawing of it may be finished with
 *   ends(label, field)          with how many points it is finished by itself
 *   made(label, points, field)  the thing that was drawn
 *   sketch(points)              the line through the points of a drawing
 *   outline(thing)              its points
 *   bones(thing, field)         pairs of points that are joined, instead of an outline
 *   handles(thing)              [{key, name, x, y}]
 *   moved(thing, key, point, field)   with a handle put elsewhere
 *   shifted(thing, dx, dy, bounds)    as a whole, as far as the picture reaches
 *   inserted(thing, at, point), without(thing, key), relabelled(thing, label, field), seen(…)   where it can
 *   facts(thing)                its numbers in words
 *   problem(thing, field)       why the market would refuse it, or null
 *
 * Things are never changed in place.
 */

import {boxes} from "./boxes.js";
import {keypoints} from "./keypoints.js";
import {polygons, polylines} from "./lines.js";

export const KINDS = {boxes, polygons, polylines, keypoints};
