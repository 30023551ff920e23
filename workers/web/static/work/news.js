/** Say that there is news, as soon as it is: the page itself comes from the server. */
import {page} from "../pages/api.js";
import {LiveSocket, askTicket} from "../pages/live.js";

const fresh = document.getElementById("fresh");

if (fresh && page.live) {
  const kinds = new Set(fresh.dataset.kinds.split(" "));
  const live = new LiveSocket(`${page.live}/ws/worker/`, {
    ticket: () => askTicket("/api/v1/tickets", "worker", {csrf: page.csrf}),
    cursor: {epoch: fresh.dataset.epoch, seq: Number(fresh.dataset.seq)},
  });
  live.addEventListener("fact", ({detail}) => {
    if (kinds.has(detail.kind)) fresh.hidden = false;
  });
  addEventListener("pagehide", () => live.stop());
  live.start();
}
