// A drawing of what is around a target: callers on its left, callees on its right.

import { RELATIONS, graphAddress } from "./address.js";
import { h, svg } from "./dom.js";
import { fileName, ownerOf } from "./symbols.js";

export const DRAWN = 8; // nodes of a side

// Sizes of the drawing in its own units; page.css has the same as --node and --gutter, in rem.
const NODE = 34;
const GUTTER = 40;

const keyOf = ({ id, symbol }) => id ?? symbol;

// What a node says below its name.
function note({ id, symbol, file_path: path, line }) {
  const place = id ? `${fileName(path)}:${line}` : "outside";
  return [ownerOf(symbol), place].filter(Boolean).join(" · ");
}

function node(item, relation) {
  const where = item.id ? `, ${item.file_path}:${item.line}` : ", outside the index";
  const kinds = [item.id ? "" : "outside", item.is_test ? "test" : ""].filter(Boolean);
  return h("li", null, h("a", {
    class: ["node", ...kinds].join(" "),
    href: graphAddress(keyOf(item), relation),
    title: `${item.symbol}${where}`,
  }, h("b", null, item.name), h("span", null, note(item))));
}

// Returns how many rows a side has: one more than its nodes if some are left out.
const rowsOf = ({ items, total }) => items.length + (total > items.length ? 1 : 0);

function column(target, answer) {
  const { items, total, is_all: isAll, relation } = answer;
  const rest = `… ${isAll ? "" : "at least "}${total - items.length} more`;
  return h("ul", { "aria-label": RELATIONS[relation] },
    items.map((item) => node(item, relation)),
    rowsOf(answer) > items.length && h("li", null,
      h("a", { class: "node more", href: graphAddress(keyOf(target), relation) }, rest)),
    !items.length && h("li", { class: "empty" }, `No ${RELATIONS[relation].toLowerCase()}`));
}

const isUnsure = (item) => Boolean(item?.guessed || item?.through);

// The arrows between the nodes of a side and the target; all lead to the right.
function arrows(answer, rows, isLeft) {
  const middle = (rows * NODE) / 2;
  const count = rowsOf(answer);
  const lines = [...Array(count).keys()].map((at) => {
    const y = middle + (at - (count - 1) / 2) * NODE;
    const [from, to] = isLeft ? [y, middle] : [middle, y];
    const half = GUTTER / 2;
    return svg("path", {
      class: isUnsure(answer.items[at]) ? "unsure" : null,
      d: `M0 ${from} C${half} ${from} ${half} ${to} ${GUTTER} ${to} m-5 -3 l5 3 l-5 3`,
    });
  });
  const box = `0 0 ${GUTTER} ${rows * NODE}`;
  return svg("svg", { class: "arrows", viewBox: box, "aria-hidden": "true" }, lines);
}

// Returns the drawing; its nodes lead to the same view of what they stand for.
export function neighbourhood(target, callers, callees) {
  const rows = Math.max(1, rowsOf(callers), rowsOf(callees));
  const drawing = h("div", { class: "neighbourhood", role: "group", "aria-label": "Neighbourhood" },
    column(target, callers), arrows(callers, rows, true),
    h("p", { class: "node target" }, h("b", null, target.name), h("span", null, note(target))),
    arrows(callees, rows, false), column(target, callees));
  drawing.style.setProperty("--rows", rows);
  const hasUnsure = [...callers.items, ...callees.items].some(isUnsure);
  return h("figure", null, drawing, hasUnsure && h("figcaption", null,
    "Dashed: known by name only, or a call of a trait's member that may run it."));
}
