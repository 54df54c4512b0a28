// The address is the state: every view is drawn from location.search alone. So reload, back,
// forward and a link opened in a new tab all show the same.

export const FILTERS = [
  "crate", "path", "module", "kind", "visibility", "owner", "trait", "origin",
];
// Filters that are a choice: include, exclude or only.
export const CHOICES = ["tests", "generated"];
export const SIMILAR_MODES = ["hybrid", "text", "code"];

// What is shown now: view is home, search, similar, file or map.
export let route = { view: "home", params: new URLSearchParams() };

export function readRoute(search) {
  const params = new URLSearchParams(search);
  return { view: viewOf(params), params };
}

function viewOf(params) {
  if (["file", "map"].includes(params.get("view"))) return params.get("view");
  if (params.get("similar")) return "similar";
  return params.get("q")?.trim() ? "search" : "home";
}

export function enterRoute() {
  route = readRoute(location.search);
}

export const isList = (view) => view !== "file" && view !== "map";

export function projectParams(more) {
  const project = route.params.get("project");
  return new URLSearchParams({ ...(project && { project }), ...more });
}

// Returns an address of this page, for the same project unless the parameters name another.
export function address(params) {
  const all = new URLSearchParams(params);
  if (!all.has("project")) for (const [name, value] of projectParams()) all.set(name, value);
  return `?${all}`;
}

export const fileAddress = (path, id) => address({ view: "file", path, ...(id && { id }) });

// Copies the values of the parameters that are set from the current address.
export function copyParams(names, target) {
  for (const name of names) {
    route.params.getAll(name).filter(Boolean).forEach((value) => target.append(name, value));
  }
}

export function similarAddress(id) {
  const params = new URLSearchParams({ similar: id });
  const mode = route.params.get("mode");
  if (SIMILAR_MODES.includes(mode)) params.set("mode", mode);
  copyParams([...FILTERS, ...CHOICES], params);
  return address(params);
}
