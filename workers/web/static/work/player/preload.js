/** Fetch the pictures of the next tasks while the person still looks at this one. */

const KEPT_MAX = 40;
const kept = new Map();

/** Start to load the pictures of these tasks; they stay in memory until newer ones take their place. */
export function preload(fields, leases) {
  for (const {data} of leases) {
    for (const {name, type} of fields) {
      const address = data[name];
      if (type !== "image" || typeof address !== "string" || address.startsWith("data:") || kept.has(address)) continue;
      const picture = new Image();
      picture.referrerPolicy = "no-referrer";
      picture.src = address;
      kept.set(address, picture);
      if (kept.size > KEPT_MAX) kept.delete(kept.keys().next().value);
    }
  }
}
