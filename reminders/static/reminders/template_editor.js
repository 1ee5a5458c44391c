// The live preview of a template, and the buttons that insert variables at the cursor.
"use strict";

(() => {
  const editor = document.querySelector("[data-template-editor]");
  const form = editor?.closest("form");
  if (!form) return;

  const DELAY = 400; // milliseconds after the last change
  const parts = ["subject", "text", "html"];
  const fields = parts.map((part) => form.elements[part]).filter(Boolean);
  const show = (name) => editor.querySelector(`[data-show=${name}]`);
  let lastField = form.elements.html;
  let timer = 0;
  let request = null;

  for (const button of editor.querySelectorAll(".te-toggle button")) {
    button.addEventListener("click", () => {
      for (const other of button.parentElement.children) {
        other.setAttribute("aria-pressed", String(other === button));
      }
      if (button.dataset.part) {
        show("html").hidden = button.dataset.part !== "html";
        show("text").hidden = button.dataset.part !== "text";
      } else {
        editor.classList.toggle("te-phone", button.dataset.width === "phone");
      }
    });
  }

  if (!fields.length) return; // the page is read-only
  show("variables").hidden = false;

  for (const button of editor.querySelectorAll("[data-variable]")) {
    button.addEventListener("click", () => {
      const text = `{{ ${button.dataset.variable} }}`;
      lastField.focus();
      lastField.setRangeText(text, lastField.selectionStart, lastField.selectionEnd, "end");
      lastField.dispatchEvent(new Event("input", { bubbles: true }));
    });
  }

  for (const field of fields) {
    field.addEventListener("focus", () => {
      lastField = field;
    });
  }
  form.addEventListener("input", () => {
    clearTimeout(timer);
    timer = setTimeout(update, DELAY);
  });
  form.elements.language?.addEventListener("change", update);
  // The page contains the preview of the stored template. Only other texts and errors need a request: the texts of a
  // form that was not saved, or that the browser has restored.
  const isShown = fields.every((field) => field.value === field.defaultValue) && !document.querySelector(".errornote");
  if (!isShown || show("problem").textContent) update();

  async function update() {
    request?.abort();
    request = new AbortController();
    const body = new FormData();
    for (const name of ["csrfmiddlewaretoken", "language", ...parts]) {
      body.append(name, form.elements[name]?.value ?? "");
    }
    try {
      const response = await fetch(editor.dataset.url, { method: "POST", body, signal: request.signal });
      if (response.ok) display(await response.json());
    } catch (error) {
      if (error.name !== "AbortError") editor.classList.add("te-outdated");
    }
  }

  function display(preview) {
    editor.classList.toggle("te-outdated", preview.errors.length > 0);
    show("problem").textContent = preview.errors.length ? preview.problem : "";
    for (const field of fields) {
      showError(
        field,
        preview.errors.find((error) => error.part === field.name),
      );
    }
    if (preview.errors.length) return; // the last valid preview stays visible
    show("subject").textContent = preview.subject;
    show("text").textContent = preview.text;
    show("html").srcdoc = preview.html;
  }

  function showError(field, error) {
    const id = `te-error-${field.name}`;
    let line = document.getElementById(id);
    if (!error) {
      line?.remove();
      field.removeAttribute("aria-invalid");
      return;
    }
    if (!line) {
      line = document.createElement("button");
      line.type = "button";
      line.id = id;
      line.className = "te-error";
      field.insertAdjacentElement("afterend", line);
    }
    line.textContent = error.text;
    line.onclick = () => selectLine(field, error.line);
    field.setAttribute("aria-invalid", "true");
  }

  function selectLine(field, number) {
    const lines = field.value.split("\n");
    const start = lines.slice(0, number - 1).join("\n").length + (number > 1 ? 1 : 0);
    field.focus();
    field.setSelectionRange(start, start + (lines[number - 1] ?? "").length);
  }
})();
