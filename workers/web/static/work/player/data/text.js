/** Plain text, as it was written. */

import {el} from "../../../pages/dom.js";

export function mount(host, {value}) {
  host.append(el("p", {class: "plain-text", dir: "auto"}, String(value)));
  return {destroy: () => host.replaceChildren()};
}
