// The search form, and what it offers according to the index.

import { SIMILAR_MODES, address, projectParams } from "./address.js";
import { request } from "./api.js";
import { $, h } from "./dom.js";
import {
  addFilterParams, drawTokens, fillFilters, startFilters, suggestValues,
} from "./filters.js";
import { formSource, go } from "./navigation.js";

let status = null; // the last answer of /api/status
let statusOf = null; // the parameters that it was asked with

function choose(select, value) {
  const known = [...select.options].some((option) => option.value === value);
  if (!known) select.add(new Option(value, value));
  select.value = value;
}

function fillMode(params) {
  choose($("mode"), params.get("mode") || "hybrid");
  for (const option of $("mode").options) {
    option.disabled = params.has("similar") && !SIMILAR_MODES.includes(option.value);
  }
}

export function fillForm(params) {
  $("q").value = params.get("q") ?? "";
  fillMode(params);
  choose($("group-by"), params.get("group_by") ?? "");
  $("group-by").disabled = params.has("similar");
  fillFilters(params);
}

// Shows what the form asks for. Without a query that is what is similar to a structure, if the
// list shows that.
function applyForm() {
  drawTokens();
  const text = $("q").value.trim();
  const similar = formSource().get("similar");
  if (!text && !similar) return;
  const params = new URLSearchParams(text ? { q: text } : { similar });
  if ($("mode").value !== "hybrid") params.set("mode", $("mode").value);
  if ($("group-by").value && text) params.set("group_by", $("group-by").value);
  addFilterParams(params);
  go(address(params));
}

function submit(event) {
  event.preventDefault();
  if (!$("q").value.trim()) {
    $("q").focus();
    return;
  }
  $("q").blur(); // so that j and k work at once, and a phone hides its keyboard
  applyForm();
}

function changeProject() { // without the filters, which belong to the previous project
  const q = $("q").value.trim();
  go(address({ project: $("project").value, ...(q && { q }) }));
}

// Returns the status of the current project, after the form was filled with its values.
export async function loadStatus() {
  const asked = String(projectParams());
  if (statusOf === asked) return status;
  const answer = await request("status", asked);
  if (asked !== String(projectParams())) return answer; // another project is shown by now
  [status, statusOf] = [answer, asked];
  const options = (names) => names.map((name) => h("option", { value: name }, name));
  $("mode").replaceChildren(...options(status.modes));
  fillMode(formSource());
  suggestValues(status.values);
  $("project-label").hidden = status.projects.length < 2;
  $("project").replaceChildren(...options(status.projects));
  choose($("project"), status.project);
  return status;
}

export function startForm() {
  startFilters(applyForm);
  $("form").addEventListener("submit", submit);
  for (const id of ["mode", "group-by"]) $(id).addEventListener("change", applyForm);
  $("project").addEventListener("change", changeProject);
}
