/** A picture: as wide as there is room, and on demand as large as it is. */

import {el} from "../../../pages/dom.js";
import {gettext} from "../../../pages/i18n.js";

const SHOWN = /^(https?:\/\/|data:image\/(png|jpeg|gif|webp);base64,)/i;

export function mount(host, {field, value}) {
  if (!SHOWN.test(value)) {
    host.append(el("p", {class: "errorlist"}, gettext("This picture has an address that cannot be shown.")));
    return {destroy: () => host.replaceChildren()};
  }
  const picture = el("img", {src: value, alt: field.title, decoding: "async", referrerpolicy: "no-referrer", draggable: "false"});
  const frame = el("div", {class: "picture", tabindex: "0", role: "group", "aria-label": field.title}, picture);
  const zoom = el("button", {type: "button", class: "button quiet small", "aria-pressed": "false"}, gettext("Full size"));
  const again = el("button", {type: "button", class: "button quiet small"}, gettext("Try again"));
  const failed = el("p", {class: "errorlist", role: "alert"}, gettext("The picture could not be loaded."), " ", again);
  failed.hidden = true;
  host.append(frame, failed, el("div", {class: "picture-tools"}, zoom));

  zoom.addEventListener("click", () => {
    const full = frame.classList.toggle("full");
    zoom.setAttribute("aria-pressed", String(full));
    zoom.textContent = full ? gettext("Fit to the page") : gettext("Full size");
  });
  picture.addEventListener("load", () => {
    failed.hidden = true;
    frame.hidden = false;
  });
  picture.addEventListener("error", () => {
    failed.hidden = false;
    frame.hidden = true;
  });
  again.addEventListener("click", () => {
    picture.src = "";
    picture.src = value;
  });
  return {destroy: () => host.replaceChildren()};
}
