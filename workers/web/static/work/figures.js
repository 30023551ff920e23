/** The figures of one batch on a page, moved to what the socket says. */
import {duration, money} from "../pages/format.js";
import {gettext, interpolate} from "../pages/i18n.js";

const CENT = 10_000;
const cents = (micros) => Math.round(micros / CENT) * CENT;

/**
 * @param {HTMLElement} host what holds elements with `data-figure`
 * @param {Object} batch as the topic `board` has it
 * @param {number} [scale] the amount at the end of the drawing; without it the drawing stays
 */
export function moveFigures(host, batch, scale = 0) {
  put(host.querySelector("[data-figure=places]"), String(batch.places_left));
  const pay = batch.pay_per_hour;
  if (!pay) return;
  const takes = host.querySelector("[data-figure=takes]");
  if (takes?.firstChild) put(takes.firstChild, `${duration(pay.median_s)} `, takes);
  put(host.querySelector("[data-figure=pay] .pay-hour strong"), money(cents(pay.median_micros), batch.currency));
  const range = host.querySelector("[data-figure=pay] p:last-child");
  if (range && host.querySelector("[data-figure=pay] strong")) {
    const words = gettext("half of the answers: %(low)s – %(high)s");
    const text = interpolate(words, {low: money(cents(pay.low_micros)), high: money(cents(pay.high_micros))});
    put(range, pay.of === "project" ? `${text} · ${gettext("in this project")}` : text);
  }
  if (scale > 0) draw(host.querySelector(".interval svg"), pay, scale);
}

function draw(drawing, pay, scale) {
  if (!drawing) return;
  const at = (micros) => String(Math.min(100, (100 * micros) / scale));
  const [range, value] = [drawing.querySelector(".range"), drawing.querySelector(".value")];
  range.setAttribute("x1", at(pay.low_micros));
  range.setAttribute("x2", at(pay.high_micros));
  for (const name of ["x1", "x2"]) value.setAttribute(name, at(pay.median_micros));
}

function put(node, text, marked = node) {
  if (!node || node.textContent.trim() === text.trim()) return;
  node.textContent = text;
  marked.classList.remove("changed");
  requestAnimationFrame(() => marked.classList.add("changed"));
}
