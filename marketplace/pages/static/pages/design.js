/** The page of components: opens its sheet, and shows that the modules work. */
import {icon, show} from "./dom.js";
import {duration, money, percent} from "./format.js";
import {hotkeys, shown} from "./keys.js";

const sheet = document.querySelector("dialog.sheet");
for (const button of document.querySelectorAll("[data-open]")) button.addEventListener("click", () => sheet.showModal());
hotkeys(document, {"?": () => sheet.showModal()});
show(
  document.querySelector("[data-modules]"),
  icon("check"), ` ${money(1_482_360_000, "EUR")} · ${duration(150)} · ${percent(0.999)} · ${shown("mod+z")}`,
);
