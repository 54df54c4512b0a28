// The keys; index.html has the list that the reader sees.

import { address, isList, route } from "./address.js";
import { $ } from "./dom.js";
import { moveHit } from "./hits.js";
import { back, go } from "./navigation.js";

const isTyping = (target) => target.closest("input, select, textarea");

// Returns what a key does, undefined if it is not one of ours.
function actionOf(key, target) {
  const inResults = route.view === "graph" || (isList(route.view) && route.view !== "home");
  const hit = inResults && target.closest(".hit");
  const click = (link) => () => hit.querySelector(link)?.click();
  const actions = {
    "/": () => { $("q").select(); scrollTo(0, 0); },
    "?": () => $("keys").showModal(),
    Escape: back,
    m: () => go(address({ view: "map" })),
    ...(inResults && {
      j: () => moveHit(1),
      ArrowDown: () => moveHit(1),
      k: () => moveHit(-1),
      ArrowUp: () => moveHit(-1),
    }),
    ...(hit && {
      o: click("a.open"),
      s: click("a.similar"),
      r: click("a.graph"),
      d: click("button.deeper"),
    }),
    ...(hit && target === hit && { Enter: click("a.open") }),
  };
  return Object.hasOwn(actions, key) ? actions[key] : undefined;
}

function onKey(event) {
  const { key, target } = event;
  const hasModifier = event.ctrlKey || event.metaKey || event.altKey;
  if (event.defaultPrevented || hasModifier || event.isComposing || $("keys").open) return;
  // While typing, only Escape leaves the field; the browser would empty the box.
  const typing = isTyping(target);
  const action = typing ? key === "Escape" && (() => target.blur()) : actionOf(key, target);
  if (!action) return;
  action();
  event.preventDefault();
}

export function startKeys() {
  $("keys-button").addEventListener("click", () => $("keys").showModal());
  document.addEventListener("keydown", onKey);
}
