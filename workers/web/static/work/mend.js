/**
 * Put what the server wrote in the place of what is there, and leave alone what is the same: the focus, a folded-out
 * part and what is selected stay where they are.
 */

/**
 * @param {HTMLElement} host
 * @param {HTMLElement} wanted what its children shall be; its children move into the host
 * @param {{fresh?: boolean}} [options] `fresh`: mark things of a list that were not there before
 */
export function mend(host, wanted, {fresh = false} = {}) {
  const [old] = host.getElementsByClassName("offers");
  const [next] = wanted.getElementsByClassName("offers");
  const focused = document.activeElement?.closest?.("#part [id]")?.id;
  if (old && next) {
    const known = new Map([...old.children].map((card) => [card.id, card]));
    for (const card of [...next.children]) {
      const there = known.get(card.id);
      if (there && same(there, card)) card.replaceWith(there);
      else if (fresh && !there) card.classList.add("fresh");
    }
  }
  host.replaceChildren(...wanted.childNodes);
  if (focused && !host.contains(document.activeElement)) {
    const again = document.getElementById(focused);
    (again?.querySelector("a") ?? again)?.focus({preventScroll: true});
  }
}

function same(one, other) {
  return bare(one) === bare(other);
}

/** The markup without what this page marks by itself. */
function bare(card) {
  const copy = card.cloneNode(true);
  for (const marked of [copy, ...copy.querySelectorAll(".changed, .fresh")]) marked.classList.remove("changed", "fresh");
  for (const marked of copy.querySelectorAll('[class=""]')) marked.removeAttribute("class");
  return copy.outerHTML;
}
