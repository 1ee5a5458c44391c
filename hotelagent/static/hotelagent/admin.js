// Corrects two faults of unfold's pages that neither a template nor a style sheet can correct.
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
