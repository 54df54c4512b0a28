// The focus among the hits of a view. The keys move it, and who comes back finds it where it was.

const current = new Map(); // id of a view's section -> id of its hit that had the focus last

const shown = () => document.querySelector("#main > section:not([hidden])");
const nodesOf = (view) => [...view.querySelectorAll(".hit")];
const currentOf = (view) => (
  nodesOf(view).findIndex((node) => node.dataset.id === current.get(view.id))
);

export function focusHit(node) {
  node?.focus({ preventScroll: true });
  node?.scrollIntoView({ block: "nearest" });
}

// Moves the focus by so many hits.
export function moveHit(step) {
  const view = shown();
  const [nodes, at] = [nodesOf(view), currentOf(view)];
  focusHit(nodes[at < 0 ? 0 : Math.max(0, Math.min(nodes.length - 1, at + step))]);
}

// Returns the focus to the hit of the view that had it last.
export function restoreHit() {
  const view = shown();
  focusHit(nodesOf(view)[currentOf(view)]);
}

export function forgetHit() {
  current.delete(shown().id);
}

export function startHits() {
  document.addEventListener("focusin", ({ target }) => {
    const hit = target.closest(".hit");
    if (hit) current.set(hit.closest("section[id]").id, hit.dataset.id);
  });
}
