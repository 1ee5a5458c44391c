// Corrects faults of unfold's pages that neither a template nor a style sheet can correct.
document.addEventListener("DOMContentLoaded", () => {
  // On phones, unfold shows the heading of each column beside the value, with a capital letter for each word. Our style
  // sheet turns that off, and the first letter becomes a capital letter here.
  for (const cell of document.querySelectorAll("[data-label]")) {
    const label = cell.dataset.label;
    cell.dataset.label = label.charAt(0).toLocaleUpperCase() + label.slice(1);
  }
  // SimpleBar names each scrollable region "scrollable content", in English. A region gets the name of what it contains.
  for (const region of document.querySelectorAll("[data-simplebar]")) {
    const named = region.closest("[aria-label]") || document.querySelector("h1");
    const name = named && (named.getAttribute("aria-label") || named.textContent.trim());
    if (name) region.setAttribute("data-simplebar-aria-label", name);
  }
});

// Select2 names a field only by its value, so a field without a value has no name. A field gets the name of its label.
function nameSelect2Fields() {
  for (const field of document.querySelectorAll("select.select2-hidden-accessible")) {
    const label = field.labels[0];
    const box = field.nextElementSibling && field.nextElementSibling.querySelector("[role=combobox]");
    const value = box && box.querySelector("[role=textbox]");
    if (!label || !value) continue;
    label.id = label.id || `${field.id}-label`;
    value.setAttribute("aria-labelledby", label.id);
    box.setAttribute("aria-labelledby", `${label.id} ${value.id}`);
  }
}

// jQuery calls ready functions in the order of their registration, and Select2's was registered when its script ran. If
// the files are in the browser's cache, the event "load" can come before jQuery calls the first ready function.
window.addEventListener("load", () => {
  if (window.django && django.jQuery) django.jQuery(nameSelect2Fields);
});

// On phones, the tabs of a page are wider than the screen. The current tab is scrolled into view when the font is loaded,
// because the font changes the width of the tabs.
window.addEventListener("load", async () => {
  await document.fonts.ready;
  const tab = document.querySelector(".ha-tabs [aria-current]");
  if (tab) tab.scrollIntoView({ block: "nearest", inline: "center" });
});
