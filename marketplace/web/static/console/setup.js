/** Steps of a set-up: what was typed is saved when somebody goes to another step; and errors are where one looks first. */
const form = document.getElementById("step-form");

if (form) {
  const before = () => JSON.stringify([...new FormData(form)].filter(([name]) => name !== "go"));
  const begun = before();
  let sent = false;
  for (const link of document.querySelectorAll("[data-step]")) {
    link.addEventListener("click", (event) => {
      if (event.ctrlKey || event.metaKey || event.shiftKey || before() === begun) return;
      event.preventDefault();
      form.elements.go.value = link.dataset.step;
      sent = true;
      form.submit();
    });
  }
  form.addEventListener("submit", () => (sent = true));
  // Whoever leaves by another way is asked, for what was typed would be lost.
  addEventListener("beforeunload", (event) => {
    if (!sent && before() !== begun) event.preventDefault();
  });
}
document.querySelector('[aria-invalid="true"]')?.focus();
