// The room board. The dialog for a free night or an allocation sends its actions to the REST API of the hotel.
"use strict";

const board = document.getElementById("board");
const dialog = document.getElementById("board-dialog");
const statusLine = document.getElementById("board-status");
const error = dialog.querySelector(".hb-error");
const panel = document.getElementById("board-panel");
const field = (name) => dialog.querySelector(`[name="${name}"]`);
const mayWrite = Boolean(board.dataset.mayWrite);
const REFRESH_INTERVAL = 20_000; // milliseconds

let days, rows, cursor, loadedAt, selected;

// Called after each refresh, because it replaces the content of the board.
function initialize() {
  days = [...board.querySelectorAll(".hb-day")].map((day) => day.dataset.day);
  rows = [...board.querySelectorAll(".hb-row[data-room]")];
  loadedAt = performance.now();
  const today = board.querySelector(".hb-today");
  if (today) {
    for (const row of rows) {
      const mark = document.createElement("div");
      mark.className = "hb-mark";
      mark.style.gridColumn = String(days.indexOf(today.dataset.day) + 2);
      row.append(mark);
    }
  }
  const firstDay = Math.max(0, days.indexOf(today?.dataset.day));
  cursor = {
    row: Math.min(cursor?.row ?? 0, rows.length - 1),
    day: Math.min(cursor?.day ?? firstDay, days.length - 1),
  };
  updateCountdowns();
}

// The server sends the seconds left, so the countdown does not depend on this machine's clock being right.
function secondsLeft(bar) {
  return Math.max(0, Number(bar.dataset.left) - Math.floor((performance.now() - loadedAt) / 1000));
}

function updateCountdowns() {
  for (const bar of board.querySelectorAll("[data-left]")) {
    const seconds = secondsLeft(bar);
    const text = `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, "0")}`;
    bar.querySelector("time").textContent = text;
    bar.classList.toggle("hb-expired", seconds === 0);
    if (selected?.bar === bar) dialog.querySelector(".hb-state time").textContent = text;
  }
}

function barAt(row, day) {
  return [...row.querySelectorAll(".hb-stay")].find((bar) => bar.dataset.in <= day && day < bar.dataset.out);
}

// Open the dialog for a bar, or for a free night if there is none.
function openDialog(row, day, bar) {
  if (!bar && !mayWrite) return;
  selected = { row, bar };
  // The stay of a reservation changes together with the reservation, so the panel has the actions.
  const state = !bar ? "free" : bar.dataset.panel ? "guest" : bar.dataset.status;
  const checkIn = bar ? bar.dataset.in : day;
  const checkOut = bar ? bar.dataset.out : dayAfter(day);
  dialog.querySelector("h2").textContent = `${row.dataset.number} · ${row.dataset.type} · ${formatDay(checkIn)} – ${formatDay(checkOut)}`;
  for (const element of dialog.querySelectorAll("[data-when]")) element.hidden = !isShown(element, state, bar);
  dialog.querySelector("[data-show=extensions]").textContent = bar?.dataset.extensions ?? "";
  dialog.querySelector("[data-show=note]").textContent = [bar?.dataset.reference, bar?.dataset.reason].filter(Boolean).join(" · ");
  error.textContent = "";
  panel.replaceChildren();
  if (state === "guest") loadPanel(bar);
  if (mayWrite) {
    field("room").value = row.dataset.room;
    field("check_in").value = checkIn;
    field("check_out").value = checkOut;
    field("reference").value = field("reason").value = "";
  }
  updateCountdowns();
  dialog.showModal();
}

function isShown(element, state, bar) {
  if (!element.dataset.when.split(" ").includes(state)) return false;
  if (state !== "held") return true;
  const own = Boolean(bar.dataset.own);
  return element.hasAttribute("data-own") ? own : !(element.hasAttribute("data-not-own") && own);
}

// Show the reservation of a stay, with the actions of the front desk. The actions return to the board as it is now.
async function loadPanel(bar) {
  panel.textContent = bar.dataset.guest;
  try {
    const next = encodeURIComponent(location.pathname + location.search);
    const response = await fetch(`${bar.dataset.panel}?next=${next}`);
    if (!response.ok || response.redirected) throw new Error(response.status);
    const content = new DOMParser().parseFromString(await response.text(), "text/html").body.childNodes;
    if (selected?.bar !== bar) return;
    panel.replaceChildren(...content);
    panel.querySelector("a, button")?.focus();
  } catch {
    error.textContent = dialog.dataset.requestFailed;
  }
}

const DAY_FORMAT = new Intl.DateTimeFormat(document.documentElement.lang, { weekday: "short", day: "numeric", month: "short", timeZone: "UTC" });

function formatDay(day) {
  return DAY_FORMAT.format(new Date(`${day}T00:00:00Z`));
}

function dayAfter(day) {
  const next = new Date(`${day}T00:00:00Z`);
  next.setUTCDate(next.getUTCDate() + 1);
  return next.toISOString().slice(0, 10);
}

