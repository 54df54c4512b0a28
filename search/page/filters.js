// The filters: what is typed into their fields, and the buttons that remove them.

import { CHOICES, FILTERS } from "./address.js";
import { $, h } from "./dom.js";

let active = new Map(); // filter -> values
let onChange = () => {};

const chosen = () => CHOICES.filter((name) => $(name).value !== "include");

export function fillFilters(params) {
  active = new Map(FILTERS.map((name) => [name, params.getAll(name).filter(Boolean)]));
  for (const name of CHOICES) $(name).value = params.get(name) || "include";
  drawTokens();
}

export function addFilterParams(params) {
  for (const [name, values] of active) values.forEach((value) => params.append(name, value));
  for (const name of chosen()) params.set(name, $(name).value);
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
  for (const name of CHOICES) $(name).value = "include";
  onChange();
  $("q").focus();
}

export function drawTokens() {
  const remove = (name, value) => {
    active.set(name, active.get(name).filter((other) => other !== value));
  };
  const all = [...active].flatMap(([name, values]) => (
    values.map((value) => token(name, value, () => remove(name, value)))
  ));
  for (const name of chosen()) {
    const select = $(name);
    const text = select.selectedOptions[0].text;
    all.push(token(name, text, () => { select.value = "include"; }));
  }
  const props = { type: "button", id: "clear-filters", onclick: clearFilters };
  $("filter-count").textContent = String(all.length);
  $("filter-count").hidden = $("tokens").hidden = all.length === 0;
  $("tokens").replaceChildren(...all, h("button", props, "Clear filters"));
}

function add({ target: input }) {
  if (!input.matches("input")) return; // the choices are selects
  const value = input.value.trim();
  const values = active.get(input.name);
  input.value = "";
  if (!value || values.includes(value)) return;
  active.set(input.name, [...values, value]);
  onChange();
}

export function startFilters(changed) {
  onChange = changed;
  for (const name of CHOICES) $(name).addEventListener("change", changed);
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
