/**
 * Plane geometry in pixels of the picture: points are [x, y], y runs down.
 */

// Places are kept to a hundredth of a pixel, as the market keeps them.
const FINEST = 100;

/** The number between two bounds. */
export const within = (number, low, high) => Math.min(Math.max(number, low), high);

/** To a hundredth of a pixel where `fine`, else to a whole pixel. */
export const rounded = (number, fine = true) => (fine ? Math.round(number * FINEST) / FINEST : Math.round(number));

/** How far apart two points are. */
export const distance = ([x, y], [u, v]) => Math.hypot(x - u, y - v);

/** The point half-way between two. */
export const middle = ([x, y], [u, v]) => [(x + u) / 2, (y + v) / 2];

/** left, top, right, bottom of points. */
export function extent(points) {
  let [left, top, right, bottom] = [Infinity, Infinity, -Infinity, -Infinity];
  for (const [x, y] of points) {
    left = Math.min(left, x);
    top = Math.min(top, y);
    right = Math.max(right, x);
    bottom = Math.max(bottom, y);
  }
  return [left, top, right, bottom];
}

/** How long a line through the points is. */
export function length(points) {
  let sum = 0;
  for (let at = 1; at < points.length; at += 1) sum += distance(points[at - 1], points[at]);
  return sum;
}

/** How far a point is from the stretch between two others. */
export function fromStretch([x, y], [ax, ay], [bx, by]) {
  const [dx, dy] = [bx - ax, by - ay];
  const square = dx * dx + dy * dy;
  const share = square ? within(((x - ax) * dx + (y - ay) * dy) / square, 0, 1) : 0;
  return Math.hypot(x - ax - share * dx, y - ay - share * dy);
}

/** Whether a point lies in a closed polygon. */
export function inside([x, y], points) {
  let odd = false;
  for (let at = 0, before = points.length - 1; at < points.length; before = at, at += 1) {
    const [ax, ay] = points[at];
    const [bx, by] = points[before];
    if (ay > y !== by > y && x < ((bx - ax) * (y - ay)) / (by - ay) + ax) odd = !odd;
  }
  return odd;
}

const turn = (a, b, c) => Math.sign((b[0] - a[0]) * (c[1] - a[1]) - (b[1] - a[1]) * (c[0] - a[0]));

/** Whether side b→c runs back over side a→b. */
function foldsBack(a, b, c) {
  return turn(a, b, c) === 0 && (c[0] - b[0]) * (b[0] - a[0]) + (c[1] - b[1]) * (b[1] - a[1]) < 0;
}

function meet(a, b, c, d) {
  const apart = (low, high, from, to) => Math.max(low, high) < Math.min(from, to);
  for (const axis of [0, 1]) {
    if (apart(a[axis], b[axis], c[axis], d[axis]) || apart(c[axis], d[axis], a[axis], b[axis])) return false;
  }
  return turn(a, b, c) * turn(a, b, d) <= 0 && turn(c, d, a) * turn(c, d, b) <= 0;
}

/**
 * Two sides that cross, touch or fold back on each other, as [i, j], or null: what the market refuses in a polygon.
 *
 * Side i goes from point i to the next; the last point is joined to the first where `closed`. Exact, for it reckons in
 * whole hundredths of a pixel.
 */
export function crossing(points, closed = true) {
  const exact = points.map(([x, y]) => [Math.round(x * FINEST), Math.round(y * FINEST)]);
  const count = exact.length;
  const sides = closed ? count : count - 1;
  const end = (side) => exact[(side + 1) % count];
  for (let one = 0; one < sides; one += 1) {
    for (let other = one + 1; other < sides; other += 1) {
      let found;
      if (other === one + 1) found = foldsBack(exact[one], end(one), end(other));
      else if (closed && one === 0 && other === sides - 1) found = foldsBack(exact[other], end(other), end(one));
      else found = meet(exact[one], end(one), exact[other], end(other));
      if (found) return [one, other];
    }
  }
  return null;
}