// Path below /api/v1/locks/ and body of the request of each action.
const REQUESTS = {
  hold: () => ["", { rooms: [Number(selected.row.dataset.room)], ...dates(), reference: field("reference").value }],
  close: () => ["close/", { room: Number(selected.row.dataset.room), ...dates(), reason: field("reason").value }],
  confirm: () => [`${selected.bar.dataset.id}/confirm/`, { fencing_token: Number(selected.bar.dataset.fencing_token) }],
  extend: () => [`${selected.bar.dataset.id}/extend/`, {}],
  release: () => [`${selected.bar.dataset.id}/release/`, {}],
  "force-release": () => [`${selected.bar.dataset.id}/force-release/`, { reason: field("reason").value }],
  move: () => [`${selected.bar.dataset.id}/move/`, { room: Number(field("room").value), ...dates() }],
  cancel: () => [`${selected.bar.dataset.id}/cancel/`, {}],
  reopen: () => [`${selected.bar.dataset.id}/reopen/`, {}],
};

function dates() {
  return { check_in: field("check_in").value, check_out: field("check_out").value };
}

async function submit(button) {
  const [path, body] = REQUESTS[button.dataset.action]();
  button.disabled = true;
  error.textContent = "";
  try {
    const response = await fetch(`/api/v1/locks/${path}`, {
      method: "POST",
      headers: { "Content-Type": "application/json", "X-CSRFToken": field("csrfmiddlewaretoken").value },
      body: JSON.stringify(body),
    });
    if (response.ok) {
      dialog.close();
      await refresh();
      statusLine.textContent = button.dataset.done;
    } else {
      error.textContent = problemText(await response.json());
    }
  } catch {
    error.textContent = dialog.dataset.requestFailed;
  } finally {
    button.disabled = false;
  }
}

// The text of a problem document (RFC 9457), with the label of each invalid field.
function problemText(problem) {
  const texts = (problem.errors ?? [problem]).map(({ pointer, detail }) => {
    const label = pointer && (field(pointer.slice(1))?.closest("label")?.firstChild.textContent.trim() ?? pointer);
    return [label, detail].filter(Boolean).join(": ");
  });
  return texts.join(" ").replace(/\d{4}-\d\d-\d\d/g, formatDay);
}

async function refresh() {
  const response = await fetch(location.href);
  if (!response.ok || response.redirected) return;
  const page = new DOMParser().parseFromString(await response.text(), "text/html");
  const content = page.getElementById("board");
  if (!content) return;
  const { scrollLeft, scrollTop } = board;
  board.replaceChildren(...content.children);
  board.scrollTo(scrollLeft, scrollTop);
  initialize();
  if (document.activeElement === board) showCursor();
}

function showCursor() {
  board.querySelector(".hb-cursor")?.remove();
  const row = rows[cursor.row];
  if (!row) return;
  const mark = document.createElement("div");
  mark.className = "hb-cursor";
  mark.style.gridColumn = String(cursor.day + 2);
  row.append(mark);
  mark.scrollIntoView({ block: "nearest", inline: "center" });
  const bar = barAt(row, days[cursor.day]);
  statusLine.textContent = [row.dataset.number, formatDay(days[cursor.day]), bar?.textContent.trim()].filter(Boolean).join(" · ");
}

const CURSOR_KEYS = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1], PageUp: [-10, 0], PageDown: [10, 0] };

board.addEventListener("keydown", (event) => {
  const step = CURSOR_KEYS[event.key];
  if (step) {
    cursor.row = Math.max(0, Math.min(rows.length - 1, cursor.row + step[0]));
    cursor.day = Math.max(0, Math.min(days.length - 1, cursor.day + step[1]));
    showCursor();
  } else if ((event.key === "Enter" || event.key === " ") && rows[cursor.row]) {
    const row = rows[cursor.row];
    openDialog(row, days[cursor.day], barAt(row, days[cursor.day]));
  } else return;
  event.preventDefault();
});
board.addEventListener("focus", showCursor);
board.addEventListener("click", (event) => {
  const row = event.target.closest(".hb-row[data-room]");
  if (!row || event.target.closest(".hb-room")) return;
  const firstDay = board.querySelector(".hb-day");
  // A night is drawn from the middle of its day to the middle of the next day.
  const column = Math.floor((event.clientX - firstDay.getBoundingClientRect().left) / firstDay.offsetWidth - 0.5);
  const day = Math.max(0, column);
  if (!days[day]) return;
  cursor = { row: rows.indexOf(row), day };
  openDialog(row, days[day], event.target.closest(".hb-stay"));
});
dialog.addEventListener("click", (event) => {
  const button = event.target.closest("[data-action]");
  if (button) submit(button);
  const booking = event.target.closest("[data-booking]");
  if (booking) {
    const { check_in: arrival, check_out: departure } = dates();
    booking.search = new URLSearchParams({ arrival, departure, room: selected.row.dataset.room });
  }
});
// Enter in a field triggers the main action. Without this, it would submit the form, which closes the dialog.
dialog.addEventListener("keydown", (event) => {
  if (event.key !== "Enter" || !event.target.matches(".hb-fields input")) return;
  event.preventDefault();
  dialog.querySelector(".hb-main:not([hidden])")?.click();
});
dialog.addEventListener("close", () => { selected = undefined; board.focus(); });

initialize();
setInterval(updateCountdowns, 1000);
setInterval(() => { if (!dialog.open && !document.hidden) refresh(); }, REFRESH_INTERVAL);
