// The page of `lsif-ingest serve`.
//
// The address is the state: every view is drawn from location.search alone, so reload, back, forward and a link opened
// in a new tab show the same. history.state only adds the way back (see "Navigation").
// What the server answers is shown as text nodes; nothing is ever parsed as HTML.

const FILTERS = ["crate", "path", "module", "kind", "visibility", "owner", "trait"];
const SIMILAR_MODES = ["hybrid", "text", "code"];
const DEFAULT_LIMIT = 10;
const MAX_LIMIT = 100;
const FOLDED_LINES = 12;
const COLOURS = 10; // classes colour-0 to colour-9 of page.css
const EXAMPLES = ["how do I wait longer after each failed attempt", "fn area(&self) -> f64", "parse a config file"];
const SCORE_TITLES = {
  score: "What the order of the hits is made by",
  text: "Text vector: how close names and docs are to the query",
  code: "Code vector: how close the code is to the query",
  bm25: "BM25: words that the query and the structure share",
  blocks: "Blocks: how close the nearest loop or branch inside is to the query",
};

const $ = (id) => document.getElementById(id);

let route = { view: "home", params: new URLSearchParams() };
let running = new AbortController(); // stops all that the view before this one still waits for
let status = null; // the last answer of /api/status
let statusOf = null; // the parameters it was asked with
let drawnResults = null; // address and answer of what #results holds
let drawnFile = null; // key and answer of what #file-view holds
let currentHit = null; // id of the hit that had the focus last
let paintMap = () => {}; // draws the map anew, where one is shown

// ---------------------------------------------------------------------------------------------------- Small helpers

// Directional marks can make code look different from what it is; the style sheet shows them and ends their effect.
const DIRECTION_MARKS = /([\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069])/;

function toNodes(child) {
  if (child instanceof Node) return [child];
  return String(child).split(DIRECTION_MARKS).filter(Boolean).map((part) => {
    const text = document.createTextNode(part);
    if (!DIRECTION_MARKS.test(part)) return text;
    return h("span", { class: "direction", "data-code": part.codePointAt(0).toString(16).toUpperCase() }, text);
  });
}

function h(tag, props, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(props ?? {})) {
    if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
    else if ((value ?? false) !== false) node.setAttribute(name, value === true ? "" : value);
  }
  node.append(...children.flat().filter((child) => (child ?? false) !== false).flatMap(toNodes));
  return node;
}

const plural = (count, word) => `${count} ${word}${count === 1 ? "" : "s"}`;

function errorText(code, detail) {
  if (typeof detail === "string" && detail) return detail;
  if (!Array.isArray(detail)) return `The server answered with status ${code}.`;
  return detail.map(({ loc, msg }) => [loc?.slice(1).join("."), msg].filter(Boolean).join(": ")).join("; ");
}

async function request(name, params, signal) {
  let answer;
  try {
    answer = await fetch(`api/${name}?${params}`, { signal });
  } catch (error) {
    if (signal?.aborted) throw error;
    throw new Error("The server can't be reached.");
  }
  const body = await answer.json().catch(() => null);
  if (!answer.ok) throw new Error(errorText(answer.status, body?.detail));
  if (body === null) throw new Error("The answer of the server can't be read.");
  return body;
}

function copy(text) {
  const before = document.activeElement;
  const area = h("textarea", { class: "unseen" }, text);
  document.body.append(area);
  area.select();
  const done = document.execCommand("copy"); // navigator.clipboard is missing on plain http
  area.remove();
  before?.focus();
  $("toast").textContent = done ? `Copied ${text}` : `Could not copy ${text}`;
  clearTimeout(copy.timer);
  copy.timer = setTimeout(() => $("toast").replaceChildren(), 2000);
}

// -------------------------------------------------------------------------------------------------- Colours of Rust

const KEYWORDS = new Set(("as async await break const continue crate dyn else enum extern false fn for if impl in let "
  + "loop match mod move mut pub ref return self Self static struct super trait true type union unsafe use where while "
  + "yield").split(" "));

const TOKEN = new RegExp([
  String.raw`(?<comment>//[^\n]*|/\*)`,
  String.raw`(?<string>[bc]?r(?<hashes>#*)"[^]*?(?:"\k<hashes>|$)|[bc]?"[^"\\]*(?:\\[^][^"\\]*)*(?:"|\\?$)`
    + String.raw`|b?'(?:\\(?:u\{[^}'\n]*\}|x[0-9a-fA-F]{2}|[^\n])|[^'\\\n])')`,
  String.raw`(?<lifetime>'[\p{XIDS}_]\p{XIDC}*)`,
  String.raw`(?<number>\d[\d_]*(?:\.\d[\d_]*)?(?:[eE][+\-]?\d[\d_]*)?\p{XIDC}*)`,
  String.raw`(?<name>(?:r#)?[\p{XIDS}_]\p{XIDC}*)(?<macro>!(?!=))?`,
].join("|"), "yu");

function endOfBlockComment(text, from) {
  const edges = /\/\*|\*\//g;
  edges.lastIndex = from;
  let depth = 0; // they nest in Rust
  for (let edge = edges.exec(text); edge; edge = edges.exec(text)) {
    depth += edge[0] === "/*" ? 1 : -1;
    if (depth === 0) return edges.lastIndex;
  }
  return text.length;
}

