/** Follows versions that are being made, and shows the page anew when one is finished. */
import {api} from "../pages/api.js";
import {gettext, interpolate} from "../pages/i18n.js";

const EVERY_MS = 2_000;

for (const host of document.querySelectorAll("[data-follow]")) follow(host);
for (const field of document.querySelectorAll("[data-select]")) {
  field.addEventListener("focus", () => field.select());
  field.focus();
}

async function follow(host) {
  for (;;) {
    await new Promise((resolve) => setTimeout(resolve, EVERY_MS));
    if (document.hidden) continue;
    let answer;
    try {
      answer = await api("GET", host.dataset.follow);
    } catch {
      continue; // offline for a while; the version is made all the same
    }
    if (answer.status !== 200) return;
    const {finished_at: finished, items, items_written: written} = answer.body;
    if (finished) {
      location.reload();
      return;
    }
    const text = host.querySelector("[data-progress]");
    if (text) text.textContent = interpolate(gettext("%(items)s items gathered, %(written)s written"), {items, written});
    const meter = host.querySelector("[data-meter]");
    if (meter && items) meter.value = written ? 0.5 + (0.4 * written) / items : 0.3;
  }
}
