import {el} from "../../../pages/dom.js";

/** A box to tick where there is nothing to mark: an answer too, and another one than none. */
export function nothingBox(text, tick) {
  const box = el("input", {type: "checkbox"});
  box.addEventListener("change", () => tick(box.checked));
  const element = el("label", {class: "mark-option mark-nothing"}, box, " ", text);
  return {
    element,
    /** Where nothing can be changed it is there only if it is the answer. */
    show({on, possible, readonly}) {
      element.hidden = readonly && !on;
      box.checked = on;
      box.disabled = !possible;
    },
  };
}
