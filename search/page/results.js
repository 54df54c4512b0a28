// The list of hits, of a search or of what is similar to a structure.

import {
  CHOICES, FILTERS, copyParams, fileAddress, graphAddress, route, similarAddress,
} from "./address.js";
import { request } from "./api.js";
import { codeBlock, fold, mark } from "./code.js";
import { $, h, plural } from "./dom.js";
import { forgetHit, restoreHit } from "./hits.js";
import { copy, notice } from "./messages.js";
import { backLink, rememberHits } from "./navigation.js";
import { colouredLines } from "./rust.js";

const DEFAULT_LIMIT = 10;
const MAX_LIMIT = 100;
const SCORE_TITLES = {
  score: "Score used for ranking",
  text: "Text vector: how close names and docs are to the query",
  code: "Code vector: how close the code is to the query",
  bm25: "BM25: words that the query and the structure share",
  blocks: "Blocks: how close the nearest loop or branch inside is to the query",
};

let drawn = null; // address and answer of what #results holds

// What is indexed: project, branch and commit.
export function version({ project, branch, commit, dirty }) {
  return [project, branch && ` (${branch})`, commit && " @ ", commit && shortCommit(commit),
    dirty && " with uncommitted changes"];
}

export const shortCommit = (commit) => h("code", { title: commit }, commit.slice(0, 7));

export const badge = (text, kind) => text && h("span", { class: `badge ${kind ?? ""}` }, text);

function hitHead(hit, name, heading, open) {
  const lines = hit.line_from === hit.line_to ? hit.line_from : `${hit.line_from}-${hit.line_to}`;
  return h("div", { class: "hit-head" },
    h(heading, null, h("a", { class: "name", href: open }, name)),
    badge(hit.code_type, "kind"),
    hit.is_test && badge("test", "test"),
    hit.generated && badge("generated", "test"),
    hit.visibility !== "inherited" && badge(hit.visibility),
    hit.trait_name !== hit.struct_name && badge(hit.trait_name && `trait ${hit.trait_name}`),
    h("a", { class: "place", href: open }, `${hit.file_path}:${lines}`));
}

