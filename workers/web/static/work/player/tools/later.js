/** Fields that need a tool this page does not have yet. Replace it in tools/index.js by a module with the same mount. */

import {el} from "../../../pages/dom.js";
import {gettext} from "../../../pages/i18n.js";

/** See tools/index.js. What was answered elsewhere is kept as it is. */
export function mount(host, {field, value}) {
  let answered = value;
  const note = el("p", {class: "notice", tabindex: "-1"});
  host.append(note);
  function draw() {
    note.textContent =
      answered === undefined
        ? gettext("This has to be drawn in a desktop tool that works over the API. Here you can only mark the task as unclear, or give it back: that costs you nothing.")
        : gettext("Your answer was made in a desktop tool and is kept as it is.");
  }
  draw();
  return {
    show(next) {
      answered = next;
      draw();
    },
    problem: () => (field.required && answered === undefined ? gettext("This cannot be answered here. Give the task back, or use a desktop tool.") : null),
    focus: () => note.focus(),
    destroy: () => host.replaceChildren(),
  };
}
