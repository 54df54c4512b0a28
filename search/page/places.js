// The places that refer to a target, by file and by the structure around them.

import { fileAddress, graphAddress } from "./address.js";
import { h, plural } from "./dom.js";
import { badge } from "./results.js";
import { colouredLines } from "./rust.js";
import { shortSymbol } from "./symbols.js";

// Returns the items in runs that have the same value.
function runs(items, valueOf) {
  const found = [];
  for (const item of items) {
    if (found.length && valueOf(found.at(-1)[0]) === valueOf(item)) found.at(-1).push(item);
    else found.push([item]);
  }
  return found;
}

// Returns the line with the name marked, without the blanks before the first character.
function lineParts({ text, column, length }) {
  if (text === null) return [h("span", { class: "empty" }, "The line is not at hand.")];
  const [begin, end] = [column - 1, column - 1 + length];
  const coloured = (part) => colouredLines(part).flat();
  const name = text.slice(begin, end);
  return [...coloured(text.slice(0, begin).trimStart()),
    name && h("mark", null, name), ...coloured(text.slice(end))];
}

function placeRow(place) {
  const { file_path: path, line, structure_id: id, kind, guessed } = place;
  return h("li", { class: "place-row" },
    h("a", {
      class: "open", href: fileAddress(path, id, line), "aria-label": `Line ${line} of ${path}`,
    }, line),
    h("code", null, lineParts(place)),
    badge(kind), guessed && badge("guessed"));
}

// The places in one structure, or those of the file that are in none.
function placesOf(places) {
  const { file_path: path, line, structure_id: id, structure } = places[0];
  const name = structure === null ? "Outside of structures" : shortSymbol(structure);
  const head = id === null ? name : h("a", {
    class: "graph", href: graphAddress(id, "references"), title: structure,
  }, name);
  return h("li", {
    class: "hit", "data-id": `${path}:${line}`, tabindex: "-1", "aria-label": `Places in ${name}`,
  }, h("p", { class: "around" }, head), h("ol", null, places.map(placeRow)));
}

// Places come by file and line.
export function placesByFile({ items }) {
  return h("div", { class: "places" }, runs(items, (place) => place.file_path).map((own) => (
    h("section", { class: "group" },
      h("h4", null, h("a", { href: fileAddress(own[0].file_path) }, own[0].file_path), " ",
        h("span", { class: "count" }, plural(own.length, "place"))),
      h("ol", null, runs(own, (place) => place.structure_id).map(placesOf))))));
}
