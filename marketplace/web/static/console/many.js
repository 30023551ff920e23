/** Many rows at once: tick all, count what is ticked, and the sheet that asks why. */
import {gettext, interpolate, ngettext} from "../pages/i18n.js";

const form = document.getElementById("many");

if (form) begin();

function begin() {
  const all = form.querySelector("[data-all]");
  const ticks = [...form.querySelectorAll('tbody input[type="checkbox"]')];
  const counted = form.querySelector("[data-count]");
  const sheet = form.querySelector("dialog");

  all?.addEventListener("change", () => {
    for (const tick of ticks) tick.checked = all.checked;
    count();
  });
  for (const tick of ticks) tick.addEventListener("change", count);
  for (const button of form.querySelectorAll("[data-sheet]")) button.addEventListener("click", () => open(button.dataset.sheet));
  sheet?.querySelector("[data-close]").addEventListener("click", () => sheet.close());
  // Enter in a field sends what the sheet is about, not the first button of the form.
  sheet?.addEventListener("keydown", (event) => {
    if (event.key !== "Enter" || event.target.closest("textarea, button")) return;
    event.preventDefault();
    sheet.querySelector("button[name=act]:not([hidden])").click();
  });
  count();
  if (["reject", "repair"].includes(form.dataset.open)) open(form.dataset.open);

  function count() {
    const n = ticks.filter(({checked}) => checked).length;
    if (counted) counted.textContent = n ? interpolate(ngettext("%(n)s ticked", "%(n)s ticked", n), {n}) : gettext("None is ticked");
  }

  function open(act) {
    for (const part of sheet.querySelectorAll("[data-for]")) part.hidden = part.dataset.for !== act;
    const title = sheet.querySelector("h2");
    title.textContent = act === "reject" ? title.dataset.title : title.dataset.repair;
    sheet.showModal();
  }
}