function colourOf({ comment, string, lifetime, number, name, macro }) {
  if (!name) return comment ? "comment" : string ? "string" : lifetime ? "lifetime" : number ? "number" : null;
  if (KEYWORDS.has(name)) return "keyword";
  return macro ? "macro" : /^\p{Lu}(?:$|.*\p{Ll})/u.test(name) ? "type" : null;
}

// [class or null, text] of each part. Every part is a slice that begins where the one before it ends, so the parts
// together are the text that came in, whatever it is.
export function tokens(text) {
  const parts = [];
  let plain = 0; // where the part without a colour began
  let at = 0;
  while (at < text.length) {
    TOKEN.lastIndex = at;
    const groups = TOKEN.exec(text)?.groups;
    const end = !groups ? at + 1 : groups.comment === "/*" ? endOfBlockComment(text, at) : TOKEN.lastIndex;
    const colour = groups && colourOf(groups);
    if (colour) {
      if (plain < at) parts.push([null, text.slice(plain, at)]);
      parts.push([colour, text.slice(at, end)]);
      plain = end;
    }
    at = end;
  }
  if (plain < at) parts.push([null, text.slice(plain)]);
  return parts;
}

// One list of nodes and texts per line.
function colouredLines(text) {
  const lines = [[]];
  for (const [colour, part] of tokens(text)) {
    part.split("\n").forEach((piece, index) => {
      if (index > 0) lines.push([]);
      if (piece) lines.at(-1).push(colour ? h("span", { class: colour }, piece) : piece);
    });
  }
  return lines;
}

// ------------------------------------------------------------------------------------------- Code with line numbers

// Rows of `lines`, the first of which has the number `first`. A run of unknown lines (null) becomes one gap row.
function codeBlock(lines, first, label) {
  const body = h("div", { class: "rows" });
  for (let at = 0, end; at < lines.length; at = end) {
    const known = lines[at] !== null;
    for (end = at; end < lines.length && (lines[end] !== null) === known;) end += 1;
    const from = first + at;
    body.append(...(known
      ? colouredLines(lines.slice(at, end).join("\n")).map((parts, index) => h("div", {
        class: "row", "data-line": from + index,
      }, h("code", null, parts.length ? parts : h("br")))) // an empty element would be lost when one copies the code
      : [h("div", { class: "gap" }, `… ${plural(end - at, "line")} not known`)]));
  }
  // With a place in the tab order, so that the arrow keys can scroll it sideways.
  const block = h("div", { class: "code", role: "group", "aria-label": label, tabindex: "0" }, body);
  block.style.setProperty("--digits", Math.max(3, String(first + lines.length).length));
  return block;
}

// Marks the lines of the ranges and no others; returns the first marked row.
function mark(block, ranges) {
  for (const row of block.querySelectorAll(".row")) {
    const line = Number(row.dataset.line);
    row.classList.toggle("marked", ranges.some((range) => range.line_from <= line && line <= range.line_to));
  }
  return block.querySelector(".marked");
}

// A long snippet shows what is marked, else how it begins. Returns the button that shows the rest.
function fold(block) {
  const rows = [...block.querySelectorAll(".row")];
  if (rows.length <= FOLDED_LINES + 2) return null;
  const marked = [...rows.keys()].filter((at) => rows[at].classList.contains("marked")).slice(0, 2 * FOLDED_LINES);
  const shown = new Set(marked.length ? marked.flatMap((at) => [at - 1, at, at + 1]) : [...Array(FOLDED_LINES).keys()]);
  for (let at = 0, end; at < rows.length; at = end + 1) {
    for (end = at; end < rows.length && !shown.has(end);) end += 1;
    if (end - at < 3) continue; // the gap row would save next to nothing
    rows[at].before(h("div", { class: "gap cut" }, `… ${plural(end - at, "line")}`));
    rows.slice(at, end).forEach((row) => row.classList.add("extra"));
  }
  if (!block.querySelector(".extra")) return null;
  const toggle = () => {
    const folded = block.classList.toggle("folded");
    button.setAttribute("aria-expanded", String(!folded));
    button.textContent = folded ? `Show all ${rows.length} lines` : "Show less";
  };
  const button = h("button", { type: "button", class: "fold", onclick: toggle });
  toggle();
  return button;
}

// ------------------------------------------------------------------------------------------------ Form and filters

let active = new Map(); // filter -> values

const projectParams = (more) => {
  const project = route.params.get("project");
  return new URLSearchParams({ ...(project && { project }), ...more });
};

// An address of this page; the project stays what it is unless the parameters name one.
function address(params) {
  const all = new URLSearchParams(params);
  if (!all.has("project")) for (const [name, value] of projectParams()) all.set(name, value);
  return `?${all}`;
}

const fileAddress = (path, id) => address({ view: "file", path, ...(id && { id }) });

function similarAddress(id) {
  const params = new URLSearchParams({ similar: id });
  const mode = route.params.get("mode");
  if (SIMILAR_MODES.includes(mode)) params.set("mode", mode);
  for (const name of [...FILTERS, "tests"]) route.params.getAll(name).forEach((value) => params.append(name, value));
  return address(params);
}

