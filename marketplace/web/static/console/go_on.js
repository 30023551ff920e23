/** New terms: the price that pays an hour as wished, while it is typed. */
import {Offline} from "../pages/api.js";
import {pricing} from "./pricing.js";

const TYPED_MS = 300;

const settings = JSON.parse(document.getElementById("settings").textContent);
const form = document.getElementById("step-form");
let waiting = 0;

const look = pricing({
  batch: settings.batch,
  measured: settings.measured,
  price: form.elements.price,
  expected: null,
  currency: () => settings.currency,
  taken: later,
});

function later() {
  clearTimeout(waiting);
  waiting = setTimeout(() => {
    look().catch((error) => {
      if (!(error instanceof Offline)) throw error;
    });
  }, TYPED_MS);
}

form.addEventListener("input", later);
later();
