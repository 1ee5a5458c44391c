// The room board: what is clicked or reached by the keyboard becomes one request to the hotel's own API.
"use strict";

const board = document.getElementById("board");
const dialog = document.getElementById("board-dialog");
const says = document.getElementById("board-says");
const error = dialog.querySelector(".hb-error");
const field = (name) => dialog.querySelector(`[name=${name}]`);
const mayWrite = Boolean(board.dataset.mayWrite);
const REFRESH = 20_000; // milliseconds

let days, rows, at, loaded, chosen;

// Everything is read from the page anew, for the page is replaced when something has changed.
function look() {
  days = [...board.querySelectorAll(".hb-day")].map((day) => day.dataset.day);
  rows = [...board.querySelectorAll(".hb-row[data-room]")];
  loaded = performance.now();
  const today = board.querySelector(".hb-today");
  if (today) {
    for (const row of rows) {
      const mark = document.createElement("div");
      mark.className = "hb-mark";
      mark.style.gridColumn = String(days.indexOf(today.dataset.day) + 2);
      row.append(mark);
    }
  }
  at = { row: Math.min(at?.row ?? 0, rows.length - 1), day: Math.min(at?.day ?? Math.max(0, days.indexOf(today?.dataset.day)), days.length - 1) };
  tick();
}

// Seconds left were counted by the server; from there on only their passing counts, not this machine's clock.
function left(bar) {
  return Math.max(0, Number(bar.dataset.left) - Math.floor((performance.now() - loaded) / 1000));
}

function tick() {
  for (const bar of board.querySelectorAll("[data-left]")) {
    const seconds = left(bar);
    const text = `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, "0")}`;
    bar.querySelector("time").textContent = text;
    bar.classList.toggle("hb-lapsed", seconds === 0);
    if (chosen?.bar === bar) dialog.querySelector(".hb-what time").textContent = text;
  }
}

function barAt(row, day) {
  return [...row.querySelectorAll(".hb-stay")].find((bar) => bar.dataset.in <= day && day < bar.dataset.out);
}

function open(row, day, bar) {
  if (!bar && !mayWrite) return;
  chosen = { row, bar };
  const status = bar ? bar.dataset.status : "free";
  const own = Boolean(bar?.dataset.own);
  const checkIn = bar ? bar.dataset.in : day;
  const checkOut = bar ? bar.dataset.out : dayAfter(day);
  dialog.querySelector("h2").textContent = `${row.dataset.number} · ${row.dataset.type} · ${spoken(checkIn)} – ${spoken(checkOut)}`;
  for (const element of dialog.querySelectorAll("[data-when]")) {
    const now = element.dataset.when.split(" ").includes(status);
    const whose = status !== "held" || (element.hasAttribute("data-own") ? own : element.hasAttribute("data-not-own") ? !own : true);
    // A guest's stay ends with the reservation, whose page the name leads to.
    const guests = element.hasAttribute("data-no-guest") && bar?.dataset.guest;
    element.hidden = !(now && whose) || Boolean(guests);
  }
  dialog.querySelector("[data-show=extensions]").textContent = bar?.dataset.extensions ?? "";
  dialog.querySelector("[data-show=note]").textContent = [bar?.dataset.reference, bar?.dataset.reason].filter(Boolean).join(" · ");
  const guest = dialog.querySelector("[data-show=guest]");
  guest.hidden = !bar?.dataset.guest;
  if (!guest.hidden) [guest.textContent, guest.href] = [bar.dataset.guest, bar.dataset.page];
  error.textContent = "";
  if (mayWrite) {
    field("room").value = row.dataset.room;
    field("check_in").value = checkIn;
    field("check_out").value = checkOut;
    field("reference").value = field("reason").value = "";
  }
  tick();
  dialog.showModal();
}

const DAY = new Intl.DateTimeFormat(document.documentElement.lang, { weekday: "short", day: "numeric", month: "short", timeZone: "UTC" });

function spoken(day) {
  return DAY.format(new Date(`${day}T00:00:00Z`));
}

function dayAfter(day) {
  const next = new Date(`${day}T00:00:00Z`);
  next.setUTCDate(next.getUTCDate() + 1);
  return next.toISOString().slice(0, 10);
}

