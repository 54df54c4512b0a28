// Lists of structures that are related to a target, and what is one step deeper beneath each.

import {
  RELATIONS, address, fileAddress, graphAddress, projectParams, route,
} from "./address.js";
import { request } from "./api.js";
import { h, plural } from "./dom.js";
import { go } from "./navigation.js";
import { badge } from "./results.js";
import { colouredLines } from "./rust.js";
import { shortSymbol } from "./symbols.js";

const DEEPER = 20; // items of a list that is beneath another
const BENEATH = 100; // such lists: what calls each other would have endless orders to be shown in
const HAVE_DEEPER = ["callers", "callees"];

const opened = () => route.params.getAll("open");

// Shows or hides what is one step deeper; the address says what is shown.
function toggle(id) {
  const params = new URLSearchParams(route.params);
  const others = opened().filter((other) => other !== id);
  const rest = others.length < opened().length ? others : [...others, id];
  params.delete("open");
  rest.forEach((other) => params.append("open", other));
  go(address(params), { stay: true });
}

function deeperButton(item, relation) {
  return h("button", {
    type: "button", class: "deeper", "aria-expanded": "false", onclick: () => toggle(item.id),
    "aria-label": `${RELATIONS[relation]} of ${shortSymbol(item.symbol)}`,
  }, h("span", { "aria-hidden": "true" }, "▸"));
}

// How the item is related, where that is not plain.
function notes({ is_test: isTest, steps, via, through, guessed }) {
  return [
    isTest && badge("test", "test"),
    guessed && badge("guessed"),
    through && badge(`through ${shortSymbol(through)}`),
    via && badge(`${plural(steps, "step")}, by way of ${shortSymbol(via)}`),
  ];
}

// Returns an item; `above` has the keys of the target and of all items that this one is beneath.
function relatedItem(item, relation, above) {
  const { id, symbol, file_path: path, line_from: from, line_to: to, signature } = item;
  const key = id ?? symbol;
  const isAbove = above.includes(key); // recursion: what is beneath it would never end
  const name = shortSymbol(symbol);
  return h("li", {
    class: "hit related", "data-key": key, "data-id": [...above, key].join("\n"), tabindex: "-1",
    "aria-label": `${item.code_type || "outside the index"} ${name}`,
  }, h("div", { class: "hit-head" },
    id && !isAbove && HAVE_DEEPER.includes(relation) && deeperButton(item, relation),
    h("h4", null,
      h("a", { class: "name graph", href: graphAddress(key, relation), title: symbol }, name)),
    badge(item.code_type || "outside the index", "kind"), notes(item),
    isAbove && badge("shown above"),
    id && h("a", { class: "place open", href: fileAddress(path, id) },
      `${path}:${from === to ? from : `${from}-${to}`}`)),
  signature && h("p", { class: "signature" }, h("code", null, colouredLines(signature).flat())));
}

export function relatedList({ target, items, relation }, above = [target.id ?? target.symbol]) {
  return h("ol", { class: "hits" }, items.map((item) => relatedItem(item, relation, above)));
}

// Returns the list beneath an item.
function deeperList(answer, above) {
  const { target, items, total, relation } = answer;
  const rest = total - items.length;
  const label = `${RELATIONS[relation]} of ${target.name}`;
  return h("div", { class: "beneath", role: "group", "aria-label": label },
    items.length ? relatedList(answer, above)
      : h("p", { class: "empty" }, `No ${RELATIONS[relation].toLowerCase()}.`),
    rest > 0 && h("a", { href: graphAddress(target.id, relation) }, `… ${rest} more`));
}

// Shows beneath an item what the address says, and nothing else. `room` counts the lists to come.
async function fit(item, relation, shown, signal, room) {
  const { key, id } = item.dataset;
  const isOpen = shown.has(key) && room.left > 0;
  const beneath = item.querySelector(":scope > .beneath");
  item.querySelector("button.deeper").setAttribute("aria-expanded", String(isOpen));
  if (!isOpen) beneath?.remove();
  if (isOpen) room.left -= 1;
  if (!isOpen || beneath) return;
  const params = projectParams({ target: key, relation, limit: DEEPER });
  try {
    const answer = await request("references", params, signal);
    if (!signal.aborted) item.append(deeperList(answer, id.split("\n")));
  } catch (error) {
    if (!signal.aborted) item.append(h("p", { class: "beneath empty" }, error.message));
  }
  if (!signal.aborted) await showDeeper(item.lastElementChild, relation, signal, room);
}

// Shows what the address says beneath the items of a list.
export async function showDeeper(list, relation, signal, room = { left: BENEATH }) {
  const shown = new Set(opened());
  const items = [...list.querySelectorAll("button.deeper")].map((it) => it.closest(".related"));
  await Promise.all(items.map((item) => fit(item, relation, shown, signal, room)));
}
