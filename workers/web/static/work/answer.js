/** Show an answer of one's own as the player showed its task; without the player the plain table stays. */
const host = document.querySelector("[data-task]");
const text = document.getElementById("task-shown");

if (host && text) show(JSON.parse(text.textContent)).catch(() => {});

async function show({interface: asks, data, values}) {
  const {mountTask} = await import("./player/task.js");
  const place = document.createElement("div");
  place.className = "task";
  await mountTask(place, {interface: asks, data, values, readonly: true, keys: null}).ready;
  host.querySelector("[data-plain]").hidden = true;
  host.append(place);
}