// Shows what the form asks for. Without a query that is what is similar to a structure, if the list shows that.
function applyForm() {
  drawTokens();
  const text = $("q").value.trim();
  const similar = formSource().get("similar");
  if (!text && !similar) return;
  const params = new URLSearchParams(text ? { q: text } : { similar });
  if ($("mode").value !== "hybrid") params.set("mode", $("mode").value);
  if ($("group-by").value && text) params.set("group_by", $("group-by").value);
  for (const [name, values] of active) values.forEach((value) => params.append(name, value));
  if ($("tests").value !== "include") params.set("tests", $("tests").value);
  go(address(params));
}

function choose(select, value) {
  if (![...select.options].some((option) => option.value === value)) select.add(new Option(value, value));
  select.value = value;
}

function fillMode(params) {
  choose($("mode"), params.get("mode") || "hybrid");
  for (const option of $("mode").options) {
    option.disabled = params.has("similar") && !SIMILAR_MODES.includes(option.value);
  }
}

function fillForm(params) {
  $("q").value = params.get("q") ?? "";
  fillMode(params);
  choose($("group-by"), params.get("group_by") ?? "");
  $("group-by").disabled = params.has("similar");
  choose($("tests"), params.get("tests") || "include");
  active = new Map(FILTERS.map((name) => [name, params.getAll(name).filter(Boolean)]));
  drawTokens();
}

function drawTokens() {
  const tests = $("tests");
  const token = (name, value, remove) => h("button", {
    type: "button", class: "token", "aria-label": `Remove the filter ${name}: ${value}`,
    onclick: () => { remove(); applyForm(); ($("tokens").querySelector("button") ?? $("q")).focus(); },
  }, h("b", null, name), ` ${value} `, h("span", { "aria-hidden": "true" }, "×"));
  const all = [...active].flatMap(([name, values]) => values.map((value) => token(name, value, () => {
    active.set(name, values.filter((other) => other !== value));
  })));
  if (tests.value !== "include") {
    all.push(token("tests", tests.selectedOptions[0].text, () => { tests.value = "include"; }));
  }
  const clear = h("button", { type: "button", id: "clear-filters", onclick: () => {
    active = new Map(FILTERS.map((name) => [name, []]));
    tests.value = "include";
    applyForm();
    $("q").focus();
  } }, "Clear filters");
  $("filter-count").textContent = String(all.length);
  $("filter-count").hidden = $("tokens").hidden = all.length === 0;
  $("tokens").replaceChildren(...all, clear);
}

function addFilter(input) {
  const value = input.value.trim();
  const values = active.get(input.name);
  input.value = "";
  if (!value || values.includes(value)) return;
  active.set(input.name, [...values, value]);
  applyForm();
}

function startFilters() {
  const grid = $("filter-grid");
  const add = ({ target }) => { if (target.matches("input")) addFilter(target); }; // tests is a select
  grid.addEventListener("change", add);
  // When one of the list is chosen with the mouse, the change event comes only as the focus leaves.
  grid.addEventListener("input", (event) => { if (event.inputType === "insertReplacementText") add(event); });
  grid.addEventListener("keydown", (event) => {
    if (event.key !== "Enter" || !event.target.value) return;
    event.preventDefault(); // or the form would be sent
    add(event);
  });
}

async function loadStatus() {
  const asked = String(projectParams());
  if (statusOf === asked) return;
  const answer = await request("status", asked);
  if (asked !== String(projectParams())) return;
  [status, statusOf] = [answer, asked];
  const options = (names) => names.map((name) => h("option", { value: name }, name));
  if (status.modes?.length) $("mode").replaceChildren(...options(status.modes));
  fillMode(formSource());
  for (const name of FILTERS) {
    const values = Object.entries(status.values?.[name] ?? {}).sort((a, b) => b[1] - a[1]);
    $(`values-${name}`).replaceChildren(...values.map(([value, count]) => h("option", {
      value, label: `${value} (${count})` }))); // the value again, since some browsers show the label only
  }
  const projects = status.projects ?? [];
  $("project-label").hidden = projects.length < 2;
  $("project").replaceChildren(...options(projects));
  if (status.project) choose($("project"), status.project);
}

// --------------------------------------------------------------------------------------------------------- Results

const shortCommit = (commit) => h("code", { title: commit }, commit.slice(0, 7));

function version({ project, branch, commit, dirty }) {
  return [project, branch && ` (${branch})`, commit && " @ ", commit && shortCommit(commit),
    dirty && " with uncommitted changes"];
}

