/**
 * Conditions on workers as fields: each kind says how its terms are shown, and what the fields say.
 *
 * The builder knows audiences that ask for all of some conditions, each of them or its opposite. Whatever is written in
 * another way is shown as data only.
 */
import {el} from "../pages/dom.js";
import {gettext} from "../pages/i18n.js";

/**
 * The conditions of an audience, or null where the builder cannot show it.
 * @returns {Array<{name: string, not: boolean, terms: Object}>|null}
 */
export function conditionsOf(audience) {
  const names = Object.keys(audience);
  if (names.length === 0) return [];
  const parts = names.length === 1 && names[0] === "all" && Array.isArray(audience.all) ? audience.all : [audience];
  const found = parts.map(conditionOf);
  return found.includes(null) ? null : found;
}

function conditionOf(part) {
  const [name, ...more] = Object.keys(part ?? {});
  if (more.length > 0) return null;
  if (name === "not") {
    const inside = conditionOf(part.not);
    return inside === null || inside.not || !KINDS[inside.name].opposite ? null : {...inside, not: true};
  }
  return KINDS[name] && typeof part[name] === "object" ? {name, not: false, terms: part[name]} : null;
}

/** The audience that some conditions make. */
export function audienceOf(conditions) {
  const parts = conditions.map(({name, not, terms}) => (not ? {not: {[name]: terms}} : {[name]: terms}));
  return parts.length === 0 ? {} : parts.length === 1 ? parts[0] : {all: parts};
}

/** Each kind of condition: its `label`, its first `terms`, and `fields(condition, choices, changed)` to change them. */
export const KINDS = {
  country: {
    label: gettext("Country"),
    terms: () => ({in: []}),
    fields: words({in: gettext("Lives in one of"), not_in: gettext("Lives in none of")}, gettext("Countries, as DE, AT"), (text) => text.toUpperCase()),
  },
  languages: {
    label: gettext("Languages"),
    terms: () => ({any: []}),
    fields: words({any: gettext("Reads one of"), all: gettext("Reads all of")}, gettext("Languages, as de, pt-BR")),
  },
  device: {label: gettext("Device"), terms: () => ({in: ["desktop"]}), fields: ticks("in", "device", gettext("Works on"))},
  content: {label: gettext("Content that may disturb"), terms: () => ({agrees: []}), fields: ticks("agrees", "content", gettext("Has agreed to see"))},
  account_age: {
    label: gettext("Age of the account"),
    terms: () => ({min_days: 30}),
    fields: numbers({min_days: [gettext("Days at least"), 0, 36_500, 1], max_days: [gettext("Days at most"), 0, 36_500, 1]}),
  },
  score: {
    label: gettext("Score in this project"),
    terms: () => ({min: 0.7, min_evidence: 10}),
    fields: numbers({min: [gettext("At least (0 to 1)"), 0, 1, 0.01], min_evidence: [gettext("From so many judged answers"), 0, 1_000, 1]}),
  },
  skill: {
    label: gettext("Skill"),
    needs: "skill",
    opposite: true,
    terms: (choices) => ({id: choices.skill[0].id}),
    fields: chosen("skill", gettext("Has the skill"), gettext("Has not the skill"), {min: [gettext("At least (0 to 1)"), 0, 1, 0.01]}),
  },
  qualification: {
    label: gettext("Qualification"),
    needs: "qualification",
    opposite: true,
    terms: (choices) => ({id: choices.qualification[0].id}),
    fields: chosen("qualification", gettext("Has"), gettext("Has not")),
  },
  list: {
    label: gettext("List of workers"),
    needs: "list",
    terms: (choices) => ({id: choices.list[0].id, member: true}),
    fields: listed,
  },
  batch: {
    label: gettext("Earlier work"),
    needs: "batch",
    opposite: true,
    terms: (choices) => ({id: choices.batch[0].id}),
    fields: chosen("batch", gettext("Has worked on"), gettext("Has not worked on"), {min_accepted: [gettext("Accepted answers there, at least"), 1, 1_000, 1]}),
  },
};

let fields = 0;

function field(label, control) {
  control.id = `condition-${(fields += 1)}`;
  return el("div", {class: "field"}, el("label", {for: control.id}, label), control);
}

function choice(options, value, changed) {
  const select = el("select", {}, Object.entries(options).map(([key, text]) => el("option", {value: key, selected: key === value}, text)));
  select.addEventListener("change", () => changed(select.value));
  return select;
}

/** A list of words behind one of two names. */
function words(modes, label, form = (text) => text) {
  return ({terms}, _choices, changed) => {
    let [mode] = Object.keys(terms);
    const input = el("input", {type: "text", autocomplete: "off", value: (terms[mode] ?? []).join(", ")});
    const tell = () => changed({[mode]: form(input.value).split(/[\s,;]+/).filter(Boolean)});
    input.addEventListener("input", tell);
    return [field(gettext("Which"), choice(modes, mode, (value) => ((mode = value), tell()))), field(label, input)];
  };
}

function ticks(name, kind, legend) {
  return ({terms}, choices, changed) => {
    const on = new Set(terms[name] ?? []);
    const boxes = choices[kind].map(({id, name: title}) => {
      const input = el("input", {type: "checkbox", value: id, checked: on.has(id)});
      input.addEventListener("change", () => {
        if (input.checked) on.add(id);
        else on.delete(id);
        changed({[name]: [...on]});
      });
      return el("label", {}, input, title);
    });
    return [el("fieldset", {class: "field choices"}, el("legend", {}, legend), el("div", {}, boxes))];
  };
}

function numberField([label, min, max, step], value, changed) {
  const input = el("input", {type: "number", min, max, step, value: value ?? "", autocomplete: "off"});
  input.addEventListener("input", () => changed(input.value === "" ? undefined : Number(input.value)));
  return field(label, input);
}

function numbers(declared) {
  return ({terms}, _choices, changed) => {
    const now = {...terms};
    return Object.entries(declared).map(([name, about]) => numberField(about, terms[name], (value) => {
      if (value === undefined) delete now[name];
      else now[name] = value;
      changed({...now});
    }));
  };
}

/** One of the organisation's own things, with bounds if there are any; and its opposite. */
function chosen(kind, has, hasNot, bounds = {}) {
  return ({terms, not}, choices, changed) => {
    let now = {...terms};
    let opposite = not;
    const tell = () => changed(now, opposite);
    const things = Object.fromEntries(choices[kind].map(({id, name}) => [id, name]));
    return [
      field(gettext("Which"), choice({yes: has, no: hasNot}, not ? "no" : "yes", (value) => ((opposite = value === "no"), tell()))),
      field(KINDS[kind].label, choice(things, terms.id, (id) => ((now = {...now, id}), tell()))),
      ...Object.entries(bounds).map(([name, about]) => numberField(about, terms[name], (value) => {
        now = {...now, [name]: value};
        if (value === undefined) delete now[name];
        tell();
      })),
    ];
  };
}

function listed({terms}, choices, changed) {
  let now = {...terms};
  const things = Object.fromEntries(choices.list.map(({id, name}) => [id, name]));
  return [
    field(gettext("Which"), choice({yes: gettext("Is on the list"), no: gettext("Is not on the list")}, terms.member ? "yes" : "no", (value) => changed((now = {...now, member: value === "yes"})))),
    field(KINDS.list.label, choice(things, terms.id, (id) => changed((now = {...now, id})))),
  ];
}
