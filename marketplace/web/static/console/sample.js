/** An item as a worker sees it: of the page's own sample, or of any data. */

/**
 * Show an item in an element, for looking only.
 * @param {HTMLElement} host
 * @param {{interface: Object, data: Object}} item
 */
export async function showSample(host, {interface: asked, data}) {
  const place = document.createElement("div");
  place.className = "task";
  try {
    const {mountTask} = await import("../work/player/task.js");
    host.replaceChildren(place);
    await mountTask(place, {interface: asked, data, values: {}, readonly: true, keys: null}).ready;
  } catch (error) {
    host.replaceChildren();
    console.warn("the item cannot be shown as in the player", error);
  }
}

const written = document.getElementById("sample");
if (written) showSample(document.getElementById("sample-task"), JSON.parse(written.textContent));
