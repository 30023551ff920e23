/** Fields for the times of a stretch, typed or nudged by the arrow keys. */
import {el} from "../../../pages/dom.js";
import {clock, plain, seconds} from "./times.js";

const NUDGE = 0.01;
const NUDGE_FAR = 0.1;

/**
 * An input for a time. Arrow up and down move it by 10 ms, with Shift by 100 ms; Enter or leaving it takes what was
 * typed. `set(time)` is called with what was meant; text that is no time gives way to the time as it was.
 */
export function timeField({label, time, key, readonly, set}) {
  const input = el("input", {type: "text", class: "time-field", inputmode: "decimal", autocomplete: "off", spellcheck: "false", "aria-label": label, "data-key": key});
  input.value = clock(time);
  input.readOnly = readonly;
  const take = () => {
    const typed = seconds(input.value);
    if (typed === null) input.value = clock(time);
    else if (Math.abs(typed - plain(time)) > 1e-6) set(typed);
  };
  input.addEventListener("change", take);
  input.addEventListener("keydown", (event) => {
    if (event.key === "Enter") take();
    else if (event.key === "ArrowUp" || event.key === "ArrowDown") {
      const step = (event.shiftKey ? NUDGE_FAR : NUDGE) * (event.key === "ArrowUp" ? 1 : -1);
      set(Math.max(0, plain((seconds(input.value) ?? time) + step)));
    } else return;
    event.preventDefault();
  });
  return input;
}
