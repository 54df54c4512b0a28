// Ways from one view to another.
//
// history.state has n, which counts the entries of this tab; origin, what this entry was reached
// from (its n, address and hits), so that Escape leads back to that very entry and the map knows
// the hits; and scroll, how far down the entry was read. The origin is the list of hits or, for a
// file, perhaps a view of the graph, which has an origin itself.

import { address, isList, readRoute, route } from "./address.js";
import { h } from "./dom.js";

const SCROLL_MS = 200;

let show = () => {}; // draws the view of the address
let hits = []; // ids of the last list

export function rememberHits(ids) {
  hits = ids;
}

// The parameters that the form shows: those of the current list, or of the one that the file or
// map was opened from.
export function formSource() {
  return isList(route.view) ? route.params : new URLSearchParams(listOrigin()?.search);
}

// Returns the list that the present entry was reached from, by whatever way.
function listOrigin() {
  const { origin } = history.state;
  return origin && "origin" in origin ? origin.origin : origin;
}

const PLACES = { home: "search", graph: "references" };

export function backLink() {
  const from = history.state.origin;
  const place = PLACES[from ? readRoute(from.search).view : "home"] ?? "results";
  const props = { class: "back", href: from?.search || address(), "data-back": true };
  return h("a", props, `← Back to the ${place}`);
}

// Returns what Escape leads back to from a view that is opened now.
function originFor(target) {
  const { n, origin } = history.state;
  if (target === "search" || target === "home") return null;
  if (isList(route.view)) return { n, search: location.search, hits };
  if (route.view !== "graph") return target === "graph" ? listOrigin() : origin;
  return target === "graph" ? origin : { n, search: location.search, hits, origin };
}

const keepScroll = () => history.replaceState({ ...history.state, scroll: scrollY }, "");

const isHere = (search) => (
  new URLSearchParams(search).toString() === new URLSearchParams(location.search).toString()
);

// With `stay` the page is not scrolled to its top.
export function go(search, how = {}) {
  const target = readRoute(search).view;
  keepScroll();
  if (!isHere(search)) {
    const { n } = history.state;
    history.pushState({ n: n + 1, origin: originFor(target) }, "", search);
  }
  if (!how.stay && target !== "file") scrollTo(0, 0); // a file scrolls to its structure
  show(how);
}

export function back() {
  const { origin: from, n } = history.state;
  if (from) history.go(from.n - n);
  else if (!isList(route.view)) go(address());
}

function followLink(event) {
  const link = event.target.closest("a[href^='?']");
  const hasModifier = event.ctrlKey || event.metaKey || event.shiftKey || event.altKey;
  if (!link || event.button || hasModifier) return;
  event.preventDefault();
  if ("back" in link.dataset) back();
  else go(link.getAttribute("href"), { stay: "stay" in link.dataset });
}

// Calls draw({ popped }) for the present address, and whenever the address changes.
export function startNavigation(draw) {
  show = draw;
  history.scrollRestoration = "manual"; // the browser would scroll before the answer has come
  let timer = 0;
  addEventListener("scroll", () => {
    clearTimeout(timer);
    timer = setTimeout(keepScroll, SCROLL_MS);
  }, { passive: true });
  document.addEventListener("click", followLink);
  const enter = () => {
    if (!history.state) history.replaceState({ n: 0, origin: null }, ""); // it was typed
    show({ popped: history.state.scroll !== undefined });
  };
  addEventListener("popstate", enter);
  enter();
}
