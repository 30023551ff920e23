/** The rows of the editor: what is shown, and what is asked. They change the interface in place. */
import {el, icon} from "../../pages/dom.js";
import {gettext, interpolate} from "../../pages/i18n.js";
import {checkField, jsonField, linesField, numberField, put, selectField, textField} from "./controls.js";
import {DATA_TITLES, KINDS, turned} from "./kinds.js";
import {labelList} from "./labels.js";
import {nameFrom} from "./names.js";
import {relationRows} from "./relations.js";

// Fields whose name for programs still follows their title.
const following = new WeakSet();

/**
 * The rows of one part ("data" or "answer") of `editor.interface`.
 *
 * editor  {interface, types: [[name, title], …], dataTypes, sampleOf(field), setSample(field, value), changed(), say(text),
 *         redraw(part)}
 */
export function fieldRows(section, part, editor) {
  const host = section.querySelector("[data-rows]");
  section.dataset.path = part;
  section.querySelector("[data-add]").onclick = () => {
    const fields = (editor.interface[part] ??= []);
    const name = nameFrom("", fields.map((field) => field.name), part === "data" ? "item" : "answer");
    const field = part === "data"
      ? {name, type: "text", title: "", required: true}
      : turned({name, title: "", required: true, type: "choice"}, "choice", editor.interface.data ?? []);
    following.add(field);
    fields.push(field);
    draw();
    after();
    host.lastElementChild.querySelector("input").focus();
  };

  function draw() {
    const fields = (editor.interface[part] ??= []);
    host.replaceChildren(...fields.map((field, at) => (part === "data" ? dataRow : answerRow)(field, at, fields)));
  }

  /** What is shown can be named by questions, and questions by those after them. */
  function after() {
    editor.changed();
    questions();
  }

  function questions() {
    if (part === "data") editor.redraw("answer");
  }

  function frame(field, at, fields, ...inner) {
    const path = `${part}[${at}]`;
    const heading = el("h3", {}, titled(field, at));
    const button = (label, name, act, off) => {
      const one = el("button", {type: "button", class: "button quiet icon-only small", "aria-label": interpolate(label, [titled(field, at)]), "data-act": name}, icon(name));
      one.disabled = off;
      one.addEventListener("click", act);
      return one;
    };
    const move = (by, name) => () => {
      fields.splice(at + by, 0, ...fields.splice(at, 1));
      draw();
      after();
      const again = host.children[at + by]?.querySelector(`[data-act="${name}"]`);
      (again?.disabled ? host.children[at + by].querySelector("[data-act]:not(:disabled)") : again)?.focus();
      editor.say(interpolate(gettext("%s is number %s now."), [titled(field, at + by), at + by + 1]));
    };
    const remove = () => {
      fields.splice(at, 1);
      draw();
      after();
      (host.children[Math.min(at, fields.length - 1)]?.querySelector("input") ?? section.querySelector("[data-add]")).focus();
      editor.say(interpolate(gettext("%s is removed."), [titled(field, at)]));
    };
    return el(
      "div",
      {class: "part", role: "group", "aria-label": titled(field, at), "data-path": path},
      el(
        "div",
        {class: "part-head"},
        heading,
        fields.length > 1 && button(gettext("Move %s up"), "chevron-up", move(-1, "chevron-up"), at === 0),
        fields.length > 1 && button(gettext("Move %s down"), "chevron-down", move(1, "chevron-down"), at === fields.length - 1),
        button(gettext("Remove %s"), "trash", remove, false),
      ),
      inner,
    );
  }

  function titled(field, at) {
    return field.title || field.name || interpolate(part === "data" ? gettext("Number %s") : gettext("Question %s"), [at + 1]);
  }

  /** Title and name, which follows it until somebody writes one of his own; whatever names the field goes along. */
  function naming(field, at, fields, label) {
    const path = `${part}[${at}]`;
    const name = textField({
      label: gettext("Name for programs"), path: `${path}.name`, value: field.name, maxlength: 64, class: "code",
      help: part === "data" ? gettext("The column of your file.") : gettext("The column of exports."),
      changed(text) {
        following.delete(field);
        rename(field, text);
        editor.changed();
      },
      settled: questions,
    });
    const title = textField({
      label, path: `${path}.title`, value: field.title, maxlength: 200, dir: "auto",
      changed(text) {
        put(field, "title", text);
        if (following.has(field)) {
          rename(field, nameFrom(text, fields.filter((other) => other !== field).map((other) => other.name), part === "data" ? "item" : "answer"));
          name.querySelector("input").value = field.name;
        }
        host.children[at].querySelector("h3").textContent = titled(field, at);
        editor.changed();
      },
      settled: questions,
    });
    return {title, name};
  }

  function rename(field, name) {
    const before = field.name;
    field.name = name;
    for (const other of editor.interface.answer ?? []) {
      if (part === "data") {
        for (const option of ["of", "left", "right"]) if (other[option] === before) other[option] = name;
      } else if (other.show_if?.field === before) {
        other.show_if.field = name;
      }
    }
  }

  function dataRow(field, at, fields) {
    const {title, name} = naming(field, at, fields, gettext("What is it called on the page?"));
    return frame(
      field, at, fields,
      title,
      el(
        "div",
        {class: "pairs"},
        selectField({
          label: gettext("Kind"), path: `data[${at}].type`, value: field.type,
          choices: editor.dataTypes.map((type) => [type, DATA_TITLES[type] ?? type]),
          changed(type) {
            field.type = type;
            editor.setSample(field, undefined);
            draw();
            after();
            host.children[at].querySelector("select").focus();
          },
        }),
        name,
      ),
      checkField({label: gettext("Every item has it"), path: `data[${at}].required`, value: field.required !== false, changed(on) {
        field.required = on;
        editor.changed();
      }}),
      sample(field),
    );
  }

  function sample(field) {
    const shared = {
      label: gettext("In the preview"), path: "", value: editor.sampleOf(field),
      help: gettext("Only to look at; it is not kept."),
      changed(value) {
        editor.setSample(field, value);
        editor.changed();
      },
    };
    if (field.type === "table") return jsonField(shared);
    return textField({...shared, ...(["text", "markdown"].includes(field.type) ? {rows: 2} : {inputmode: "url"})});
  }

  function answerRow(field, at, fields) {
    const kind = KINDS[field.type] ?? {options: []};
    const path = `answer[${at}]`;
    const {title, name} = naming(field, at, fields, gettext("Question"));
    const set = (option) => (value) => {
      put(field, option, value);
      editor.changed();
    };
    const labels = kind.labels && el("div", {role: "group", "aria-label": gettext("Labels")}, el("h4", {}, gettext("Labels")));
    const relations = kind.relations && relationRows(field, `${path}.${kind.relations}`, editor);
    if (labels) {
      labelList(labels, {
        labels: (Array.isArray(field[kind.labels]) ? field[kind.labels] : (field[kind.labels] = [])),
        path: `${path}.${kind.labels}`,
        tree: field.type === "taxonomy",
        changed() {
          relations?.renamed();
          editor.changed();
        },
        say: editor.say,
      });
    }
    return frame(
      field, at, fields,
      title,
      selectField({
        label: gettext("Kind of answer"), path: `${path}.type`, value: field.type, choices: editor.types,
        changed(type) {
          const other = turned(field, type, editor.interface.data ?? []);
          if (following.has(field)) following.add(other);
          fields[at] = other;
          draw();
          after();
          host.children[at].querySelector("select").focus();
        },
      }),
      textField({label: gettext("Help below the question"), path: `${path}.help`, value: field.help, maxlength: 2000, dir: "auto", changed: set("help")}),
      labels,
      relations?.host,
      el("div", {class: "pairs"}, kind.options.filter((one) => one.kind !== "flag" && (!one.only || one.only(field))).map((one) => option(one, field, path, set(one.name)))),
      kind.options.filter((one) => one.kind === "flag").map((one) => option(one, field, path, (on) => {
        put(field, one.name, on);
        editor.changed();
        // Others may be asked for now.
        if (kind.options.some(({only}) => only)) {
          for (const other of kind.options) if (other.only && !other.only(field)) delete field[other.name];
          draw();
          host.querySelector(`[data-path="${path}.${one.name}"]`).focus();
        }
      })),
      checkField({label: gettext("It must be answered"), path: `${path}.required`, value: field.required !== false, changed: (on) => {
        field.required = on;
        editor.changed();
      }}),
      el("div", {class: "pairs"}, condition(field, at, fields, path), name),
    );
  }

  function option({kind, name, label, types, choices, start, only: _only, ...more}, field, path, changed) {
    const shared = {label, path: `${path}.${name}`, value: field[name], changed, ...more};
    switch (kind) {
      case "flag":
        return checkField({...shared, value: field[name] ?? start});
      case "whole":
        return numberField({...shared, whole: true});
      case "number":
        return numberField(shared);
      case "lines":
        return linesField({...shared, changed: (lines) => changed(lines.length ? lines : undefined)});
      case "json":
        return jsonField(shared);
      case "one":
        return selectField({...shared, choices});
      case "data": {
        const fitting = (editor.interface.data ?? []).filter((one) => !types || types.includes(one.type));
        const known = fitting.map((one) => [one.name, one.title || one.name]);
        if (!fitting.some((one) => one.name === field[name])) known.unshift([field[name] ?? "", gettext("– choose –")]);
        return selectField({...shared, choices: known});
      }
      default:
        return textField(shared);
    }
  }

  /** When a question is asked: always, or beside an answer to one before it. */
  function condition(field, at, fields, path) {
    const known = [["", gettext("Always")]];
    for (const [number, earlier] of fields.slice(0, at).entries()) {
      const question = titled(earlier, number);
      known.push([told({field: earlier.name, answered: true}), interpolate(gettext("Only if “%s” is answered"), [question])]);
      if (earlier.type !== "choice") continue;
      for (const label of earlier.labels ?? []) {
        known.push([told({field: earlier.name, is: label.value}), interpolate(gettext("Only if “%s” is “%s”"), [question, label.title || label.value])]);
      }
    }
    const value = field.show_if ? told(field.show_if) : "";
    if (!known.some(([one]) => one === value)) known.push([value, gettext("As the JSON says")]);
    return selectField({
      label: gettext("When is it asked?"), path: `${path}.show_if`, value, choices: known,
      changed(chosen) {
        put(field, "show_if", chosen ? JSON.parse(chosen) : undefined);
        editor.changed();
      },
    });
  }

  draw();
}

/** A condition in one spelling. */
function told(condition) {
  return JSON.stringify(Object.fromEntries(Object.entries(condition).sort(([one], [other]) => one.localeCompare(other))));
}
