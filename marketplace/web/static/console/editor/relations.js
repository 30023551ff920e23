/** Relations between marks: their kinds as labels, and between marks of which labels each may be. */
import {el} from "../../pages/dom.js";
import {gettext, interpolate} from "../../pages/i18n.js";
import {checkField} from "./controls.js";
import {labelList} from "./labels.js";

const ENDS = [
  ["from", gettext("“%s” begins at")],
  ["to", gettext("“%s” ends at")],
];

/**
 * The rows for `field.relations`; where there is none, the field has no such option.
 *
 * path    of the list, as answer[0].relations
 * editor  as `fieldRows` has it
 * returns the element, and `renamed`, to be called when labels of the field have changed: what names them goes along
 */
export function relationRows(field, path, editor) {
  const kinds = Array.isArray(field.relations) ? field.relations : [];
  const between = el("div", {});
  const host = el(
    "details",
    {open: kinds.length > 0},
    el("summary", {}, gettext("Relations between marks")),
    el("p", {class: "soft small"}, gettext("As “works for”, from a person to an organisation. Workers draw them between two marks.")),
  );
  let called = valuesOf();

  labelList(host, {
    labels: kinds,
    path,
    changed() {
      if (kinds.length) field.relations = kinds;
      else delete field.relations;
      draw();
      editor.changed();
    },
    say: editor.say,
  });
  host.append(between);

  function valuesOf() {
    return new Map((Array.isArray(field.labels) ? field.labels : []).map((label) => [label, label?.value]));
  }

  function draw() {
    if (between.contains(document.activeElement)) return;
    between.replaceChildren(...kinds.map((kind, at) => el("div", {class: "pairs"}, ENDS.map(([end, words]) => ends(kind, at, end, words)))));
  }

  function ends(kind, at, end, words) {
    const labels = [...valuesOf().values()].filter(Boolean);
    return el(
      "fieldset",
      {class: "field", "data-path": `${path}[${at}].${end}`},
      el("legend", {}, interpolate(words, [kind.title || kind.value || at + 1])),
      el("p", {class: "helptext"}, gettext("None chosen: any mark.")),
      [...called.keys()].filter(({value}) => labels.includes(value)).map((label) => checkField({
        label: label.title || label.value,
        path: `${path}[${at}].${end}.${label.value}`,
        value: (kind[end] ?? []).includes(label.value),
        changed(on) {
          const others = (kind[end] ?? []).filter((value) => value !== label.value);
          const chosen = on ? labels.filter((value) => value === label.value || others.includes(value)) : others;
          if (chosen.length) kind[end] = chosen;
          else delete kind[end];
          editor.changed();
        },
      })),
    );
  }

  draw();
  return {
    host,
    renamed() {
      const now = valuesOf();
      for (const kind of kinds) {
        for (const [end] of ENDS) {
          if (!Array.isArray(kind[end])) continue;
          // A label that is gone is named no more; one that is called otherwise is named so.
          const kept = [...called].filter(([label, value]) => now.has(label) && kind[end].includes(value)).map(([label]) => label.value);
          if (kept.length) kind[end] = kept;
          else delete kind[end];
        }
      }
      called = now;
      draw();
    },
  };
}
