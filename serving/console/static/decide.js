// The form of a decision: once a decision is chosen, only its reasons and its own fields are offered. Without this file the reasons are grouped by decision, and all of it works as well.
"use strict";
for (const form of document.querySelectorAll("form.decide")) {
  const reasons = form.elements.code;
  const groups = [...reasons.querySelectorAll("optgroup")];
  const own = [...form.querySelectorAll(".field[data-of]")];

  function offer() {
    const chosen = form.querySelector("input[name=disposition]:checked")?.value;
    if (!chosen) return;
    const before = reasons.value;
    for (const group of groups) {
      if (group.dataset.of === chosen) reasons.append(group);
      else group.remove();
    }
    const offered = [...reasons.querySelectorAll("optgroup option")].map((option) => option.value);
    reasons.value = offered.includes(before) ? before : offered.length === 1 ? offered[0] : "";
    for (const field of own) field.hidden = field.dataset.of !== chosen;
  }

  form.addEventListener("change", (event) => event.target.name === "disposition" && offer());
  offer();
}
