/** Which module shows which type of data. A module is fetched where a task uses it, and nowhere else. */

const MODULES = {
  text: () => import("./text.js"),
  markdown: () => import("./markdown.js"),
  image: () => import("./image.js"),
  audio: () => import("./audio.js"),
  video: () => import("./video.js"),
  table: () => import("./table.js"),
  url: () => import("./url.js"),
};

/** Show a field of a task's data in `host`. Resolves to `{destroy()}`. */
export async function showData(host, {field, data}) {
  const module = await (MODULES[field.type] ?? MODULES.text)();
  return module.mount(host, {field, value: data[field.name], data});
}
