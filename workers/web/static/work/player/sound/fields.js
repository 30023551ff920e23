/** Fields for the times of a stretch, typed or nudged by the arrow keys. */
import {el} from "../../../pages/dom.js";
import {clock, plain, seconds} from "./times.js";

const NUDGE = 0.01;
const NUDGE_FAR = 0.1;

/**
 * An input for a time: {element, show(time, readonly)}. Arrow up and down move it by 10 ms, with Shift by 100 ms; Enter or
 * leaving it takes what was typed. `set(time)` is called with what was meant; text that is no time gives way to the time
 * as it was.
 */
export function timeField({key, set}) {
  const input = el("input", {type: "text", class: "time-field", inputmode: "decimal", autocomplete: "off", spellcheck: "false", "data-key": key});
  let time = 0;
  const take = () => {
    const typed = seconds(input.value);
    if (typed !== null && Math.abs(typed - plain(time)) > 1e-6) set(typed);
    // Where it was refused, or was no time, the time is as before.
    input.value = clock(time);
  };
  input.addEventListener("change", take);
  input.addEventListener("keydown", (event) => {
    if (event.key === "Enter") {
      take();
      // With Ctrl it goes on to the page, which submits.
      if (event.ctrlKey || event.metaKey) return;
    } else if (event.key === "ArrowUp" || event.key === "ArrowDown") {
      const step = (event.shiftKey ? NUDGE_FAR : NUDGE) * (event.key === "ArrowUp" ? 1 : -1);
      set(Math.max(0, plain((seconds(input.value) ?? time) + step)));
      input.value = clock(time);
    } else return;
    event.preventDefault();
  });
  return {
    element: input,
    show(now, readonly) {
      if (now !== time || !input.value) input.value = clock(now);
      time = now;
      input.readOnly = readonly;
    },
  };
}
