// Names of what the graph holds.

// Returns the parts of a symbol, a path: `a::<B as c::D>::e` has three.
function partsOf(symbol) {
  const parts = [];
  for (let at = 0, begin = 0, depth = 0; at <= symbol.length; at += 1) {
    if ("<([{".includes(symbol[at] ?? " ")) depth += 1;
    // The `>` of an arrow ends nothing.
    if (">)]}".includes(symbol[at] ?? " ") && symbol[at - 1] !== "-") depth -= 1;
    if (at === symbol.length || (depth <= 0 && symbol.startsWith("::", at))) {
      parts.push(symbol.slice(begin, at));
      begin = at + 2;
      at += 1;
    }
  }
  return parts;
}

// Returns the name with the type or module that it belongs to: `Cache<K, V>::insert`.
export const shortSymbol = (symbol) => partsOf(symbol).slice(-2).join("::");

// Returns the type or module that it belongs to, "" if the symbol is a name alone.
export const ownerOf = (symbol) => partsOf(symbol).at(-2) ?? "";

export const fileName = (path) => path.slice(path.lastIndexOf("/") + 1);
