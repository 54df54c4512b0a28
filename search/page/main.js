// The page of `lsif-ingest serve`. Modules in reading order:
//
// address, navigation       the address is the state; ways from one view to another
// api, dom, messages        requests, elements, messages to the reader
// form, filters             what can be asked
// results, file             the views of hits and of a file
// graph, neighbourhood, places, related, symbols
//                           the view of what refers to what
// map, plot                 the view of all structures
// code, rust                how code is shown
// hits, keys, theme         the focus, keyboard and colours

import { address, enterRoute, route } from "./address.js";
import { $, h, plural } from "./dom.js";
import { clearFile, showFile } from "./file.js";
import { fillForm, loadStatus, startForm } from "./form.js";
import { clearGraph, showGraph } from "./graph.js";
import { startHits } from "./hits.js";
import { startKeys } from "./keys.js";
import { clearMap, showMap } from "./map.js";
import { notice } from "./messages.js";
import { formSource, startNavigation } from "./navigation.js";
import { clearResults, showResults, version } from "./results.js";
import { startTheme } from "./theme.js";

const EXAMPLES = [
  "how do I wait longer after each failed attempt",
  "fn area(&self) -> f64",
  "parse a config file",
];
const PANELS = {
  home: "home",
  search: "results-view",
  similar: "results-view",
  file: "file-view",
  graph: "graph-view",
  map: "map-view",
};
const VIEWS = {
  home: showHome,
  search: showResults,
  similar: showResults,
  file: showFile,
  graph: showGraph,
  map: showMap,
};

let running = new AbortController(); // stops all that the previous view still waits for

async function showHome(signal) {
  document.title = "Code search";
  const status = await loadStatus();
  if (signal.aborted) return;
  notice();
  const example = (text) => h("li", null, h("a", { href: address({ q: text }) }, text));
  $("home").replaceChildren(
    h("h2", null, "Find code by what it does"),
    h("p", null, `${plural(status.structures, "structure")} of `, version(status)),
    ...coverageNote(status.coverage),
    h("p", { class: "label" }, "For example"),
    h("ul", { class: "examples" }, EXAMPLES.map(example)));
}

// Returns a paragraph on where the Rust files come from; none if that is not known.
function coverageNote(coverage) {
  if (!coverage) return [];
  const files = plural(coverage.files, "Rust file");
  const index = coverage.files_from_index, source = coverage.files_from_source;
  return [h("p", null, `${files}: ${index} from the index, ${source} from the source`,
    coverage.files_excluded ? `, ${coverage.files_excluded} excluded` : "")];
}

function clearViews() {
  clearResults();
  clearFile();
  clearGraph();
  clearMap();
  $("home").replaceChildren();
}

// Draws the view of the address. With `popped` the reader came back to an entry of the history,
// and finds it as it was left; with `stay` a longer list takes the place of a shorter one.
async function show(how = {}) {
  running.abort();
  running = new AbortController();
  const { signal } = running;
  const { scroll } = history.state;
  enterRoute();
  if (route.view !== "file") clearFile(); // the index may change until it is opened again
  fillForm(formSource());
  $("home-link").href = address();
  $("map-link").href = address({ view: "map" });
  for (const id of Object.values(PANELS)) $(id).hidden = id !== PANELS[route.view];
  $("progress").hidden = false;
  $("main").setAttribute("aria-busy", "true");
  if (route.view !== "home") loadStatus().catch(() => {}); // hits can be shown without it
  try {
    await VIEWS[route.view](signal, how);
    if (!signal.aborted && how.popped && scroll !== undefined) scrollTo(0, scroll);
  } catch (error) {
    if (signal.aborted) return;
    clearViews();
    notice("error", "This did not work.", error.message, () => show(how));
  }
  if (signal.aborted) return;
  $("progress").hidden = true;
  $("main").removeAttribute("aria-busy");
}

startTheme();
startForm();
startHits();
startKeys();
startNavigation(show);
if (route.view === "home") $("q").focus();
