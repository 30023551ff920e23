/** A task with all its answers, each as the player shows it; without the player the plain words stay. */
const {interface: asks, data, drawn, answers} = JSON.parse(document.getElementById("task-shown").textContent);

show().catch((error) => console.warn("the task cannot be shown as in the player", error));

async function show() {
  const {mountTask} = await import("../work/player/task.js");
  const mounting = [];
  // Where answers are drawn over the item, each has it below itself, and it need not be shown once more.
  const alone = !drawn || Object.keys(answers).length === 0;
  if (alone) mounting.push(mount(document.querySelector("[data-item]"), {interface: {...asks, answer: []}, data, values: {}}));
  for (const host of document.querySelectorAll("[data-answer]")) {
    const values = answers[host.dataset.answer];
    if (values) mounting.push(mount(host, {interface: drawn ? asks : {...asks, data: []}, data, values}));
  }
  await Promise.all(mounting);
  document.getElementById("item").closest("section").hidden = !alone;

  async function mount(host, task) {
    const place = document.createElement("div");
    // Tools that draw ask how large they are: so the place is on the page before, and empty until then.
    host.append(place);
    try {
      await mountTask(place, {...task, readonly: true, keys: null}).ready;
      host.querySelector("[data-plain]").hidden = true;
    } catch (error) {
      place.remove();
      throw error;
    }
  }
}
