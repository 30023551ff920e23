/**
 * One task on a page: its data, and the fields of its answer.
 *
 *     const view = mountTask(host, {interface, data, values, changed: (values, {field}) => …});
 *     await view.ready  once the tools and the data are shown; the person may have begun before
 *     view.values       what would be submitted now: fields that are asked and answered
 *     view.typed        all that was typed, also in fields that are hidden now; this is what a draft keeps
 *     view.problems()   [{field, message}], shown at the fields
 *
 * Tools hold no history and no drafts: they show a value, and call `changed` with the next one.
 */

import {el} from "../../pages/dom.js";
import {gettext} from "../../pages/i18n.js";
import {asked, isAsked} from "./asked.js";
import {showData} from "./data/index.js";
import {keyring} from "./keyring.js";
import {toolFor} from "./tools/index.js";

let tasks = 0;

/**
 * Show a task in `host`.
 *
 * interface  {data, answer} in normal form
 * data       the task's data by name
 * values     what is answered so far
 * readonly   nothing can be changed
 * changed    called with all that was typed after each change by the person, and {field} for the field's name
 * keys       keys that the page keeps to itself; null for a task without hotkeys
 */
export function mountTask(host, {interface: asks, data = {}, values = {}, readonly = false, changed = () => {}, keys = []}) {
  const number = (tasks += 1);
  const typed = {...values};
  const dataHost = el("div", {class: "task-data"});
  const answerHost = el("div", {class: "task-answer"});
  host.append(dataHost, answerHost);
  const takeKey = keys === null ? () => null : keyring(keys);
  const sections = new Map();
  const shownData = new Map();
  let locked = readonly;
  let gone = false;

  for (const field of asks.answer) {
    const section = sectionOf(field, `task-${number}-${field.name}`);
    sections.set(field.name, section);
    answerHost.append(section.element);
  }

  /** Tools of fields that are asked are there, those of others are hidden but keep what they hold. */
  async function arrange() {
    const kept = asked(asks.answer, typed);
    const mounting = [];
    for (const field of asks.answer) {
      const section = sections.get(field.name);
      section.shown = isAsked(field, asks.answer, kept);
      section.element.hidden = !section.shown;
      if (section.shown && !section.mounting) section.mounting = mountTool(section);
      if (section.shown) mounting.push(section.mounting);
    }
    await Promise.all(mounting);
    if (!gone) await arrangeData();
  }

  async function mountTool(section) {
    const {field} = section;
    try {
      const module = await toolFor(field.type);
      if (gone) return;
      section.tool = await module.mount(section.host, {
        field,
        data,
        value: typed[field.name],
        readonly: locked,
        interface: asks,
        key: takeKey,
        changed: (value) => set(field.name, value),
      });
    } catch (error) {
      console.error(error);
      section.say(gettext("This part of the task could not be loaded. Reload the page; what you typed is kept."));
    }
  }

  /** Data is shown here unless a tool on the page shows it itself. */
  async function arrangeData() {
    const elsewhere = new Set(visible().flatMap(({tool}) => tool?.shows ?? []));
    const showing = [];
    for (const field of asks.data) {
      const here = data[field.name] !== undefined && data[field.name] !== null && !elsewhere.has(field.name);
      if (here && !shownData.has(field.name)) {
        const element = el("section", {class: `task-datum datum-${field.type}`, "data-name": field.name});
        if (asks.data.length > 1 || field.title !== field.name) element.append(el("h3", {class: "datum-title"}, field.title));
        const place = el("div", {class: "datum"});
        element.append(place);
        const entry = {element, view: null};
        shownData.set(field.name, entry);
        showing.push(showData(place, {field, data}).then((view) => (entry.view = view)).catch((error) => {
          console.error(error);
          place.append(el("p", {class: "errorlist"}, gettext("This could not be shown.")));
        }));
      }
      if (shownData.has(field.name)) shownData.get(field.name).element.hidden = !here;
    }
    dataHost.replaceChildren(...asks.data.flatMap(({name}) => shownData.get(name)?.element ?? []));
    dataHost.hidden = ![...shownData.values()].some(({element}) => !element.hidden);
    host.classList.toggle("task-split", !dataHost.hidden);
    await Promise.all(showing);
  }

  function visible() {
    return [...sections.values()].filter((section) => section.shown);
  }

  function set(name, value) {
    if (gone || locked) return;
    if (value === undefined || value === null) delete typed[name];
    else typed[name] = value;
    const section = sections.get(name);
    if (section.complained) section.say(section.tool?.problem() ?? "");
    arrange();
    changed({...typed}, {field: name});
  }

  function problemOf({field, tool}) {
    const wrong = tool?.problem?.();
    if (wrong) return wrong;
    return field.required && typed[field.name] === undefined ? gettext("Please answer this.") : "";
  }

  return {
    ready: arrange(),
    get values() {
      return asked(asks.answer, typed);
    },
    get typed() {
      return {...typed};
    },
    /** Show other values, as after undo. */
    async show(other) {
      for (const name of Object.keys(typed)) delete typed[name];
      Object.assign(typed, other);
      for (const {field, tool, element} of sections.values()) {
        tool?.show(typed[field.name]);
        element.removeAttribute("data-problem");
      }
      await arrange();
    },
    problems() {
      const found = [];
      for (const section of visible()) {
        const message = problemOf(section);
        section.say(message);
        if (message) found.push({field: section.field.name, message});
      }
      return found;
    },
    /** Whether all that is asked is answered; says nothing on the page. */
    get complete() {
      return visible().every((section) => !problemOf(section));
    },
    /** Show what the server found wrong; answers with what belongs to no field. */
    complain(errors) {
      const others = [];
      for (const {field, message} of errors) {
        const section = sections.get(field);
        if (section?.shown) section.say(message);
        else others.push(field ? `${field}: ${message}` : message);
      }
      return others;
    },
    /** Into the first field with a problem, or the first without an answer, or the first. */
    focus() {
      const all = visible();
      const section = all.find(({complained}) => complained) ?? all.find(({field}) => typed[field.name] === undefined) ?? all[0];
      section?.tool?.focus();
    },
    /** The hotkeys of the tools on the page: [{key, label, run, field, element}]. */
    get keys() {
      return visible().flatMap(({tool, field, element}) => (tool?.keys ?? []).map((entry) => ({...entry, field: field.name, title: field.title, element})));
    },
    setReadonly(value) {
      locked = value;
      for (const {element, tool} of sections.values()) {
        element.disabled = value;
        tool?.setReadonly?.(value);
      }
    },
    destroy() {
      gone = true;
      for (const {tool} of sections.values()) tool?.destroy();
      for (const {view} of shownData.values()) view?.destroy();
      host.replaceChildren();
    },
  };
}

function sectionOf(field, id) {
  const tool = el("div", {class: `tool tool-${field.type}`});
  const legend = el("legend", {id: `${id}-title`}, field.title);
  if (!field.required) legend.append(" ", el("span", {class: "soft optional"}, gettext("optional")));
  const error = el("p", {class: "errorlist field-problem", id: `${id}-problem`, role: "alert"});
  error.hidden = true;
  const element = el("fieldset", {class: "task-field", "data-field": field.name}, legend);
  if (field.help) {
    element.append(el("p", {class: "helptext", id: `${id}-help`}, field.help));
    element.setAttribute("aria-describedby", `${id}-help`);
  }
  element.append(tool, error);
  return {
    field,
    element,
    host: tool,
    tool: null,
    mounting: null,
    shown: false,
    complained: false,
    say(message) {
      this.complained = Boolean(message);
      error.textContent = message || "";
      error.hidden = !message;
      element.toggleAttribute("data-problem", Boolean(message));
    },
  };
}
