/**
 * Keep the children of a list in step with entries: `made(entry)` makes {element, show(entry)} for a new id, and the
 * same element stays for as long as its id is there, so that what has the focus keeps it.
 */
export function keyedRows(list, made) {
  const rows = new Map();
  return {
    show(entries) {
      const ids = new Set(entries.map(({id}) => id));
      for (const [id, row] of rows) {
        if (ids.has(id)) continue;
        row.element.remove();
        rows.delete(id);
      }
      entries.forEach((entry, at) => {
        if (!rows.has(entry.id)) rows.set(entry.id, made(entry));
        const row = rows.get(entry.id);
        row.show(entry, at);
        if (list.children[at] !== row.element) list.insertBefore(row.element, list.children[at] ?? null);
      });
    },
  };
}
