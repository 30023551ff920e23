/** A picture to look at, that is zoomed and moved. */

import {el} from "../../../pages/dom.js";
import {gettext} from "../../../pages/i18n.js";
import {mountImage} from "../viewport.js";

const SHOWN = /^(https?:\/\/|data:image\/(png|jpeg|gif|webp);base64,)/i;

export function mount(host, {field, value}) {
  if (SHOWN.test(value)) return mountImage(host, {src: value, alt: field.title});
  host.append(el("p", {class: "errorlist"}, gettext("This picture has an address that cannot be shown.")));
  return {destroy: () => host.replaceChildren()};
}
