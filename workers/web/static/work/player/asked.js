/**
 * Which answer fields are asked beside what is answered so far: the same rules as marketplace/projects/conditions.py,
 * which decides in the end.
 */

/** How a type says more than equality; `wanted` is a value of the condition. */
const MEETS = {
  choice: (field, wanted, value) =>
    field.multiple && typeof wanted === "string" ? value.includes(wanted) : field.multiple ? sameSet(wanted, value) : wanted === value,
  taxonomy: (_field, wanted, value) => wanted.every((label, at) => value[at] === label),
  preference: (_field, wanted, value) => value.preferred === wanted,
};

/** The values that are asked for: those of shown fields that are answered, in the order of the fields. */
export function asked(fields, values) {
  const kept = {};
  for (const field of fields) {
    const value = values[field.name];
    if (value !== undefined && value !== null && isAsked(field, fields, kept)) kept[field.name] = value;
  }
  return kept;
}

/** Whether a field is asked beside `kept`, the values of the shown fields before it. */
export function isAsked(field, fields, kept) {
  const condition = field.show_if;
  if (!condition) return true;
  if (!(condition.field in kept)) return false;
  if ("answered" in condition) return true;
  const named = fields.find(({name}) => name === condition.field);
  const wanted = "any_of" in condition ? condition.any_of : [condition.is];
  const meets = MEETS[named.type] ?? ((_field, one, value) => same(one, value));
  return wanted.some((one) => meets(named, one, kept[named.name]));
}

/** Whether two JSON values say the same, whatever the order of their keys. */
export function same(one, other) {
  if (one === other) return true;
  if (typeof one !== "object" || typeof other !== "object" || !one || !other) return false;
  if (Array.isArray(one) !== Array.isArray(other)) return false;
  const names = Object.keys(one);
  return names.length === Object.keys(other).length && names.every((name) => name in other && same(one[name], other[name]));
}

function sameSet(one, other) {
  return one.length === other.length && one.every((label) => other.includes(label));
}
