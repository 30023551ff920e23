/** A price from what an hour of the work should pay, and what an hour pays at a price. */
import {api} from "../pages/api.js";
import {money} from "../pages/format.js";
import {gettext, interpolate} from "../pages/i18n.js";

const MICROS = 1_000_000;
const CENT = 10_000;
// Who is quicker has not looked; as `PLAUSIBLE_S` of the server.
const PLAUSIBLE_S = 1;

const number = (input) => (input.value === "" ? null : Number(input.value));

/**
 * Make the part of the page that `parts/price_wish.html` draws say what fits the price as it is typed.
 * @param {{batch: string, measured: number|null, price: HTMLInputElement, expected: HTMLInputElement|null,
 *   currency: () => string, taken: () => void}} of what answers take (`measured`, or else `expected`, in seconds), and
 *   what to do once the suggestion was taken
 * @returns {() => Promise<void>} looks again; for whenever something was typed
 */
export function pricing({batch, measured, price, expected, currency, taken}) {
  const wish = document.getElementById("wish");
  const suggested = document.getElementById("suggested");
  const take = document.getElementById("take-price");
  const hourly = document.getElementById("hourly");
  const seconds = () => measured ?? (expected ? number(expected) : null);
  const hasty = measured !== null && measured < PLAUSIBLE_S;
  let offered = null;

  /** What the server makes of the wish and of the guess. */
  async function suggest() {
    if (hasty) return;
    const query = new URLSearchParams();
    if (number(wish) > 0) query.set("hourly_micros", Math.round(number(wish) * MICROS));
    if (measured === null && expected && number(expected) > 0) query.set("expected_s", Math.round(number(expected)));
    const {status, body} = await api("GET", `/batches/${batch}/price?${query}`);
    if (status !== 200) return;
    offered = body.price_micros;
    take.hidden = offered === null;
    suggested.textContent = offered === null
      ? gettext("Say how long an answer takes, and a price is suggested.")
      : interpolate(gettext("%(price)s an answer pays it."), {price: money(offered, currency())});
  }

  function tellHourly() {
    const known = !hasty && seconds() > 0 && number(price) > 0;
    hourly.textContent = known
      ? interpolate(gettext("At this price an hour pays about %(pay)s."), {pay: money(Math.round((number(price) * 3_600 / seconds()) * 100) * CENT, currency())})
      : "";
  }

  take.addEventListener("click", () => {
    price.value = (offered / MICROS).toFixed(6).replace(/0+$/, "").replace(/\.$/, "");
    taken();
    price.focus();
  });

  return () => {
    tellHourly();
    return suggest();
  };
}
