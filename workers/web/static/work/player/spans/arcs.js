/** Relations as arcs over the text: all of them while they are few, else those of the span that is picked. */
import {svg} from "../../../pages/dom.js";

const FEW = 8;
const RISE = 16;
const RISE_MAX = 44;

/** Draw them on the pane. Each has `from`, `to` (spans), `title`, `colour`, `picked`. */
export function drawArcs(pane, relations) {
  const shown = relations.filter((one) => one.from && one.to && (one.picked || relations.length <= FEW));
  pane.over.replaceChildren(...shown.flatMap((one) => arc(pane, one)));
}

function arc(pane, {from, to, title, colour, picked}) {
  const [x1, y1] = top(pane, from);
  const [x2, y2] = top(pane, to);
  const rise = Math.min(RISE_MAX, RISE + Math.abs(x2 - x1) / 10);
  const high = Math.max(4, Math.min(y1, y2) - rise);
  const path = svg("path", {d: `M${x1},${y1} C${x1},${high} ${x2},${high} ${x2},${y2}`, class: picked ? "arc picked" : "arc"});
  const head = svg("path", {d: `M${x2 - 4},${y2 - 7} L${x2},${y2} L${x2 + 4},${y2 - 7}`, class: picked ? "arc picked" : "arc"});
  const name = svg("text", {x: (x1 + x2) / 2, y: Math.max(10, (y1 + y2) / 8 + (high * 3) / 4), class: "arc-name"});
  name.textContent = title;
  for (const part of [path, head, name]) part.style.setProperty("--mark", colour);
  return [path, head, name];
}

function top(pane, span) {
  const begin = pane.spot(span.start);
  const end = pane.spot(span.end, true);
  const oneLine = Math.abs(begin.top - end.top) < begin.height / 2;
  return [Math.round(oneLine ? (begin.left + end.left) / 2 : begin.left + 8), Math.round(begin.top)];
}
