/** Terms: the price that pays an hour as wished, and what everything costs at most, while it is typed. */
import {Offline, api} from "../pages/api.js";
import {money} from "../pages/format.js";
import {gettext, interpolate} from "../pages/i18n.js";
import {pricing} from "./pricing.js";

const MICROS = 1_000_000;
const TYPED_MS = 300;

const settings = JSON.parse(document.getElementById("settings").textContent);
const form = document.getElementById("step-form");
const {price, overlap, topup, dispute, currency, expected_s: expected} = form.elements;
const look = pricing({
  batch: settings.batch, measured: settings.measured, price, expected, currency: () => currency.value, taken: later,
});
let waiting = 0;
let asked = 0;

const number = (input) => (input.value === "" ? null : Number(input.value));

/** The worst case under the terms as they are typed. */
async function reckon() {
  const mine = (asked += 1);
  const query = new URLSearchParams();
  const terms = {
    price_micros: Math.round(number(price) * MICROS),
    overlap: number(overlap),
    dispute_basis_points: Math.round((number(dispute) ?? 0) * 100),
    topup_basis_points: Math.round((number(topup) ?? 0) * 100),
  };
  for (const [name, value] of Object.entries(terms)) if (Number.isInteger(value) && value >= 0) query.set(name, value);
  const {status, body} = await api("GET", `/batches/${settings.batch}/estimate?${query}`);
  if (mine !== asked || status !== 200) return;
  for (const place of document.querySelectorAll("[data-figure]")) {
    const value = body[place.dataset.figure];
    place.textContent = place.dataset.figure === "places" ? String(value) : money(value, currency.value);
  }
  document.querySelector("[data-missing]").hidden = body.missing_micros === 0;
  document.getElementById("cost-told").textContent = interpolate(gettext("In all at most %(total)s."), {total: money(body.total_micros, currency.value)});
}

function later() {
  clearTimeout(waiting);
  waiting = setTimeout(() => {
    Promise.all([look(), reckon()]).catch((error) => {
      if (!(error instanceof Offline)) throw error;
    });
  }, TYPED_MS);
}

form.addEventListener("input", later);
later();
