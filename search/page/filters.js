// The filters: what is typed into their fields, and the buttons that remove them.

import { FILTERS } from "./address.js";
import { $, h } from "./dom.js";

let active = new Map(); // filter -> values
let onChange = () => {};

export function fillFilters(params) {
  active = new Map(FILTERS.map((name) => [name, params.getAll(name).filter(Boolean)]));
  $("tests").value = params.get("tests") || "include";
  drawTokens();
}

export function addFilterParams(params) {
  for (const [name, values] of active) values.forEach((value) => params.append(name, value));
  if ($("tests").value !== "include") params.set("tests", $("tests").value);
}

// Suggests the values that the index has, most frequent first.
export function suggestValues(values) {
  for (const name of FILTERS) {
    const counts = Object.entries(values[name] ?? {}).sort((a, b) => b[1] - a[1]);
    // The label repeats the value, since some browsers show the label only.
    const options = counts.map(([value, count]) => h("option", {
      value, label: `${value} (${count})`,
    }));
    $(`values-${name}`).replaceChildren(...options);
  }
}

function token(name, value, remove) {
  const onclick = () => {
    remove();
    onChange();
    ($("tokens").querySelector("button") ?? $("q")).focus();
  };
  const label = `Remove the filter ${name}: ${value}`;
  return h("button", { type: "button", class: "token", "aria-label": label, onclick },
    h("b", null, name), ` ${value} `, h("span", { "aria-hidden": "true" }, "×"));
}

function clearFilters() {
  active = new Map(FILTERS.map((name) => [name, []]));
  $("tests").value = "include";
  onChange();
  $("q").focus();
}

export function drawTokens() {
  const tests = $("tests");
  const remove = (name, value) => {
    active.set(name, active.get(name).filter((other) => other !== value));
  };
  const all = [...active].flatMap(([name, values]) => (
    values.map((value) => token(name, value, () => remove(name, value)))
  ));
  if (tests.value !== "include") {
    const text = tests.selectedOptions[0].text;
    all.push(token("tests", text, () => { tests.value = "include"; }));
  }
  const props = { type: "button", id: "clear-filters", onclick: clearFilters };
  $("filter-count").textContent = String(all.length);
  $("filter-count").hidden = $("tokens").hidden = all.length === 0;
  $("tokens").replaceChildren(...all, h("button", props, "Clear filters"));
}

function add({ target: input }) {
  if (!input.matches("input")) return; // tests is a select
  const value = input.value.trim();
  const values = active.get(input.name);
  input.value = "";
  if (!value || values.includes(value)) return;
  active.set(input.name, [...values, value]);
  onChange();
}

export function startFilters(changed) {
  onChange = changed;
  $("tests").addEventListener("change", changed);
  const grid = $("filter-grid");
  grid.addEventListener("change", add);
  // If a suggestion is chosen with the mouse, the change event comes only when the focus leaves.
  grid.addEventListener("input", (event) => {
    if (event.inputType === "insertReplacementText") add(event);
  });
  grid.addEventListener("keydown", (event) => {
    if (event.key !== "Enter" || !event.target.value) return;
    event.preventDefault(); // or the form would be submitted
    add(event);
  });
}