function drawHit(hit, heading) {
  const name = hit.struct_name ? `${hit.struct_name}::${hit.name}` : hit.name ?? "";
  const lines = hit.line_from === hit.line_to ? hit.line_from : `${hit.line_from}-${hit.line_to}`;
  const open = fileAddress(hit.file_path, hit.id);
  // The first paragraph, for a first line often ends in the middle of a sentence.
  const docs = hit.docstring?.trim().split(/\n\s*\n/)[0] || hit.summary || "";
  const badge = (text, kind) => text && h("span", { class: `badge ${kind ?? ""}` }, text);
  const label = `${hit.code_type ?? ""} ${name}`;
  const item = h("li", { class: "hit", "data-id": hit.id, tabindex: "-1", "aria-label": label },
    h("div", { class: "hit-head" },
      h(heading, null, h("a", { class: "name", href: open }, name)),
      badge(hit.code_type, "kind"), hit.is_test && badge("test", "test"),
      hit.visibility !== "inherited" && badge(hit.visibility),
      hit.trait_name !== hit.struct_name && badge(hit.trait_name && `trait ${hit.trait_name}`),
      h("a", { class: "place", href: open }, `${hit.file_path}:${lines}`)),
    hit.symbol !== name && h("p", { class: "symbol" }, hit.symbol ?? ""),
    h("p", { class: "signature" }, h("code", null, colouredLines(hit.signature ?? "").flat())),
    // Docs are Markdown; of it only `code` is shown as such.
    h("p", { class: "docs" }, docs.split(/`([^`]+)`/).map((part, at) => (at % 2 ? h("code", null, part) : part))));
  if (hit.snippet) {
    const block = codeBlock(hit.snippet.replace(/\n$/, "").split("\n"), hit.line_from, `Code of ${name}`);
    mark(block, hit.ranges ?? []);
    const button = fold(block);
    item.append(block, ...(button ? [button] : []));
  }
  const scores = Object.entries({ score: hit.score, ...hit.scores }).filter(([, value]) => typeof value === "number");
  item.append(h("div", { class: "hit-foot" },
    h("ul", { class: "scores", "aria-label": "Scores" }, scores.map(([leg, value]) => h("li", {
      title: SCORE_TITLES[leg] ?? leg }, `${leg} `, h("b", null, value.toFixed(2))))),
    h("div", { class: "actions" },
      h("a", { class: "similar", href: similarAddress(hit.id) }, "Similar"),
      h("a", { class: "open", href: open }, "Open file"),
      h("button", { type: "button", onclick: () => copy(`${hit.file_path}:${hit.line_from}`) }, "Copy path"))));
  return item;
}

// What stands over the hits.
function drawSummary(answer) {
  const count = plural(answer.hits.length, "hit");
  const title = route.view === "similar" ? `Similar to ${answer.query}` : count;
  const { total, ...parts } = answer.latency_ms ?? {};
  const split = ["encode", "qdrant", "fuse"].filter((part) => typeof parts[part] === "number")
    .map((part) => `${part} ${parts[part].toFixed(1)}`).join(" · ");
  document.title = `${route.view === "similar" ? title : answer.query} – Code search`;
  $("summary").replaceChildren(h("h2", null, title), h("p", null,
    route.view === "similar" && h("span", null, count),
    h("span", null, version(answer)),
    typeof answer.confidence === "number" && h("span", null, `confidence ${Math.round(100 * answer.confidence)} %`),
    typeof total === "number" && h("span", null, `${total.toFixed(1)} ms${split && ` (${split})`}`),
    route.view === "similar" && history.state.origin && backLink()));
  if (!answer.hits.length) notice("", "Nothing found.", "Other words or fewer filters may help.");
  else if (answer.good !== false) notice();
  else notice("weak-notice", "No good match.", "Nothing fits the query well; these are the nearest.");
}

function drawHits(answer) {
  const list = (some, heading) => h("ol", { class: answer.good === false ? "hits weak" : "hits" },
    some.map((hit) => drawHit(hit, heading)));
  const byId = new Map(answer.hits.map((hit) => [hit.id, hit]));
  $("results").replaceChildren(...(answer.groups?.map(({ value, ids }) => h("section", { class: "group" },
    h("h3", null, value || "(none)", " ", h("span", { class: "count" }, plural(ids.length, "hit"))),
    list(ids.map((id) => byId.get(id)).filter(Boolean), "h4"))) ?? [list(answer.hits, "h3")]));
  const limit = Number(route.params.get("limit")) || DEFAULT_LIMIT;
  if ((answer.groups ?? answer.hits).length < limit || limit >= MAX_LIMIT) return;
  const more = new URLSearchParams(route.params);
  more.set("limit", Math.min(MAX_LIMIT, 2 * limit));
  const text = answer.groups ? "More groups" : "More hits";
  $("results").append(h("a", { id: "more", href: `?${more}`, "data-stay": true }, text));
}

async function showResults(signal, { stay, popped }) {
  if (popped && drawnResults?.address === location.search) { // the hits are still there as they were left
    drawSummary(drawnResults.answer);
    focusHit(hitNodes().find((node) => node.dataset.id === currentHit));
    return;
  }
  const [name, key, own] = route.view === "search" ? ["q", "q", ["group_by", "group_size"]] : ["id", "similar", []];
  const params = new URLSearchParams({ [name]: route.params.get(key) });
  for (const other of ["project", "mode", "limit", "tests", ...FILTERS, ...own]) {
    route.params.getAll(other).filter(Boolean).forEach((value) => params.append(other, value));
  }
  const before = hitNodes().length;
  const answer = await request(route.view, params, signal);
  if (signal.aborted) return;
  answer.hits ??= [];
  drawnResults = { address: location.search, answer };
  currentHit = null;
  drawSummary(answer);
  drawHits(answer);
  if (stay) hitNodes()[before]?.focus({ preventScroll: true });
}

async function showHome(signal) {
  document.title = "Code search";
  await loadStatus();
  if (signal.aborted) return;
  notice();
  $("home").replaceChildren(
    h("h2", null, "Find code by what it does"),
    h("p", null, `${plural(status.structures ?? 0, "structure")} of `, version(status)),
    h("p", { class: "label" }, "For example"),
    h("ul", { class: "examples" }, (status.examples?.length ? status.examples : EXAMPLES).map((text) => h("li", null,
      h("a", { href: address({ q: text }) }, text)))));
}

// ------------------------------------------------------------------------------------------------------- File view

function origin({ origin: from, commit, complete }) {
  const start = { commit: "as of commit ", disk: "as it is on disk" }[from] ?? "only what the index holds";
  return [start, commit && from !== "commit" && ", indexed at commit ", commit && shortCommit(commit),
    complete === false && from !== "index" && ", with gaps"];
}

// What all symbols of a file begin with: its module.
function commonPrefix(symbols) {
  let prefix = symbols[0] ?? "";
  while (prefix && !symbols.every((symbol) => symbol.startsWith(prefix) && symbol !== prefix)) {
    const at = prefix.lastIndexOf("::", prefix.length - 3);
    prefix = at < 0 ? "" : prefix.slice(0, at + 2);
  }
  return prefix;
}

function drawFile(path, answer) {
  const all = answer.structures ?? [];
  const prefix = commonPrefix(all.filter(({ code_type: kind }) => kind !== "Module").map(({ symbol }) => symbol ?? ""));
  const ends = []; // last lines of the structures that the present one stands in
  const outline = all.map((entry) => {
    while (ends.length && ends.at(-1) < entry.line_from) ends.pop();
    const nested = ends.length > 0 || !entry.symbol?.startsWith(prefix);
    const name = nested ? entry.name : entry.symbol.slice(prefix.length);
    const item = h("li", null, h("a", {
      href: fileAddress(path, entry.id), "data-id": entry.id, title: `${entry.symbol ?? name}, line ${entry.line}`,
    }, h("span", { class: "outline-name" }, name), " ", h("span", { class: "outline-kind" }, entry.code_type)));
    item.style.setProperty("--depth", Math.min(ends.length, 5));
    ends.push(entry.line_to);
    return item;
  });
  $("file-view").replaceChildren(
    h("div", { class: "view-head" }, backLink(), h("h2", { tabindex: "-1" }, path),
      h("p", null, plural(answer.lines.length, "line"), ", ", origin(answer)),
      h("button", { type: "button", onclick: () => copy(path) }, "Copy path")),
    h("div", { class: "file" },
      codeBlock(answer.lines, 1, `Code of ${path}`),
      h("details", { class: "outline", open: matchMedia("(min-width: 60rem)").matches }, h("summary", null, "Outline"),
        h("nav", { "aria-label": "Outline" }, h("ol", null, outline)))));
}

async function showFile(signal, { popped }) {
  const path = route.params.get("path") ?? "";
  const id = route.params.get("id");
  const key = String(projectParams({ path }));
  document.title = `${path} – Code search`;
  const isNew = drawnFile?.key !== key; // else only another structure of the same file
  if (isNew) {
    drawnFile = null;
    $("file-view").replaceChildren();
    const answer = await request("file", projectParams({ path }), signal);
    if (signal.aborted) return;
    drawFile(path, answer);
    drawnFile = { key, answer };
  }
  notice();
  const structure = drawnFile.answer.structures?.find((entry) => entry.id === id);
  const first = mark($("file-view").querySelector(".code"), structure ? [structure] : []);
  for (const link of $("file-view").querySelectorAll(".outline a")) {
    if (link.dataset.id === id) link.setAttribute("aria-current", "true");
    else link.removeAttribute("aria-current");
  }
  if (isNew) $("file-view").querySelector("h2").focus({ preventScroll: true });
  if (!popped) (first ?? $("file-view")).scrollIntoView({ block: "start" });
}

// ------------------------------------------------------------------------------------------------------------- Map

async function showMap(signal) {
  document.title = "Map – Code search";
  const title = h("h2", { tabindex: "-1" }, "Map");
  const note = h("p", { role: "status" }, "Loading the map …");
  $("map-view").replaceChildren(h("div", { class: "view-head" }, backLink(), title, note));
  title.focus({ preventScroll: true });
  const ask = () => request("map", projectParams(), signal);
  let answer = await ask();
  while (answer.state === "computing") {
    note.textContent = "The map is being computed …";
    await new Promise((resolve) => { setTimeout(resolve, 1000); });
    answer = await ask(); // fails at once if another view is shown by now
  }
  if (signal.aborted) return;
  notice();
  const { points, sampled, total } = answer;
  const number = plural(total ?? points.length, "structure");
  const start = sampled ? `A sample of ${points.length} of ` : "";
  note.textContent = `${start}${number}. What stands close together means similar things.`;
  if (points.length) drawMap(points, new Set(history.state.origin?.hits), signal);
}

// The values of a field with their points, most frequent first; those that are left without a colour share the last.
function legendOf(points, field) {
  const groups = new Map();
  for (const point of points) {
    if (!groups.has(point[field])) groups.set(point[field], []);
    groups.get(point[field]).push(point);
  }
  const all = [...groups].map(([value, own]) => ({ label: value || "(none)", points: own, on: true }))
    .sort((a, b) => b.points.length - a.points.length);
  if (all.length <= COLOURS) return all;
  const rest = all.splice(COLOURS - 1);
  return [...all, { label: `${rest.length} others`, points: rest.flatMap((entry) => entry.points), on: true }];
}

function drawMap(points, hits, signal) {
  const field = new Set(points.map((point) => point.crate)).size > 1 ? "crate" : "code_type";
  const legend = legendOf(points, field);
  const canvas = h("canvas", { role: "img", "data-points": points.length,
    "aria-label": `Scatter plot of ${plural(points.length, "structure")}; the list below it says the same as text` });
  const tip = h("div", { class: "tip", hidden: true });
  const dot = points.length > 3000 ? 2 : points.length > 600 ? 3 : 4.5;
  const view = { scale: 1, x: 0, y: 0 };
  let [width, height] = [1, 1];
  let under = null; // the point under the pointer
  let planned = false;

  const place = ({ x, y }) => {
    const radius = 0.46 * Math.min(width, height) * view.scale;
    return [width / 2 + view.x + x * radius, height / 2 + view.y + y * radius];
  };
  const shown = () => legend.filter((entry) => entry.on);
  const open = (point) => fileAddress(point.file_path, point.id);

  function draw() {
    planned = false;
    const context = canvas.getContext("2d");
    canvas.width = Math.round(width * devicePixelRatio);
    canvas.height = Math.round(height * devicePixelRatio);
    context.scale(devicePixelRatio, devicePixelRatio);
    context.strokeStyle = getComputedStyle(canvas).color;
    context.lineWidth = 2;
    const circle = (point, radius) => { context.beginPath(); context.arc(...place(point), radius, 0, 2 * Math.PI); };
    for (const strong of [false, true]) { // hits last, so that nothing covers them
      context.globalAlpha = strong || !hits.size ? 0.85 : 0.45;
      for (const entry of shown()) {
        context.fillStyle = getComputedStyle(entry.swatch).color; // the style sheet has the colours of both schemes
        for (const point of entry.points.filter(({ id }) => hits.has(id) === strong)) {
          circle(point, strong ? dot + 3 : dot);
          context.fill();
          if (strong) context.stroke();
        }
      }
    }
    if (!under) return;
    context.globalAlpha = 1;
    circle(under, dot + 5);
    context.stroke();
    const [x, y] = place(under);
    const below = y + 14 + tip.offsetHeight <= height;
    tip.style.left = `${Math.max(0, Math.min(x + 12, width - tip.offsetWidth))}px`;
    tip.style.top = `${below ? y + 14 : y - 14 - tip.offsetHeight}px`;
  }
  const paint = () => { if (!planned) requestAnimationFrame(draw); planned = true; };

  function pick(x, y, reach) {
    let [best, nearest] = [null, reach];
    for (const point of shown().flatMap((entry) => entry.points)) {
      const [px, py] = place(point);
      const distance = Math.hypot(px - x, py - y);
      if (distance < nearest) [best, nearest] = [point, distance];
    }
    return best;
  }
  function hover(point) {
    if (point === under) return;
    under = point;
    tip.hidden = !point;
    canvas.classList.toggle("over", Boolean(point));
    if (point) tip.replaceChildren(h("b", null, point.symbol), h("span", null, `${point.file_path}:${point.line}`));
    paint();
  }
  function move(x, y) { view.x += x; view.y += y; paint(); }
  function zoom(factor, x = width / 2, y = height / 2) {
    const scale = Math.min(60, Math.max(0.5, view.scale * factor));
    const ratio = 1 - scale / view.scale;
    view.scale = scale;
    move((x - width / 2 - view.x) * ratio, (y - height / 2 - view.y) * ratio); // what is at x, y stays there
  }
  function reset() { Object.assign(view, { scale: 1, x: 0, y: 0 }); paint(); }

  const fingers = new Map(); // the pointers that are down and where they are
  let travelled = 0;
  const on = (name, action) => canvas.addEventListener(name, action, { passive: false });
  on("pointerdown", (event) => {
    canvas.setPointerCapture(event.pointerId);
    fingers.set(event.pointerId, { x: event.offsetX, y: event.offsetY });
    if (fingers.size === 1) travelled = 0;
  });
  on("pointermove", (event) => {
    const now = { x: event.offsetX, y: event.offsetY };
    const old = fingers.get(event.pointerId);
    if (!old) { hover(pick(now.x, now.y, 10)); return; }
    const other = [...fingers].find(([id]) => id !== event.pointerId)?.[1];
    const apart = (finger) => Math.max(20, Math.hypot(finger.x - other.x, finger.y - other.y));
    travelled += Math.hypot(now.x - old.x, now.y - old.y);
    if (other) zoom(apart(now) / apart(old), (now.x + other.x) / 2, (now.y + other.y) / 2);
    else if (travelled > 4) move(now.x - old.x, now.y - old.y);
    fingers.set(event.pointerId, now);
  });
  on("pointerup", (event) => {
    if (!fingers.delete(event.pointerId) || fingers.size || travelled > 4) return;
    const mouse = event.pointerType === "mouse";
    const point = pick(event.offsetX, event.offsetY, mouse ? 10 : 20);
    // A finger can't hover: its first tap shows what the point is, the second opens it.
    if (!point || !(mouse || point === under)) hover(point);
    else if (event.ctrlKey || event.metaKey) window.open(open(point));
    else go(open(point));
  });
  on("pointercancel", (event) => fingers.delete(event.pointerId));
  on("pointerleave", (event) => { if (event.pointerType === "mouse") hover(null); });
  on("wheel", (event) => {
    event.preventDefault();
    zoom(Math.exp(-event.deltaY * (event.deltaMode ? 0.05 : 0.002)), event.offsetX, event.offsetY);
  });

  legend.forEach((entry, index) => {
    entry.swatch = h("span", { class: `swatch colour-${index}`, "aria-hidden": "true" });
    entry.button = h("button", { type: "button", "aria-pressed": "true", onclick: () => {
      entry.on = !entry.on;
      entry.button.setAttribute("aria-pressed", String(entry.on));
      hover(null);
      paint();
    } }, entry.swatch, h("span", { class: "legend-name" }, entry.label),
    h("span", { class: "legend-count" }, entry.points.length));
  });
  const list = h("details", { class: "map-list" }, h("summary", null, "The map as a list"));
  list.addEventListener("toggle", () => { // thousands of links, so only for those who ask for them
    list.append(...legend.flatMap(({ label, points: some }) => [
      h("h3", null, `${label}: ${plural(some.length, "structure")}`),
      h("ul", null, some.slice(0, 200).map((point) => h("li", null, h("a", { href: open(point) }, point.symbol),
        hits.has(point.id) && " – hit of the last search")), some.length > 200 && h("li", null, "and more"))]));
  }, { once: true });
  const button = (text, title, onclick) => h("button", { type: "button", "aria-label": title, title, onclick }, text);
  $("map-view").append(h("div", { class: "map" },
    h("div", { class: "frame" }, canvas, tip, h("div", { class: "zoom" }, button("+", "Zoom in", () => zoom(1.5)),
      button("−", "Zoom out", () => zoom(1 / 1.5)), button("⟲", "Whole map", reset))),
    h("div", { class: "legend", role: "group", "aria-label": "Legend" },
      h("p", null, field === "crate" ? "Crates" : "Kinds"), legend.map((entry) => entry.button),
      hits.size > 0 && h("p", null, "With a ring: hits of the last search"))), list);
  const observer = new ResizeObserver(() => { [width, height] = [canvas.clientWidth, canvas.clientHeight]; paint(); });
  observer.observe(canvas);
  signal.addEventListener("abort", () => observer.disconnect());
  paintMap = paint;
}

// ------------------------------------------------------------------------------------------------------ Navigation

// history.state: n counts the entries of this tab; origin is the list of hits that this entry was reached from (its n,
// address and hits), so that Escape leads back to that very entry and the map knows the hits; scroll is how far down
// the entry was read.

const PANELS = { home: "home", search: "results-view", similar: "results-view", file: "file-view", map: "map-view" };
const VIEWS = { home: showHome, search: showResults, similar: showResults, file: showFile, map: showMap };

function readRoute(search) {
  const params = new URLSearchParams(search);
  const view = ["file", "map"].includes(params.get("view")) ? params.get("view")
    : params.get("similar") ? "similar" : params.get("q")?.trim() ? "search" : "home";
  return { view, params };
}

const isList = (view) => view !== "file" && view !== "map";

// What the form shows: the present list, or the one that the file or map was opened from.
const formSource = () => (isList(route.view) ? route.params : new URLSearchParams(history.state.origin?.search));

function backLink() {
  const from = history.state.origin;
  const text = from && readRoute(from.search).view !== "home" ? "← Back to the results" : "← Back to the search";
  return h("a", { class: "back", href: from?.search || address(), "data-back": true }, text);
}

// notice() without anything takes the notice away.
function notice(kind = "", title = "", text = "", retry = null) {
  $("notice").hidden = !title;
  $("notice").className = `notice ${kind}`;
  $("notice").setAttribute("role", retry ? "alert" : "status");
  $("notice").replaceChildren(h("p", null, h("b", null, title), " ", text),
    ...(retry ? [h("button", { type: "button", onclick: retry }, "Retry")] : []));
}

async function show(how = {}) {
  running.abort();
  running = new AbortController();
  const { signal } = running;
  const { scroll } = history.state;
  route = readRoute(location.search);
  paintMap = () => {};
  if (route.view !== "file") drawnFile = null; // kept only while one reads in it, since the index may change
  fillForm(formSource());
  $("home-link").href = address();
  $("map-link").href = address({ view: "map" });
  for (const id of Object.values(PANELS)) $(id).hidden = id !== PANELS[route.view];
  $("progress").hidden = false;
  $("main").setAttribute("aria-busy", "true");
  if (route.view !== "home") loadStatus().catch(() => {}); // hits can be shown without
  try {
    await VIEWS[route.view](signal, how);
    if (!signal.aborted && how.popped && scroll !== undefined) scrollTo(0, scroll);
  } catch (error) {
    if (signal.aborted) return;
    drawnResults = drawnFile = null;
    for (const id of ["summary", "results", "file-view", "map-view", "home"]) $(id).replaceChildren();
    notice("error", "This did not work.", error.message, () => show(how));
  }
  if (signal.aborted) return;
  $("progress").hidden = true;
  $("main").removeAttribute("aria-busy");
}

const keepScroll = () => history.replaceState({ ...history.state, scroll: scrollY }, "");

function go(search, how = {}) {
  const target = readRoute(search).view;
  const hits = drawnResults?.answer.hits.map((hit) => hit.id) ?? [];
  const { n } = history.state;
  const from = isList(route.view) ? { n, search: location.search, hits } : history.state.origin;
  keepScroll();
  if (new URLSearchParams(search).toString() !== new URLSearchParams(location.search).toString()) {
    history.pushState({ n: n + 1, origin: target === "search" || target === "home" ? null : from }, "", search);
  }
  if (!how.stay && target !== "file") scrollTo(0, 0); // a file scrolls to its structure
  show(how);
}

function back() {
  const { origin: from, n } = history.state;
  if (from) history.go(from.n - n);
  else if (!isList(route.view)) go(address());
}

// -------------------------------------------------------------------------------------------------- Keys and start

const hitNodes = () => [...$("results").querySelectorAll(".hit")];

function focusHit(node) {
  node?.focus({ preventScroll: true });
  node?.scrollIntoView({ block: "nearest" });
}

function moveHit(step) {
  const nodes = hitNodes();
  const at = nodes.findIndex((node) => node.dataset.id === currentHit);
  focusHit(nodes[at < 0 ? 0 : Math.max(0, Math.min(nodes.length - 1, at + step))]);
}

function onKey(event) {
  if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey || event.isComposing) return;
  const { key, target } = event;
  if ($("keys").open) return;
  if (target.closest("input, select, textarea")) {
    if (key !== "Escape") return;
    target.blur(); // the browser would empty the box
  } else {
    const inList = PANELS[route.view] === "results-view";
    const hit = inList && target.closest(".hit");
    if (key === "/") { $("q").select(); scrollTo(0, 0); }
    else if (key === "?") $("keys").showModal();
    else if (key === "Escape") back();
    else if (key === "m") go(address({ view: "map" }));
    else if (inList && (key === "j" || key === "ArrowDown")) moveHit(1);
    else if (inList && (key === "k" || key === "ArrowUp")) moveHit(-1);
    else if (hit && (key === "o" || (key === "Enter" && target === hit))) hit.querySelector("a.open").click();
    else if (hit && key === "s") hit.querySelector("a.similar").click();
    else return;
  }
  event.preventDefault();
}

function onClick(event) {
  const link = event.target.closest("a[href^='?']");
  if (!link || event.button || event.ctrlKey || event.metaKey || event.shiftKey || event.altKey) return;
  event.preventDefault();
  if ("back" in link.dataset) back();
  else go(link.getAttribute("href"), { stay: "stay" in link.dataset });
}

function setTheme(theme) {
  document.documentElement.dataset.theme = theme;
  $("theme").textContent = `Theme: ${theme}`;
  paintMap();
}

function startTheme() {
  const next = { auto: "dark", dark: "light", light: "auto" };
  let theme = "auto";
  try { theme = localStorage.getItem("theme"); } catch { /* storage may be forbidden */ }
  setTheme(theme in next ? theme : "auto");
  $("theme").addEventListener("click", () => {
    setTheme(next[document.documentElement.dataset.theme]);
    try { localStorage.setItem("theme", document.documentElement.dataset.theme); } catch { /* then not remembered */ }
  });
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => paintMap());
}

function start() {
  startTheme();
  startFilters();
  $("keys-button").addEventListener("click", () => $("keys").showModal());
  $("form").addEventListener("submit", (event) => {
    event.preventDefault();
    if (!$("q").value.trim()) { $("q").focus(); return; }
    $("q").blur(); // so that j and k work at once, and a phone puts its keyboard away
    applyForm();
  });
  for (const id of ["mode", "group-by", "tests"]) $(id).addEventListener("change", applyForm);
  $("project").addEventListener("change", () => { // the filters belong to the project before
    const q = $("q").value.trim();
    go(address({ project: $("project").value, ...(q && { q }) }));
  });
  document.addEventListener("click", onClick);
  document.addEventListener("keydown", onKey);
  document.addEventListener("focusin", ({ target }) => {
    currentHit = target.closest(".hit")?.dataset.id ?? currentHit;
  });
  history.scrollRestoration = "manual"; // the browser would scroll before the answer is there
  let timer = 0;
  addEventListener("scroll", () => { clearTimeout(timer); timer = setTimeout(keepScroll, 200); }, { passive: true });
  const enter = () => {
    if (!history.state) history.replaceState({ n: 0, origin: null }, ""); // an address that was typed
    show({ popped: history.state.scroll !== undefined });
  };
  addEventListener("popstate", enter);
  enter();
  if (route.view === "home") $("q").focus();
}

start();
