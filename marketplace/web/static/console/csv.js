/** CSV as the server reads it (RFC 4180): records by their number, so that a row can be mended and written back. */

/**
 * The records of a text: lists of cells. The first is the header; a line with nothing on it is an empty list.
 * @param {string} text
 * @returns {string[][]}
 */
export function parse(text) {
  const records = [];
  let record = [];
  let cell = "";
  let quoted = false;
  let begun = false;
  const end = () => {
    records.push(begun || cell !== "" || record.length > 0 ? [...record, cell] : []);
    record = [];
    cell = "";
    begun = false;
  };
  const from = text.charCodeAt(0) === 0xfeff ? 1 : 0;
  for (let at = from; at < text.length; at += 1) {
    const letter = text[at];
    if (quoted) {
      if (letter !== '"') cell += letter;
      else if (text[at + 1] === '"') (cell += '"'), (at += 1);
      else quoted = false;
    } else if (letter === '"' && cell === "") {
      quoted = true;
      begun = true;
    } else if (letter === ",") {
      record.push(cell);
      cell = "";
      begun = true;
    } else if (letter === "\n" || letter === "\r") {
      if (letter === "\r" && text[at + 1] === "\n") at += 1;
      end();
    } else {
      cell += letter;
    }
  }
  if (begun || cell !== "" || record.length > 0) end();
  return records;
}

/**
 * The text of some records.
 * @param {string[][]} records
 * @returns {string}
 */
export function format(records) {
  return records.map(line).join("\r\n") + "\r\n";
}

/** One record as a line. */
export function line(record) {
  return record.map((cell) => (/[",\r\n]/.test(cell) || (cell === "" && record.length === 1) ? `"${cell.replaceAll('"', '""')}"` : cell)).join(",");
}
