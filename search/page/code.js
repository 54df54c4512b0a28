// Code with line numbers, marked lines and folded lines.

import { h, plural } from "./dom.js";
import { colouredLines } from "./rust.js";

const FOLDED_LINES = 12;
const LEAST_CUT = 3; // the row that stands for a cut takes a line itself

function codeRow(parts, line) {
  // An empty element would be lost when the reader copies the code.
  const content = parts.length ? parts : h("br");
  return h("div", { class: "row", "data-line": line }, h("code", null, content));
}

// Returns the rows of `lines`, the first of which has the number `first`. A run of unknown lines
// (null) becomes one row.
export function codeBlock(lines, first, label) {
  const body = h("div", { class: "rows" });
  for (let at = 0, end; at < lines.length; at = end) {
    const known = lines[at] !== null;
    for (end = at; end < lines.length && (lines[end] !== null) === known;) end += 1;
    if (known) {
      const from = first + at;
      const coloured = colouredLines(lines.slice(at, end).join("\n"));
      body.append(...coloured.map((parts, index) => codeRow(parts, from + index)));
    } else {
      body.append(h("div", { class: "gap" }, `… ${plural(end - at, "unknown line")}`));
    }
  }
  // In the tab order, so that the arrow keys can scroll it sideways.
  const props = { class: "code", role: "group", "aria-label": label, tabindex: "0" };
  const block = h("div", props, body);
  block.style.setProperty("--digits", Math.max(3, String(first + lines.length).length));
  return block;
}

// Marks the lines of the ranges and no others; returns the first marked row.
export function mark(block, ranges) {
  for (const row of block.querySelectorAll(".row")) {
    const line = Number(row.dataset.line);
    const marked = ranges.some((range) => range.line_from <= line && line <= range.line_to);
    row.classList.toggle("marked", marked);
  }
  return block.querySelector(".marked");
}

// Folds a long block to its marked lines, or to its beginning if none are marked. Returns the
// button that shows the rest, null for a short block.
export function fold(block) {
  const rows = [...block.querySelectorAll(".row")];
  if (rows.length <= FOLDED_LINES + 2) return null;
  const marked = [...rows.keys()].filter((at) => rows[at].classList.contains("marked"))
    .slice(0, 2 * FOLDED_LINES);
  const shown = new Set(marked.length
    ? marked.flatMap((at) => [at - 1, at, at + 1])
    : [...Array(FOLDED_LINES).keys()]);
  for (let at = 0, end; at < rows.length; at = end + 1) {
    for (end = at; end < rows.length && !shown.has(end);) end += 1;
    if (end - at < LEAST_CUT) continue;
    rows[at].before(h("div", { class: "gap cut" }, `… ${plural(end - at, "line")}`));
    rows.slice(at, end).forEach((row) => row.classList.add("extra"));
  }
  if (!block.querySelector(".extra")) return null;
  const button = h("button", { type: "button", class: "fold", onclick: toggle });
  function toggle() {
    const folded = block.classList.toggle("folded");
    button.setAttribute("aria-expanded", String(!folded));
    button.textContent = folded ? `Show all ${rows.length} lines` : "Show less";
  }
  toggle();
  return button;
}
