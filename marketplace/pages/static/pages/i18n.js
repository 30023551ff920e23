/**
 * Texts in the reader's language. English is what the code says; for every other language the page loads the catalogue
 * of /jsi18n/ before its modules, and this finds it.
 */
const catalogue = () => globalThis.django ?? {};

/** The text in the reader's language. */
export const gettext = (text) => catalogue().gettext?.(text) ?? text;

/** The text for this many. */
export const ngettext = (one, many, count) =>
  catalogue().ngettext?.(one, many, count) ?? (count === 1 ? one : many);

/** The text as it is meant in this place. */
export const pgettext = (context, text) => catalogue().pgettext?.(context, text) ?? text;

/** Put values in: `%s` in turn from an array, `%(name)s` by name from an object. */
export function interpolate(text, values) {
  if (Array.isArray(values)) {
    const left = [...values];
    return text.replace(/%s/g, () => String(left.shift()));
  }
  return text.replace(/%\((\w+)\)s/g, (_, name) => String(values[name]));
}
