/**
 * What the editor offers for each type of answer. Options without a field here are set in the JSON; the server knows them
 * all and judges them (marketplace/projects/answer_types).
 */
import {gettext} from "../../pages/i18n.js";

const flag = (name, label, start = false) => ({kind: "flag", name, label, start});
const whole = (name, label, more) => ({kind: "whole", name, label, ...more});
const number = (name, label, more) => ({kind: "number", name, label, ...more});
const text = (name, label, more) => ({kind: "text", name, label, ...more});
const about = (...types) => ({kind: "data", name: "of", label: gettext("Which of what is shown?"), types});
const several = [whole("min", gettext("At least")), whole("max", gettext("At most"))];
const partial = flag("partial", gettext("Gold counts in part where a part is right"), true);
const ifMultiple = {only: (field) => field.multiple === true};

/** labels: the option that holds labels, if there is one; relations: that of relations between marks; options: its other
 * fields, in their order. */
export const KINDS = {
  choice: {
    labels: "labels",
    options: [
      flag("multiple", gettext("Several labels may be chosen")),
      whole("min", gettext("At least"), ifMultiple),
      whole("max", gettext("At most"), ifMultiple),
    ],
  },
  taxonomy: {labels: "tree", options: [flag("leaf_only", gettext("Only categories without others below them"), true), partial]},
  rating: {
    options: [
      whole("points", gettext("Points, from 2 to 11")),
      {kind: "lines", name: "labels", label: gettext("What each point means, from 1 up: one line for each, or nothing")},
    ],
  },
  number: {
    options: [
      number("minimum", gettext("At least")),
      number("maximum", gettext("At most")),
      text("unit", gettext("Unit, as cm")),
      number("tolerance", gettext("May be off by")),
      flag("integer", gettext("Whole numbers only")),
    ],
  },
  text: {
    options: [
      whole("max_length", gettext("Characters at most")),
      text("pattern", gettext("Form that it must have, as a regular expression"), {class: "code", spellcheck: "false"}),
    ],
  },
  preference: {
    options: [
      {kind: "data", name: "left", label: gettext("First of the two"), types: null},
      {kind: "data", name: "right", label: gettext("Second of the two"), types: null},
      whole("strengths", gettext("How many degrees of better, from 1 to 5")),
      flag("equal", gettext("Neither may be better")),
    ],
  },
  ranking: {labels: "items", options: [flag("ties", gettext("Some may be equal")), partial]},
  boxes: {labels: "labels", options: [about("image"), ...several, whole("min_size", gettext("Shortest side in pixels")), partial]},
  polygons: {labels: "labels", options: [about("image"), ...several, whole("min_size", gettext("Shortest side in pixels")), partial]},
  polylines: {labels: "labels", options: [about("image"), ...several, flag("directed", gettext("The direction counts")), partial]},
  keypoints: {
    labels: "labels",
    options: [about("image"), ...several, {kind: "json", name: "skeletons", label: gettext("Points of each label, and which are joined (JSON)")}],
  },
  mask: {
    labels: "labels",
    options: [
      about("image"),
      {kind: "one", name: "mode", label: gettext("What is painted"), choices: [["semantic", gettext("The class of each pixel")], ["instance", gettext("Each object by itself")]]},
    ],
  },
  spans: {
    labels: "labels",
    relations: "relations",
    options: [about("text", "markdown"), ...several, flag("overlap", gettext("Marks of different labels may overlap")), partial],
  },
  segments: {
    labels: "labels",
    options: [about("audio", "video"), ...several, number("min_duration", gettext("Seconds at least")), flag("overlap", gettext("Stretches of different labels may overlap"), true)],
  },
  transcription: {options: [about("audio", "video"), flag("timestamps", gettext("With the time of each sentence"), true), partial]},
  tracks: {labels: "labels", options: [about("video"), ...several, partial]},
  cuboids: {labels: "labels", options: [about("url", "image", "video"), ...several, partial]},
};

export const DATA_TITLES = {
  text: gettext("Text"),
  markdown: gettext("Text with Markdown"),
  image: gettext("Picture"),
  audio: gettext("Sound"),
  video: gettext("Film"),
  table: gettext("Table"),
  url: gettext("Link"),
};

// As tokens.css has them, --label-1 to --label-8.
export const COLOURS = [
  gettext("Orange"), gettext("Blue"), gettext("Green"), gettext("Purple"), gettext("Red"), gettext("Turquoise"),
  gettext("Violet"), gettext("Olive"),
];

const TWO = () => [{value: "first", title: gettext("First")}, {value: "second", title: gettext("Second")}];

/** The same question as another type: what both have stays, and what the new one cannot do without is there. */
export function turned(field, type, data) {
  const kind = KINDS[type] ?? {options: []};
  const kept = {name: field.name, type, title: field.title, help: field.help, required: field.required, show_if: field.show_if};
  const labels = KINDS[field.type]?.labels;
  if (kind.labels) kept[kind.labels] = (labels && field[labels]) || TWO();
  for (const option of kind.options) {
    if (option.kind !== "data") continue;
    const fitting = data.filter((one) => !option.types || option.types.includes(one.type)).map((one) => one.name);
    kept[option.name] = fitting.includes(field[option.name]) ? field[option.name] : fitting[option.name === "right" ? 1 : 0];
  }
  if (type === "mask") kept.mode = "semantic";
  if (type === "keypoints") kept.skeletons = Object.fromEntries(kept.labels.map(({value}) => [value, {points: ["first", "second"], edges: [["first", "second"]]}]));
  return JSON.parse(JSON.stringify(kept));
}
