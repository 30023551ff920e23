/** A task as workers see it, drawn by their own player beside the editor. */
import {hotkeys} from "../../pages/keys.js";
import {RESERVED} from "../../work/player/keyring.js";
import {mountTask} from "../../work/player/task.js";

const MEDIA = new Set(["image", "audio", "video"]);

/** The data of a task to look at: `own` values by name, else those of the samples, by name or by type. */
export function sampleData(fields, samples, own = new Map()) {
  const data = {};
  for (const field of fields) {
    const value = sampleOf(field, samples, own);
    if (value === undefined || value === "") continue;
    // Pictures of this site are named by a path; the player wants an address.
    data[field.name] = MEDIA.has(field.type) && String(value).startsWith("/") ? new URL(value, location.href).href : value;
  }
  return data;
}

/** What one field shows. */
export function sampleOf(field, samples, own) {
  return own.get(field.name) ?? samples.names[field.name] ?? samples.types[field.type];
}

export class Preview {
  #section;
  #host;
  #shown = "";
  #view = null;
  #unbind = () => {};

  constructor(section, {widened = () => {}} = {}) {
    this.#section = section;
    this.#host = section.querySelector("[data-task]");
    section.querySelector(".task-card").tabIndex = -1;
    const widths = section.querySelector("[data-widths]");
    widths.hidden = false;
    for (const button of widths.querySelectorAll("button")) {
      button.addEventListener("click", () => {
        const wide = button.dataset.width === "wide";
        section.classList.toggle("wide", wide);
        for (const one of widths.querySelectorAll("button")) one.setAttribute("aria-pressed", String(one === button));
        widened(wide);
      });
    }
  }

  /** Show a task of an interface in normal form; what is shown already stays as it is. */
  async show(asked, data) {
    const told = JSON.stringify([asked, data]);
    this.#section.querySelector("[data-old]").hidden = true;
    if (told === this.#shown) return;
    this.#shown = told;
    this.#view?.destroy();
    this.#unbind();
    const view = (this.#view = mountTask(this.#host, {interface: asked, data, keys: RESERVED}));
    await view.ready;
    if (view !== this.#view) return;
    this.#unbind = hotkeys(this.#section.querySelector(".task-card"), Object.fromEntries(view.keys.map(({key, run}) => [key, () => run()])));
  }

  /** What is shown is not what is written. */
  outdated() {
    this.#section.querySelector("[data-old]").hidden = !this.#shown;
  }

  /** Show instructions: HTML that the server made of them. */
  instruct(html) {
    const read = new DOMParser().parseFromString(html, "text/html");
    this.#section.querySelector("[data-instructions]").replaceChildren(...read.body.childNodes);
  }
}
