/** The preview: a task of the batch as the player shows it, and figures that move. */
import {askTicket, LiveSocket} from "../pages/live.js";
import {page} from "../pages/api.js";
import {moveFigures} from "./figures.js";

const preview = document.querySelector("[data-batch]");

async function showSample() {
  const host = document.getElementById("sample-task");
  const written = document.getElementById("sample");
  if (!host || !written) return;
  const plain = [...host.childNodes];
  const {interface: asked, data} = JSON.parse(written.textContent);
  try {
    const {mountTask} = await import("./player/task.js");
    host.replaceChildren();
    host.className = "task";
    await mountTask(host, {interface: asked, data, values: {}, readonly: true}).ready;
  } catch (error) {
    // What the server wrote shows the same, only plainer.
    host.className = "";
    host.replaceChildren(...plain);
    console.warn("the sample task cannot be shown as in the player", error);
  }
}

const live = new LiveSocket(`${page.live}/ws/worker/`, {ticket: () => askTicket("/api/v1/tickets", "worker", {csrf: page.csrf})});
live.addEventListener("topic", ({detail: {topic, state}}) => {
  const batch = topic === "board" ? state[preview.dataset.batch] : null;
  if (batch) moveFigures(preview, batch);
});
live.subscribe("board");
live.start();
showSample();
