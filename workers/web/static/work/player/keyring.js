/** Hands out the keys of one task, so that no two of its labels answer to the same one. */

/** Keys that the page of the player keeps to itself: help, labels, unclear. */
export const RESERVED = ["?", "i", "u"];
const FREE = [..."1234567890", ..."qwertasdfgzxcvbyhnjmkolp"];

/**
 * A function that takes a key: the wanted one, or the next that is free. It answers with the key in lower case, or null
 * where that one is taken or none is left.
 */
export function keyring(reserved = []) {
  const taken = new Set(reserved);
  return (wanted) => {
    const key = wanted === undefined ? FREE.find((free) => !taken.has(free)) : wanted.toLowerCase();
    if (key === undefined || taken.has(key)) return null;
    taken.add(key);
    return key;
  };
}
