// The search of the admin. The dialog follows the pattern "combobox with a listbox" of the ARIA authoring practices.
"use strict";

const searchDialog = document.getElementById("ha-search");
const searchInput = searchDialog.querySelector("input");
const searchResults = searchDialog.querySelector("[role=listbox]");
const searchStatus = searchDialog.querySelector("[role=status]");
const DELAY = 200; // milliseconds after the last key
const MIN_LENGTH = 2;

let searchTimer, searchRequest;

const searchOptions = () => [...searchResults.querySelectorAll("[role=option]")];

function openSearch() {
  if (searchDialog.open) return;
  searchDialog.showModal();
  searchInput.select();
}

function showResults(html, status) {
  searchResults.innerHTML = html;
  searchStatus.textContent = status ?? searchResults.querySelector("[data-status]")?.content.textContent ?? "";
  const options = searchOptions();
  searchInput.setAttribute("aria-expanded", String(options.length > 0));
  select(options[0]);
}

function select(option) {
  searchResults.querySelector("[aria-selected=true]")?.setAttribute("aria-selected", "false");
  if (!option) {
    searchInput.removeAttribute("aria-activedescendant");
    return;
  }
  option.setAttribute("aria-selected", "true");
  option.scrollIntoView({ block: "nearest" });
  searchInput.setAttribute("aria-activedescendant", option.id);
}

async function loadResults() {
  searchRequest?.abort();
  const text = searchInput.value.trim();
  if (text.length < MIN_LENGTH) {
    showResults("", "");
    return;
  }
  searchRequest = new AbortController();
  const { signal } = searchRequest;
  try {
    const response = await fetch(`${searchDialog.dataset.url}?q=${encodeURIComponent(text)}`, { signal });
    // A session that has ended redirects to the login page.
    if (!response.ok || response.redirected) throw new Error(String(response.status));
    showResults(await response.text());
  } catch (failure) {
    if (failure.name !== "AbortError") showResults("", searchDialog.dataset.failed);
  }
}

document.addEventListener("click", (event) => {
  if (event.target.closest("[data-search-open]")) openSearch();
});

document.addEventListener("keydown", (event) => {
  if ((event.ctrlKey || event.metaKey) && !event.altKey && !event.shiftKey && event.key.toLowerCase() === "k") {
    event.preventDefault();
    openSearch();
  }
});

searchInput.addEventListener("input", () => {
  clearTimeout(searchTimer);
  searchTimer = setTimeout(loadResults, DELAY);
});

searchInput.addEventListener("keydown", (event) => {
  const options = searchOptions();
  const current = options.findIndex((option) => option.getAttribute("aria-selected") === "true");
  if (event.key === "ArrowDown" || event.key === "ArrowUp") {
    event.preventDefault();
    const step = event.key === "ArrowDown" ? 1 : -1;
    select(options[(current + step + options.length) % options.length]);
  } else if (event.key === "Enter" && options[current]) {
    event.preventDefault();
    if (event.ctrlKey || event.metaKey) window.open(options[current].href);
    else options[current].click();
  }
});

searchDialog.addEventListener("click", (event) => {
  // A click on the backdrop has the dialog itself as its target.
  if (event.target === searchDialog || event.target.closest(".ha-search-close")) searchDialog.close();
});
