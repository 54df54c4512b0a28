// The view of a target in the graph: what refers to it, what it calls, implements and tests it.

import {
  RELATIONS, address, fileAddress, graphAddress, projectParams, route, similarAddress,
} from "./address.js";
import { request } from "./api.js";
import { $, h, plural } from "./dom.js";
import { restoreHit } from "./hits.js";
import { notice } from "./messages.js";
import { backLink } from "./navigation.js";
import { DRAWN, neighbourhood } from "./neighbourhood.js";
import { placesByFile } from "./places.js";
import { relatedList, showDeeper } from "./related.js";
import { badge } from "./results.js";
import { colouredLines } from "./rust.js";

const LISTED = 50; // items of a page
const NO_REFERENCES = 409; // status of the server's answer
const EMPTY = {
  references: "No place in the indexed files refers to it.",
  callers: "No structure of the index refers to it.",
  callees: "It calls nothing that the index knows.",
  implementations: "No structure of the index implements it.",
  tests: "No test reaches it in the steps that are followed.",
};

let drawn = null; // the target and the list that #graph-view holds

export function clearGraph() {
  drawn = null;
  $("graph-view").replaceChildren();
}

// What the address asks for.
function asked() {
  const { params } = route;
  const relation = params.get("relation");
  return {
    target: params.get("target") ?? "",
    relation: Object.hasOwn(RELATIONS, relation) ? relation : "references",
    offset: Number(params.get("offset")) || 0,
  };
}

function head(target) {
  const { id, file_path: path, line, symbol } = target;
  return h("div", { class: "view-head" }, backLink(),
    h("h2", { tabindex: "-1" }, symbol),
    h("p", { class: "hit-head" },
      badge(id ? target.code_type : "outside the index", "kind"),
      id && h("a", { class: "open", href: fileAddress(path, id) }, `${path}:${line}`),
      id && h("a", { href: similarAddress(id) }, "Similar code")),
    target.signature && h("p", { class: "signature" },
      h("code", null, colouredLines(target.signature).flat())));
}

// Returns how many items the answers have, by relation.
const countsOf = (answers) => Object.fromEntries(
  answers.map(({ value }) => value && [value.relation, value.total]).filter(Boolean));

// Links to the relations; `counts` has what is known of their numbers.
function tabs(target, relation, counts) {
  const tab = ([name, label]) => h("a", {
    href: graphAddress(target, name),
    "aria-current": name === relation && "page",
    "data-stay": true,
  }, label, name in counts && h("span", { class: "count" }, counts[name]));
  return h("nav", { class: "tabs", "aria-label": "Relations" }, Object.entries(RELATIONS).map(tab));
}

function heading({ relation, total, is_all: isAll, depth }) {
  const steps = relation === "tests" ? ` that reach it in at most ${plural(depth, "step")}` : "";
  const count = isAll ? total : `more than ${total}`;
  return h("h3", { tabindex: "-1" }, RELATIONS[relation], steps, " ",
    h("span", { class: "count" }, count));
}

function pages({ offset, limit, total, items }) {
  if (total <= items.length) return false;
  const link = (text, begin) => {
    const params = new URLSearchParams(route.params);
    params.delete("open");
    params.set("offset", begin);
    return h("a", { href: address(params), "data-stay": true }, text);
  };
  return h("nav", { class: "pages", "aria-label": "Pages" },
    offset > 0 && link("← Previous", Math.max(0, Math.min(offset, total) - limit)),
    items.length > 0 && h("span", null, `${offset + 1} to ${offset + items.length} of ${total}`),
    offset + items.length < total && link("Next →", offset + limit));
}

function listOf(answer) {
  const { items, relation, total, offset } = answer;
  const list = relation === "references" ? placesByFile : relatedList;
  const none = total ? `None after the first ${offset}.` : EMPTY[relation];
  return [heading(answer),
    items.length ? list(answer) : h("p", { class: "empty" }, none), pages(answer)];
}

