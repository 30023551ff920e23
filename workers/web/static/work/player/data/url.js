/** An address of a page elsewhere: opened beside this one, which it learns nothing about. */

import {el} from "../../../pages/dom.js";
import {gettext} from "../../../pages/i18n.js";

export function mount(host, {value}) {
  const safe = /^https?:\/\//i.test(value);
  host.append(
    safe
      ? el("a", {href: value, target: "_blank", rel: "noopener noreferrer nofollow", class: "outside-link"}, value, " ", el("span", {class: "soft"}, gettext("(opens a new tab)")))
      : el("span", {}, value),
  );
  return {destroy: () => host.replaceChildren()};
}
