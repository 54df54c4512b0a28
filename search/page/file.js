// The view of a file, with an outline of its structures.

import { fileAddress, graphAddress, projectParams, route } from "./address.js";
import { request } from "./api.js";
import { codeBlock, mark } from "./code.js";
import { $, h, plural } from "./dom.js";
import { copy, notice } from "./messages.js";
import { backLink } from "./navigation.js";
import { shortCommit } from "./results.js";

const DEEPEST = 5; // levels of indentation in the outline

let drawn = null; // key and answer of what #file-view holds

export function clearFile() {
  drawn = null;
  $("file-view").replaceChildren();
}

function originText({ origin, commit, complete }) {
  const start = {
    commit: "as of commit ",
    disk: "as it is on disk",
    index: "only what the index holds",
  }[origin];
  return [start, commit && origin !== "commit" && ", indexed at commit ",
    commit && shortCommit(commit), !complete && origin !== "index" && ", with gaps"];
}

// Returns what all symbols of a file begin with: its module.
function commonPrefix(symbols) {
  let prefix = symbols[0] ?? "";
  while (prefix && !symbols.every((symbol) => symbol.startsWith(prefix) && symbol !== prefix)) {
    const at = prefix.lastIndexOf("::", prefix.length - 3);
    prefix = at < 0 ? "" : prefix.slice(0, at + 2);
  }
  return prefix;
}

function outline(path, structures) {
  const symbols = structures.filter(({ code_type: kind }) => kind !== "Module")
    .map(({ symbol }) => symbol);
  const prefix = commonPrefix(symbols);
  const ends = []; // last lines of the structures that the current one is in
  return structures.map((structure) => {
    while (ends.length && ends.at(-1) < structure.line_from) ends.pop();
    const nested = ends.length > 0 || !structure.symbol.startsWith(prefix);
    const name = nested ? structure.name : structure.symbol.slice(prefix.length);
    const item = h("li", null, h("a", {
      href: fileAddress(path, structure.id),
      "data-id": structure.id,
      title: `${structure.symbol}, line ${structure.line}`,
    }, h("span", { class: "outline-name" }, name), " ",
    h("span", { class: "outline-kind" }, structure.code_type)));
    item.style.setProperty("--depth", Math.min(ends.length, DEEPEST));
    ends.push(structure.line_to);
    return item;
  });
}

function drawFile(path, answer) {
  const isWide = matchMedia("(min-width: 60rem)").matches;
  $("file-view").replaceChildren(
    h("div", { class: "view-head" }, backLink(), h("h2", { tabindex: "-1" }, path),
      h("p", null, plural(answer.lines.length, "line"), ", ", originText(answer)),
      h("a", { class: "graph", hidden: true }),
      h("button", { type: "button", onclick: () => copy(path) }, "Copy path")),
    h("div", { class: "file" },
      codeBlock(answer.lines, 1, `Code of ${path}`),
      h("details", { class: "outline", open: isWide }, h("summary", null, "Outline"),
        h("nav", { "aria-label": "Outline" },
          h("ol", null, outline(path, answer.structures))))));
}

// Marks the line or, without one, the structure in the code, and the structure in the outline.
// Returns the first row that is marked.
function markPlace(id, line) {
  const structure = drawn.answer.structures.find((entry) => entry.id === id);
  for (const link of $("file-view").querySelectorAll(".outline a")) {
    if (link.dataset.id === id) link.setAttribute("aria-current", "true");
    else link.removeAttribute("aria-current");
  }
  const link = $("file-view").querySelector("a.graph");
  link.hidden = !structure;
  if (structure) {
    link.href = graphAddress(structure.id, "references");
    link.textContent = `References of ${structure.name}`;
  }
  const range = line ? { line_from: line, line_to: line } : structure;
  return mark($("file-view").querySelector(".code"), range ? [range] : []);
}

export async function showFile(signal, { popped }) {
  const path = route.params.get("path") ?? "";
  const key = String(projectParams({ path }));
  document.title = `${path} – Code search`;
  const isNew = drawn?.key !== key; // otherwise another structure of the same file
  if (isNew) {
    clearFile();
    const answer = await request("file", projectParams({ path }), signal);
    if (signal.aborted) return;
    drawFile(path, answer);
    drawn = { key, answer };
  }
  notice();
  const first = markPlace(route.params.get("id"), Number(route.params.get("line")));
  if (isNew) $("file-view").querySelector("h2").focus({ preventScroll: true });
  if (!popped) (first ?? $("file-view")).scrollIntoView({ block: "start" });
}
