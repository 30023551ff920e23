/** Names for programs, made of titles for people. */

/** Letters, digits and underscores, beginning with a letter; not one of `taken`. */
export function nameFrom(title, taken = [], fallback = "field") {
  const plain = title.normalize("NFKD").replace(/\p{M}/gu, "").toLowerCase();
  const words = plain.replace(/[^a-z0-9]+/g, "_").replace(/^[^a-z]+|_+$/g, "").slice(0, 40).replace(/_+$/, "");
  const base = words || fallback;
  let name = base;
  for (let number = 2; taken.includes(name); number += 1) name = `${base}_${number}`;
  return name;
}
