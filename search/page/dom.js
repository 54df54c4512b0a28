// Elements from text. What the server answers becomes text nodes; nothing is ever parsed as HTML.

export const $ = (id) => document.getElementById(id);

// Directional marks can make code look different from what it is. The style sheet shows them and
// ends their effect.
const DIRECTION_MARKS = /([\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069])/;

function toNodes(child) {
  if (child instanceof Node) return [child];
  return String(child).split(DIRECTION_MARKS).filter(Boolean).map((part) => {
    const text = document.createTextNode(part);
    if (!DIRECTION_MARKS.test(part)) return text;
    const code = part.codePointAt(0).toString(16).toUpperCase();
    return h("span", { class: "direction", "data-code": code }, text);
  });
}

function fill(node, props, children) {
  for (const [name, value] of Object.entries(props ?? {})) {
    if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
    else if ((value ?? false) !== false) node.setAttribute(name, value === true ? "" : value);
  }
  node.append(...children.flat().filter((child) => (child ?? false) !== false).flatMap(toNodes));
  return node;
}

// Returns an element. Properties named on... are listeners, the others attributes; those that are
// null or false are left out, and so are such children.
export const h = (tag, props, ...children) => fill(document.createElement(tag), props, children);

const SVG = "http://www.w3.org/2000/svg";

// Returns an element of a drawing, made as h makes those of the page.
export const svg = (tag, props, ...children) => (
  fill(document.createElementNS(SVG, tag), props, children)
);

export const plural = (count, word) => `${count} ${word}${count === 1 ? "" : "s"}`;
