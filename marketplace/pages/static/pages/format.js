/** Numbers for people, as the template filters of the same names write them. */
import {gettext, interpolate, ngettext} from "./i18n.js";

const language = document.documentElement.lang || "en";
const MICROS = 1_000_000;

/** `0.02 EUR`, to the last digit that is not zero, at least two. Amounts are whole micro-units below 2^53. */
export function money(micros, currency = "") {
  if (micros === null || micros === undefined) return "–";
  const size = Math.abs(micros);
  const digits = String(size % MICROS).padStart(6, "0").replace(/0+$/, "").padEnd(2, "0");
  const point = new Intl.NumberFormat(language).formatToParts(0.5).find(({type}) => type === "decimal").value;
  const whole = new Intl.NumberFormat(language).format(Math.floor(size / MICROS));
  return `${micros < 0 ? "−" : ""}${whole}${point}${digits}${currency ? `\u00a0${currency}` : ""}`;
}

/** `2 min 30 s`: a length of time by its two largest units; under a second by its tenths. */
export function duration(seconds) {
  if (seconds === null || seconds === undefined) return "–";
  if (seconds > 0 && seconds < 0.95) {
    return interpolate(gettext("%(n)s s"), {n: new Intl.NumberFormat(language, {minimumFractionDigits: 1, maximumFractionDigits: 1}).format(Math.max(0.1, seconds))});
  }
  const whole = Math.round(seconds);
  const days = Math.floor(whole / 86_400);
  const parts = [
    [days, ngettext("%(n)s day", "%(n)s days", days)],
    [Math.floor((whole % 86_400) / 3_600), gettext("%(n)s h")],
    [Math.floor((whole % 3_600) / 60), gettext("%(n)s min")],
    [whole % 60, gettext("%(n)s s")],
  ];
  const found = parts.findIndex(([n]) => n > 0);
  if (found < 0) return interpolate(gettext("%(n)s s"), {n: 0});
  return parts.slice(found, found + 2).filter(([n]) => n > 0).map(([n, words]) => interpolate(words, {n})).join(" ");
}

/** `93 %`; what is not quite all or nothing does not look so. */
export function percent(share, digits = 0) {
  if (share === null || share === undefined) return "–";
  const number = new Intl.NumberFormat(language, {minimumFractionDigits: digits, maximumFractionDigits: digits});
  const least = 10 ** -digits;
  const hundred = 100 * share;
  if (hundred > 0 && hundred < least) return `<\u00a0${number.format(least)}\u00a0%`;
  return `${number.format(hundred > 100 - least && hundred < 100 ? 100 - least : hundred)}\u00a0%`;
}
