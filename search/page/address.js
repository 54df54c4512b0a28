// The address is the state: every view is drawn from location.search alone. So reload, back,
// forward and a link opened in a new tab all show the same.

export const FILTERS = [
  "crate", "path", "module", "kind", "visibility", "owner", "trait", "origin",
  "calls", "called_by", "implements",
];
// Filters that are a choice: include, exclude or only.
export const CHOICES = ["tests", "generated"];
export const SIMILAR_MODES = ["hybrid", "text", "code"];
// What can be asked of the graph, and its name on the page.
export const RELATIONS = {
  references: "References",
  callers: "Callers",
  callees: "Callees",
  implementations: "Implementations",
  tests: "Tests",
};

// What is shown now: view is home, search, similar, file, graph or map.
export let route = { view: "home", params: new URLSearchParams() };

const NO_LISTS = ["file", "graph", "map"]; // views of something else than hits

export function readRoute(search) {
  const params = new URLSearchParams(search);
  return { view: viewOf(params), params };
}

function viewOf(params) {
  if (NO_LISTS.includes(params.get("view"))) return params.get("view");
  if (params.get("similar")) return "similar";
  return params.get("q")?.trim() ? "search" : "home";
}

export function enterRoute() {
  route = readRoute(location.search);
}

export const isList = (view) => !NO_LISTS.includes(view);

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

// Returns the address of a file with a structure or, with `line`, that line marked.
export const fileAddress = (path, id, line) => (
  address({ view: "file", path, ...(id && { id }), ...(line && { line }) })
);

// The target is the id of a structure, or a symbol outside the index.
export const graphAddress = (target, relation) => address({ view: "graph", target, relation });

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
