/** Relations as arcs over the text: all of them while they are few, else those of the span that is picked. */
import {svg} from "../../../pages/dom.js";

const FEW = 8;
// Names of labels stand above the text; arcs go over them.
const RISE = 17;
const RISE_MAX = 30;
const HEAD = 4;

/** Draw them on the pane. Each has `from`, `to` (spans), `title`, `colour`, `picked`. */
export function drawArcs(pane, relations) {
  pane.element.classList.toggle("related", relations.length > 0);
  const shown = relations.filter((one) => one.from && one.to && (one.picked || relations.length <= FEW));
  pane.over.replaceChildren(...shown.flatMap((one) => arc(pane, one)));
}

function arc(pane, {from, to, title, colour, picked}) {
  const [x1, y1] = above(pane, from);
  const [x2, y2] = above(pane, to);
  const rise = Math.min(RISE_MAX, RISE + Math.abs(x2 - x1) / 40);
  const [c1, c2] = [y1 - rise, y2 - rise];
  const names = picked ? "arc picked" : "arc";
  const path = svg("path", {d: `M${x1},${y1} C${x1},${c1 - rise / 3} ${x2},${c2 - rise / 3} ${x2},${y2}`, class: names});
  const head = svg("path", {d: `M${x2 - HEAD},${y2 - 2 * HEAD} L${x2},${y2} L${x2 + HEAD},${y2 - 2 * HEAD}`, class: names});
  // The middle of the curve: an eighth of each end and three of each control point.
  const name = svg("text", {x: (x1 + x2) / 2, y: (y1 + y2) / 8 + ((c1 + c2 - (2 * rise) / 3) * 3) / 8 + 4, class: "arc-name"}, title);
  // From line to line it would lie on words; the list says it as well.
  const parts = y1 === y2 ? [path, head, name] : [path, head];
  for (const part of parts) part.style.setProperty("--mark", colour);
  return parts;
}

function above(pane, span) {
  const begin = pane.spot(span.start);
  const end = pane.spot(span.end, true);
  const oneLine = Math.abs(begin.top - end.top) < begin.height / 2;
  return [Math.round(oneLine ? (begin.left + end.left) / 2 : begin.left + 8), Math.round(begin.top) - 1];
}
