// The map of the index: a scatter plot of its structures, with a legend and the same as a list.

import { fileAddress, projectParams } from "./address.js";
import { request } from "./api.js";
import { $, h, plural } from "./dom.js";
import { notice } from "./messages.js";
import { backLink } from "./navigation.js";
import { ScatterPlot } from "./plot.js";

const COLOURS = 10; // classes colour-0 to colour-9 of page.css
const LISTED = 200; // structures of each group in the list
const ASK_MS = 1000;

export async function showMap(signal) {
  document.title = "Map – Code search";
  const title = h("h2", { tabindex: "-1" }, "Map");
  const note = h("p", { role: "status" }, "Loading the map …");
  $("map-view").replaceChildren(h("div", { class: "view-head" }, backLink(), title, note));
  title.focus({ preventScroll: true });
  const ask = () => request("map", projectParams(), signal);
  let answer = await ask();
  while (answer.state === "computing") {
    note.textContent = "The map is being computed …";
    await new Promise((resolve) => { setTimeout(resolve, ASK_MS); });
    answer = await ask(); // fails at once if another view is shown by now
  }
  if (signal.aborted) return;
  notice();
  const { points, sampled, total } = answer;
  const start = sampled ? `A sample of ${points.length} of ` : "";
  const rest = "Points that are close together have similar meanings.";
  note.textContent = `${start}${plural(total, "structure")}. ${rest}`;
  if (points.length) drawMap(points, new Set(history.state.origin?.hits), signal);
}

export function clearMap() {
  $("map-view").replaceChildren();
}

// Returns the values of a field with their points, most frequent first. The values that are left
// without a colour share the last one.
function groupsOf(points, field) {
  const byValue = new Map();
  for (const point of points) {
    if (!byValue.has(point[field])) byValue.set(point[field], []);
    byValue.get(point[field]).push(point);
  }
  const all = [...byValue]
    .map(([value, own]) => ({ label: value || "(none)", points: own, on: true }))
    .sort((a, b) => b.points.length - a.points.length);
  if (all.length <= COLOURS) return all;
  const rest = all.splice(COLOURS - 1);
  const others = rest.flatMap((group) => group.points);
  return [...all, { label: `${rest.length} others`, points: others, on: true }];
}

function legendButton(group, index, plot) {
  group.swatch = h("span", { class: `swatch colour-${index}`, "aria-hidden": "true" });
  const button = h("button", { type: "button", "aria-pressed": "true", onclick: toggle },
    group.swatch, h("span", { class: "legend-name" }, group.label),
    h("span", { class: "legend-count" }, group.points.length));
  function toggle() {
    group.on = !group.on;
    button.setAttribute("aria-pressed", String(group.on));
    plot.hover(null);
    plot.paint();
  }
  return button;
}

function listOf(groups, hits) {
  const item = (point) => h("li", null,
    h("a", { href: fileAddress(point.file_path, point.id) }, point.symbol),
    hits.has(point.id) && " – hit of the last search");
  const list = h("details", { class: "map-list" }, h("summary", null, "The map as a list"));
  list.addEventListener("toggle", () => { // thousands of links, so only for those who want them
    list.append(...groups.flatMap(({ label, points }) => [
      h("h3", null, `${label}: ${plural(points.length, "structure")}`),
      h("ul", null, points.slice(0, LISTED).map(item),
        points.length > LISTED && h("li", null, "and more"))]));
  }, { once: true });
  return list;
}

function drawMap(points, hits, signal) {
  const hasCrates = new Set(points.map((point) => point.crate)).size > 1;
  const groups = groupsOf(points, hasCrates ? "crate" : "code_type");
  const plot = new ScatterPlot(groups, hits);
  const legend = h("div", { class: "legend", role: "group", "aria-label": "Legend" },
    h("p", null, hasCrates ? "Crates" : "Kinds"),
    groups.map((group, index) => legendButton(group, index, plot)),
    hits.size > 0 && h("p", null, "With a ring: hits of the last search"));
  $("map-view").append(h("div", { class: "map" }, plot.frame, legend), listOf(groups, hits));
  plot.start(signal);
}
