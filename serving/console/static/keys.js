// Keys of the queue: j and k move through its rows, o opens one, / goes to the search, ? tells of them. All of it also
// works without this file, with Tab and Enter. Whoever speaks to their computer can turn the keys off (WCAG 2.1.4).
"use strict";
const OFF = "touchstone-keys-off";
const ROWS = ".queue .product > a";

function rows() {
  return [...document.querySelectorAll(ROWS)];
}

function move(step) {
  const all = rows();
  const here = all.findIndex((row) => row.closest("tr").contains(document.activeElement));
  const next = here < 0 ? (step > 0 ? 0 : all.length - 1) : here + step;
  if (all[next]) all[next].focus();
}

// A search that is answered once more, as on Enter, brings new rows: the one in focus keeps it.
let held = "";
document.addEventListener("htmx:beforeSwap", () => {
  held = document.activeElement.matches(ROWS) ? document.activeElement.getAttribute("href") : "";
});
document.addEventListener("htmx:afterSwap", () => {
  rows().find((row) => row.getAttribute("href") === held)?.focus();
});

const ACTIONS = {
  j: () => move(1),
  k: () => move(-1),
  o: () => document.activeElement.matches(ROWS) && document.activeElement.click(),
  "/": () => document.getElementById("q").focus(),
  "?": () => document.getElementById("keys").showModal(),
};

function isTyped(target) {
  return target.isContentEditable || target.matches("input:not([type=checkbox]), select, textarea");
}

document.addEventListener("keydown", (event) => {
  const action = ACTIONS[event.key];
  const free = !event.ctrlKey && !event.metaKey && !event.altKey && !isTyped(event.target);
  if (!action || !free || localStorage.getItem(OFF) || document.querySelector("dialog[open]")) return;
  event.preventDefault();
  action();
});

const dialog = document.getElementById("keys");
if (dialog) {
  const button = document.getElementById("show-keys");
  const choice = document.getElementById("keys-on");
  button.hidden = false;
  button.addEventListener("click", () => dialog.showModal());
  choice.checked = !localStorage.getItem(OFF);
  choice.addEventListener("change", () => {
    if (choice.checked) localStorage.removeItem(OFF);
    else localStorage.setItem(OFF, "1");
  });
}
