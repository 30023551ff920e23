/**
 * Layers for stretches that overlap: each gets the lowest one that no stretch which it overlaps has.
 *
 * `stretches` are {start, end}. Returns a layer for each, in their order; longer stretches come to lie lower.
 */
export function layered(stretches) {
  const order = stretches.map((_, at) => at).sort((one, other) =>
    stretches[one].start - stretches[other].start || stretches[other].end - stretches[one].end || one - other);
  const ends = [];
  const layers = new Array(stretches.length).fill(0);
  for (const at of order) {
    let layer = ends.findIndex((end) => end <= stretches[at].start);
    if (layer < 0) layer = ends.length;
    ends[layer] = stretches[at].end;
    layers[at] = layer;
  }
  return layers;
}

/** The first of `others` that may not stand beside the stretch: any that overlaps it, or with `layers` only one of its
 * own label. */
export function inTheWay(stretch, others, layers) {
  return others.find((other) =>
    other !== stretch && other.start < stretch.end && stretch.start < other.end
    && (!layers || other.label === stretch.label)) ?? null;
}

/** For `sort`: by where they begin, then where they end, then by the order in which `labels` are declared. */
export function byPlace(labels) {
  const order = new Map(labels.map((label, at) => [label.value, at]));
  return (one, other) => one.start - other.start || one.end - other.end || order.get(one.label) - order.get(other.label);
}