// Draws the tabs and the list below them. The focus stays in the tabs; from the links to other
// pages it goes to the list's beginning.
function drawList(answer, error) {
  const { target, relation } = asked();
  const left = document.activeElement.closest("#relations nav")?.className;
  $("relations").replaceChildren(
    tabs(target, relation, drawn.counts),
    ...(answer ? listOf(answer) : [h("p", { class: "notice" }, error.message)]).filter(Boolean));
  if (left === "tabs") $("relations").querySelector("[aria-current]").focus();
  if (left === "pages") $("relations").querySelector("h3").focus();
}

// Returns the answers to what is not drawn yet: the list and, for another target, its neighbours.
function ask(isNew, signal) {
  const { target, relation, offset } = asked();
  const about = (name, part) => (
    request("references", projectParams({ target, relation: name, ...part }), signal)
  );
  const list = about(relation, { offset, limit: LISTED });
  const beginning = (answer) => ({ ...answer, items: answer.items.slice(0, DRAWN) });
  const side = (name) => (
    name === relation && !offset ? list.then(beginning) : about(name, { limit: DRAWN })
  );
  return Promise.allSettled([list, ...(isNew ? ["callers", "callees"].map(side) : [])]);
}

function drawTarget(target, callers, callees) {
  $("graph-view").replaceChildren(
    head(target),
    callers && callees ? neighbourhood(target, callers, callees) : "",
    h("div", { id: "relations" }));
}

// Draws that there is no graph, which is no failure: what to do about it is said above.
function drawNothing(heading, about, text, ...content) {
  clearGraph();
  const title = h("h2", { tabindex: "-1" }, heading);
  $("graph-view").replaceChildren(
    h("div", { class: "view-head" }, backLink(), title), ...content);
  document.title = `${heading} – Code search`;
  notice("", about, text);
  title.focus({ preventScroll: true });
}

// Returns what an ambiguous name may mean, as links to the graph of each.
function candidateList(candidates) {
  const { relation } = asked();
  return h("ol", { class: "hits", id: "candidates" }, candidates.map(
    ({ id, symbol, place, code_type: kind }) => h("li", { class: "hit related" },
      h("div", { class: "hit-head" },
        h("h4", null, h("a", { class: "name", href: graphAddress(id ?? symbol, relation) }, symbol)),
        badge(kind || "outside the index", "kind"),
        id && h("span", { class: "place" }, place)))));
}

// Draws why nothing is known of the target, if a reader can do something about it.
function drawRefusal(error) {
  const { status, message, candidates } = error;
  if (status === NO_REFERENCES) {
    drawNothing("No references", "This index does not say what refers to what.", message);
  } else if (candidates) {
    drawNothing(asked().target, "Several have this name.", "Choose one of them.",
      candidateList(candidates));
  } else {
    throw error;
  }
}

// Draws what the address asks for, another target or another list of the same one. Throws the
// error if nothing is known of the target.
async function draw(key, list, isNew, signal) {
  const [answer, ...sides] = await ask(isNew, signal);
  if (signal.aborted) return;
  const known = [answer, ...sides].find(({ value }) => value)?.value;
  if (!known && isNew) throw answer.reason;
  if (isNew) drawTarget(known.target, ...sides.map(({ value }) => value));
  drawn = isNew ? { key, target: known.target, counts: {} } : drawn;
  drawn.list = list;
  Object.assign(drawn.counts, countsOf([answer, ...sides]));
  drawList(answer.value, answer.reason);
}

export async function showGraph(signal, { popped, stay }) {
  const { target, relation, offset } = asked();
  const key = String(projectParams({ target }));
  const list = `${relation} ${offset}`;
  const isNew = drawn?.key !== key || !(popped || stay); // otherwise only the list may change
  try {
    if (isNew || drawn.list !== list) await draw(key, list, isNew, signal);
  } catch (error) {
    if (!signal.aborted) drawRefusal(error);
    return;
  }
  if (signal.aborted) return;
  notice();
  document.title = `${drawn.target.name}: ${RELATIONS[relation]} – Code search`;
  await showDeeper($("relations"), relation, signal);
  if (popped) restoreHit();
  else if (isNew) $("graph-view").querySelector("h2").focus({ preventScroll: true });
}