const ACTS = {
  hold: () => ["", { rooms: [Number(chosen.row.dataset.room)], ...dates(), reference: field("reference").value }],
  "out-of-service": () => ["out-of-service/", { room: Number(chosen.row.dataset.room), ...dates(), reason: field("reason").value }],
  confirm: () => [`${chosen.bar.dataset.id}/confirm/`, { fencing_token: Number(chosen.bar.dataset.fencing_token) }],
  extend: () => [`${chosen.bar.dataset.id}/extend/`, {}],
  release: () => [`${chosen.bar.dataset.id}/release/`, {}],
  "force-release": () => [`${chosen.bar.dataset.id}/force-release/`, { reason: field("reason").value }],
  move: () => [`${chosen.bar.dataset.id}/move/`, { room: Number(field("room").value), ...dates() }],
  cancel: () => [`${chosen.bar.dataset.id}/cancel/`, {}],
  "back-in-service": () => [`${chosen.bar.dataset.id}/back-in-service/`, {}],
};

function dates() {
  return { check_in: field("check_in").value, check_out: field("check_out").value };
}

async function act(button) {
  const [path, body] = ACTS[button.dataset.act]();
  button.disabled = true;
  error.textContent = "";
  try {
    const answer = await fetch(`/api/v1/locks/${path}`, {
      method: "POST",
      headers: { "Content-Type": "application/json", "X-CSRFToken": field("csrfmiddlewaretoken").value },
      body: JSON.stringify(body),
    });
    if (answer.ok) {
      dialog.close();
      await refresh();
      says.textContent = button.textContent.trim() + " ✓";
    } else {
      const problem = await answer.json();
      error.textContent = (problem.errors ?? [problem]).map((one) => [one.pointer, one.detail].filter(Boolean).join(": ")).join(" ").replace(/\d{4}-\d\d-\d\d/g, spoken);
    }
  } catch (problem) {
    error.textContent = String(problem);
  } finally {
    button.disabled = false;
  }
}

async function refresh() {
  const answer = await fetch(location.href);
  if (!answer.ok || answer.redirected) return;
  const fresh = new DOMParser().parseFromString(await answer.text(), "text/html").getElementById("board");
  if (!fresh) return;
  const { scrollLeft, scrollTop } = board;
  board.replaceChildren(...fresh.children);
  board.scrollTo(scrollLeft, scrollTop);
  look();
  if (document.activeElement === board) point();
}

function point() {
  board.querySelector(".hb-cursor")?.remove();
  const row = rows[at.row];
  if (!row) return;
  const cursor = document.createElement("div");
  cursor.className = "hb-cursor";
  cursor.style.gridColumn = String(at.day + 2);
  row.append(cursor);
  cursor.scrollIntoView({ block: "nearest", inline: "center" });
  const bar = barAt(row, days[at.day]);
  says.textContent = [row.dataset.number, spoken(days[at.day]), bar?.textContent.trim()].filter(Boolean).join(" · ");
}

const MOVES = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1], PageUp: [-10, 0], PageDown: [10, 0] };

board.addEventListener("keydown", (event) => {
  const move = MOVES[event.key];
  if (move) {
    at.row = Math.max(0, Math.min(rows.length - 1, at.row + move[0]));
    at.day = Math.max(0, Math.min(days.length - 1, at.day + move[1]));
    point();
  } else if ((event.key === "Enter" || event.key === " ") && rows[at.row]) {
    open(rows[at.row], days[at.day], barAt(rows[at.row], days[at.day]));
  } else return;
  event.preventDefault();
});
board.addEventListener("focus", point);
board.addEventListener("click", (event) => {
  const row = event.target.closest(".hb-row[data-room]");
  if (!row || event.target.closest(".hb-room")) return;
  const first = board.querySelector(".hb-day");
  // A night is drawn from the middle of its day to the middle of the next.
  const day = Math.max(0, Math.floor((event.clientX - first.getBoundingClientRect().left) / first.offsetWidth - 0.5));
  if (!days[day]) return;
  at = { row: rows.indexOf(row), day };
  open(row, days[day], event.target.closest(".hb-stay"));
});
dialog.addEventListener("click", (event) => {
  const button = event.target.closest("[data-act]");
  if (button) act(button);
});
// Enter in a field does the main thing that can be done, instead of closing the dialog as its form would.
dialog.addEventListener("keydown", (event) => {
  if (event.key !== "Enter" || !event.target.matches("input")) return;
  event.preventDefault();
  dialog.querySelector(".hb-main:not([hidden])")?.click();
});
dialog.addEventListener("close", () => { chosen = undefined; board.focus(); });

look();
setInterval(tick, 1000);
setInterval(() => { if (!dialog.open && !document.hidden) refresh(); }, REFRESH);
