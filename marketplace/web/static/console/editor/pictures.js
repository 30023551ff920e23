/** Small pictures within instructions: chosen, dropped or pasted, and kept as data: addresses at the end of the text, where nobody writes. */
import {gettext, interpolate} from "../../pages/i18n.js";

const TYPES = new Set(["image/png", "image/jpeg", "image/gif", "image/webp"]);
// Three bytes are four characters, and the beginning of the address takes some.
const BEGINNING = 128;

// The text ends with a picture already.
const DEFINED_LAST = /(^|\n)\[picture-\d+\]: \S+$/;

const kilobytes = (bytes) => (bytes < 1024 ? "1" : String(Math.round(bytes / 1024)));

/** How many bytes of a picture have room beside so many characters of text. */
export function roomFor(used, most) {
  return Math.max(0, Math.floor(((most - used - BEGINNING) * 3) / 4));
}

/** What a picture is called in the text, after its file. */
export function altOf(name) {
  return name.replace(/\.[a-z0-9]+$/i, "").replace(/[\[\]()<>!\\`_*]+/g, " ").replace(/\s+/g, " ").trim().slice(0, 80);
}

/** A name that no picture of the text has yet. */
export function freeName(text) {
  let number = 1;
  while (text.includes(`[picture-${number}]`)) number += 1;
  return `picture-${number}`;
}

/**
 * Take pictures into a text.
 *
 * @param {HTMLTextAreaElement} area  the text; it is told by an `input` event
 * @param {{input: HTMLInputElement, said: HTMLElement, most: number}} parts  the button that chooses a file, where it is
 *   told what came of it, and how long the text may be
 */
export function takePictures(area, {input, said, most}) {
  const say = (words, tone = "") => {
    said.className = tone ? `notice ${tone}` : "soft small";
    said.textContent = words;
  };

  async function take(file) {
    if (!TYPES.has(file.type)) return say(gettext("Only PNG, JPEG, GIF and WebP pictures can be put in."), "bad");
    const room = roomFor(area.value.length, most);
    if (file.size > room) {
      const words = gettext("This picture has %(size)s KB, and there is room for %(room)s KB. Make it smaller, or put it on a server of yours and give its https address.");
      return say(interpolate(words, {size: kilobytes(file.size), room: room ? kilobytes(room) : "0"}), "bad");
    }
    put(altOf(file.name || ""), await addressOf(file));
    say(interpolate(gettext("The picture is in the text, with %(size)s KB; there is room for %(room)s KB more."), {size: kilobytes(file.size), room: kilobytes(roomFor(area.value.length, most))}));
  }

  /** Named at the cursor, in a line of its own; what it holds comes last. */
  function put(alt, address) {
    const name = freeName(area.value);
    const at = area.selectionEnd ?? area.value.length;
    const before = area.value.slice(0, at);
    const piece = `${before && !before.endsWith("\n") ? "\n" : ""}![${alt}][${name}]\n`;
    area.setRangeText(piece, at, at, "end");
    const {length} = area.value;
    area.setRangeText(`${DEFINED_LAST.test(area.value) ? "\n" : "\n\n"}[${name}]: ${address}`, length, length, "preserve");
    area.dispatchEvent(new Event("input", {bubbles: true}));
  }

  const pictureIn = (data) => [...(data?.files ?? [])].find(({type}) => type.startsWith("image/"));

  input.addEventListener("change", async () => {
    if (input.files[0]) await take(input.files[0]);
    input.value = "";
  });
  area.addEventListener("dragover", (event) => {
    if (event.dataTransfer?.types.includes("Files")) event.preventDefault();
  });
  area.addEventListener("drop", (event) => {
    const file = pictureIn(event.dataTransfer);
    if (!file) return;
    event.preventDefault();
    take(file);
  });
  area.addEventListener("paste", (event) => {
    const file = pictureIn(event.clipboardData);
    if (!file) return;
    event.preventDefault();
    take(file);
  });
}

function addressOf(file) {
  return new Promise((done, failed) => {
    const reader = new FileReader();
    reader.onload = () => done(reader.result);
    reader.onerror = () => failed(reader.error);
    reader.readAsDataURL(file);
  });
}