// The first paragraph, because a first line often ends in the middle of a sentence. Docs are
// Markdown; of it only `code` is shown as such.
function docs({ docstring }) {
  const paragraph = docstring?.trim().split(/\n\s*\n/)[0] ?? "";
  return h("p", { class: "docs" }, paragraph.split(/`([^`]+)`/)
    .map((part, at) => (at % 2 ? h("code", null, part) : part)));
}

function snippet(hit, name) {
  if (!hit.snippet) return [];
  const lines = hit.snippet.replace(/\n$/, "").split("\n");
  const block = codeBlock(lines, hit.snippet_from || hit.line_from, `Code of ${name}`);
  mark(block, hit.ranges);
  const button = fold(block);
  return button ? [block, button] : [block];
}

// How often it is used and tested; nothing is said where the index knows of no use.
function uses({ id, references, tested_by: tests }) {
  const link = (text, relation) => h("a", { href: graphAddress(id, relation) }, text);
  return h("p", { class: "uses" },
    references > 0 && link(`Used in ${plural(references, "place")}`, "references"),
    tests > 0 && link(`Tested by ${plural(tests, "test")}`, "tests"));
}

function hitFoot(hit, open) {
  const scores = Object.entries({ score: hit.score, ...hit.scores })
    .map(([retriever, value]) => h("li", { title: SCORE_TITLES[retriever] ?? retriever },
      `${retriever} `, h("b", null, value.toFixed(2))));
  const copyPath = () => copy(`${hit.file_path}:${hit.line_from}`);
  return h("div", { class: "hit-foot" },
    h("ul", { class: "scores", "aria-label": "Scores" }, scores),
    h("div", { class: "actions" },
      h("a", { class: "similar", href: similarAddress(hit.id) }, "Similar"),
      h("a", { class: "graph", href: graphAddress(hit.id, "references") }, "References"),
      h("a", { class: "open", href: open }, "Open file"),
      h("button", { type: "button", onclick: copyPath }, "Copy path")));
}

function drawHit(hit, heading) {
  const name = hit.struct_name ? `${hit.struct_name}::${hit.name}` : hit.name;
  const open = fileAddress(hit.file_path, hit.id);
  const label = `${hit.code_type} ${name}`;
  return h("li", { class: "hit", "data-id": hit.id, tabindex: "-1", "aria-label": label },
    hitHead(hit, name, heading, open),
    hit.symbol !== name && h("p", { class: "symbol" }, hit.symbol),
    h("p", { class: "signature" }, h("code", null, colouredLines(hit.signature).flat())),
    docs(hit),
    uses(hit),
    snippet(hit, name),
    hitFoot(hit, open));
}

function latencyText({ total, ...phases }) {
  const split = ["encode", "qdrant", "fuse"].filter((phase) => phase in phases)
    .map((phase) => `${phase} ${phases[phase].toFixed(1)}`).join(" · ");
  return `${total.toFixed(1)} ms${split && ` (${split})`}`;
}

// What a hybrid search puts first, by what the query asks for.
const FIRST = {
  identifier: "definitions",
  callers: "callers",
  implementations: "implementations",
  literal: "its text",
};

// Draws what is above the hits.
function drawSummary(answer) {
  const isSimilar = route.view === "similar";
  const count = plural(answer.hits.length, "hit");
  const title = isSimilar ? `Similar to ${answer.query}` : count;
  const { confidence } = answer;
  const told = answer.from_references;
  const first = answer.mode === "hybrid" && !isSimilar && !told && FIRST[answer.query_kind];
  document.title = `${isSimilar ? title : answer.query} – Code search`;
  $("summary").replaceChildren(h("h2", null, title), h("p", null,
    isSimilar && h("span", null, count),
    h("span", null, version(answer)),
    told && h("a", { href: graphAddress(told.id ?? told.symbol, told.relation) },
      `${told.relation} of ${told.symbol}, from the references`),
    first && h("span", null, `${first} first`),
    confidence !== null && h("span", null, `confidence ${Math.round(100 * confidence)}%`),
    h("span", null, latencyText(answer.latency_ms)),
    isSimilar && history.state.origin && backLink()));
  if (!answer.hits.length) notice("", "Nothing found.", "Other words or fewer filters may help.");
  else if (answer.good) notice();
  else notice("weak-notice", "No good match.", "These are only the nearest results.");
}

function drawHits(answer) {
  const list = (hits, heading) => h("ol", { class: answer.good ? "hits" : "hits weak" },
    hits.map((hit) => drawHit(hit, heading)));
  const byId = new Map(answer.hits.map((hit) => [hit.id, hit]));
  const group = ({ value, ids }) => h("section", { class: "group" },
    h("h3", null, value || "(none)", " ", h("span", { class: "count" }, plural(ids.length, "hit"))),
    list(ids.map((id) => byId.get(id)), "h4"));
  $("results").replaceChildren(...(answer.groups?.map(group) ?? [list(answer.hits, "h3")]));
  const more = moreLink(answer);
  if (more) $("results").append(more);
}

// Returns null if there are no more hits, or no more may be asked for.
function moreLink(answer) {
  const limit = Number(route.params.get("limit")) || DEFAULT_LIMIT;
  if ((answer.groups ?? answer.hits).length < limit || limit >= MAX_LIMIT) return null;
  const params = new URLSearchParams(route.params);
  params.set("limit", Math.min(MAX_LIMIT, 2 * limit));
  const text = answer.groups ? "More groups" : "More hits";
  return h("a", { id: "more", href: `?${params}`, "data-stay": true }, text);
}

function searchParams() {
  const isSimilar = route.view === "similar";
  const params = new URLSearchParams(isSimilar
    ? { id: route.params.get("similar") }
    : { q: route.params.get("q") });
  copyParams(["project", "mode", "limit", ...CHOICES, ...FILTERS], params);
  if (!isSimilar) copyParams(["group_by", "group_size"], params);
  return params;
}

export async function showResults(signal, { stay, popped }) {
  if (popped && drawn?.address === location.search) { // the hits are still there as they were left
    drawSummary(drawn.answer);
    restoreHit();
    return;
  }
  const before = $("results").querySelectorAll(".hit").length;
  const answer = await request(route.view, searchParams(), signal);
  if (signal.aborted) return;
  drawn = { address: location.search, answer };
  rememberHits(answer.hits.map((hit) => hit.id));
  forgetHit();
  drawSummary(answer);
  drawHits(answer);
  if (stay) $("results").querySelectorAll(".hit")[before]?.focus({ preventScroll: true });
}

export function clearResults() {
  drawn = null;
  rememberHits([]);
  $("summary").replaceChildren();
  $("results").replaceChildren();
}
