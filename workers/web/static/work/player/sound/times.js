/** Times of a sound or film as people read and type them. */

const PATTERN = /^(?:(?:(\d+):)?(\d{1,2}):)?(\d+(?:[.,]\d*)?|[.,]\d+)$/;

/** 83.4 is "1:23.400"; without `digits` "1:23". */
export function clock(seconds, digits = 3) {
  const rounded = Number(Math.max(0, seconds).toFixed(digits));
  const whole = Math.floor(rounded);
  const hours = Math.floor(whole / 3600);
  const minutes = Math.floor(whole / 60) % 60;
  const rest = digits ? (rounded - whole).toFixed(digits).slice(1) : "";
  const tail = `${String(whole % 60).padStart(2, "0")}${rest}`;
  return hours ? `${hours}:${String(minutes).padStart(2, "0")}:${tail}` : `${minutes}:${tail}`;
}

/** Seconds of "1:23.4", "83.4" or "1:00:05"; null for what is no time. */
export function seconds(text) {
  const found = PATTERN.exec(text.trim());
  if (!found) return null;
  const [, hours = 0, minutes = 0, rest] = found;
  return plain(Number(hours) * 3600 + Number(minutes) * 60 + Number(rest.replace(",", ".")));
}

/** To a millisecond, as answers keep times. */
export const plain = (time) => Math.round(time * 1000) / 1000;
