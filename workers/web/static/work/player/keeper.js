/**
 * On every page of the worker: answers that are still on their way are sent, and at sign-out what was typed leaves the
 * browser. Nothing is loaded where the browser keeps nothing.
 */

import {page} from "../../pages/api.js";

const SIGN_OUT = 'form[action$="/logout/"]';
const FORGET_WITHIN_MS = 2_000;

async function keeps() {
  const known = await indexedDB.databases();
  return known.some(({name}) => name === "touchstone-work");
}

document.addEventListener("submit", async (event) => {
  const form = event.target;
  const user = page.user;
  if (!user || !form.matches(SIGN_OUT) || form.dataset.forgotten) return;
  event.preventDefault();
  form.dataset.forgotten = "yes";
  try {
    if (await keeps()) {
      const {forgetUser} = await import("./store.js");
      await Promise.race([forgetUser(user), new Promise((resolve) => setTimeout(resolve, FORGET_WITHIN_MS))]);
    }
  } finally {
    form.requestSubmit();
  }
});

/** Send what waits, of whatever batch; where the player itself runs, it does so. */
async function send() {
  if (!page.user || document.querySelector("#player") || !(await keeps())) return;
  const {queueOf} = await import("./store.js");
  const [first] = await queueOf(page.user);
  if (!first) return;
  const {Desk} = await import("./desk.js");
  const desk = new Desk({user: page.user, batch: first.batch, cap: 1});
  await desk.listen();
  await desk.pump();
}

send().catch((error) => console.error(error));
