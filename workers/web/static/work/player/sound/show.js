import {el} from "../../../pages/dom.js";
import {gettext} from "../../../pages/i18n.js";
import {useSheet} from "../marking/sheet.js";
import {openDeck} from "./deck.js";

/** Show a sound or film with its player: a line to seek on, speed, steps, and words where it cannot be loaded. */
export async function showMedia(host, {field, value, kind}) {
  await useSheet(new URL("../marking.css", import.meta.url).href);
  const deck = openDeck({url: value, kind, name: field.title});
  const line = el("input", {type: "range", class: "deck-line", min: 0, max: 0, step: 0.01, value: 0, "aria-label": gettext("Place in the recording")});
  line.addEventListener("input", () => deck.seek(Number(line.value)));
  deck.addEventListener("ready", () => (line.max = deck.length));
  deck.addEventListener("time", () => (line.value = deck.time));
  deck.addEventListener("broken", () => (line.disabled = true));
  deck.media.addEventListener("click", () => deck.toggle());
  deck.element.insertBefore(line, deck.controls);
  host.append(deck.element);
  return {
    destroy() {
      deck.destroy();
      host.replaceChildren();
    },
  };
}
