/** Which module answers which type of field. A module is fetched where a task uses it, and nowhere else. */

const MODULES = {
  choice: () => import("./choice.js"),
  taxonomy: () => import("./taxonomy.js"),
  rating: () => import("./rating.js"),
  text: () => import("./text.js"),
  number: () => import("./number.js"),
  preference: () => import("./preference.js"),
  ranking: () => import("./ranking.js"),
  boxes: () => import("./shapes.js"),
  polygons: () => import("./shapes.js"),
  polylines: () => import("./shapes.js"),
  keypoints: () => import("./shapes.js"),
  spans: () => import("./spans.js"),
  segments: () => import("./segments.js"),
  transcription: () => import("./transcription.js"),
  mask: () => import("./later.js"),
  tracks: () => import("./later.js"),
  cuboids: () => import("./later.js"),
};

/**
 * The module that answers fields of a type: `mount(host, options) → tool`.
 *
 * A type that the page does not know gets the tool that says so, as a newer server may ask for it.
 */
export function toolFor(type) {
  return (MODULES[type] ?? MODULES.mask)();
}
