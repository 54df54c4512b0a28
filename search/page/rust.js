// Colours for Rust code.

import { h } from "./dom.js";

const KEYWORDS = new Set((
  "as async await break const continue crate dyn else enum extern false fn for if impl in let loop "
  + "match mod move mut pub ref return self Self static struct super trait true type union unsafe "
  + "use where while yield"
).split(" "));

const TOKEN = new RegExp([
  String.raw`(?<comment>//[^\n]*|/\*)`,
  String.raw`(?<string>[bc]?r(?<hashes>#*)"[^]*?(?:"\k<hashes>|$)`
    + String.raw`|[bc]?"[^"\\]*(?:\\[^][^"\\]*)*(?:"|\\?$)`
    + String.raw`|b?'(?:\\(?:u\{[^}'\n]*\}|x[0-9a-fA-F]{2}|[^\n])|[^'\\\n])')`,
  String.raw`(?<lifetime>'(?:r#)?[\p{XIDS}_]\p{XIDC}*)`,
  String.raw`(?<number>\d[\d_]*(?:\.\d[\d_]*)?(?:[eE][+\-]?\d[\d_]*)?\p{XIDC}*)`,
  String.raw`(?<name>(?:r#)?[\p{XIDS}_]\p{XIDC}*)(?<macro>!(?!=))?`,
].join("|"), "yu");

function endOfBlockComment(text, from) {
  const edges = /\/\*|\*\//g;
  edges.lastIndex = from;
  let depth = 0; // Rust's block comments nest
  for (let edge = edges.exec(text); edge; edge = edges.exec(text)) {
    depth += edge[0] === "/*" ? 1 : -1;
    if (depth === 0) return edges.lastIndex;
  }
  return text.length;
}

function colourOf({ comment, string, lifetime, name, macro }) {
  if (comment) return "comment";
  if (string) return "string";
  if (lifetime) return "lifetime";
  if (!name) return "number";
  if (KEYWORDS.has(name)) return "keyword";
  if (macro) return "macro";
  return /^\p{Lu}(?:$|.*\p{Ll})/u.test(name) ? "type" : null;
}

// Returns [class or null, text] of each part. Every part is a slice that begins where the previous
// one ends, so the parts together are the text that came in, whatever it is.
function tokens(text) {
  const parts = [];
  let plain = 0; // where the part without a colour began
  let at = 0;
  while (at < text.length) {
    TOKEN.lastIndex = at;
    const groups = TOKEN.exec(text)?.groups;
    let end = groups ? TOKEN.lastIndex : at + 1;
    if (groups?.comment === "/*") end = endOfBlockComment(text, at);
    const colour = groups && colourOf(groups);
    if (colour) {
      if (plain < at) parts.push([null, text.slice(plain, at)]);
      parts.push([colour, text.slice(at, end)]);
      plain = end;
    }
    at = end;
  }
  if (plain < at) parts.push([null, text.slice(plain)]);
  return parts;
}

// Returns a list of nodes and texts for each line.
export function colouredLines(text) {
  const lines = [[]];
  for (const [colour, part] of tokens(text)) {
    part.split("\n").forEach((piece, index) => {
      if (index > 0) lines.push([]);
      if (piece) lines.at(-1).push(colour ? h("span", { class: colour }, piece) : piece);
    });
  }
  return lines;
}
