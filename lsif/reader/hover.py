"""Decodes rust-analyzer's hovers: Markdown about a definition. Reads no source.

A value is a fenced block with the path of the module or owner, a fenced block with the declaration
and, after the first line `---`, the documentation. Locals, parameters, generics, lifetimes, labels,
builtin types, attributes and crate roots have no path. The declaration is the indexer's own
rendering (fields cut, types `{unknown}`, constants evaluated): if there is a source, it is right.
"""

from __future__ import annotations

import re
from typing import NamedTuple

import orjson

from lsif.structure import CodeType  # noqa: TC001 - Hover's fields are read at run time

_FENCE = "```"
_OPEN, _CLOSE = "```rust\n", "\n```"
_KEYWORD = re.compile(
    r"^(?:pub(?:\([^)]*\))?\s+)?(?:default\s+)?"
    r"(?:(?:const|async|unsafe|safe|gen|auto|extern(?:\s+\"[^\"]*\")?)\s+)*"
    r"(?:(?P<macro>macro_rules!|macro)|(?P<keyword>fn|struct|enum|union|trait|type|const|static|mod)\b)"
    r"\s+(?:mut\s+)?(?P<name>(?:r#)?\w+)",
)
_CODE_TYPES: dict[str, CodeType] = {
    "fn": "Function",
    "struct": "Struct",
    "enum": "Enum",
    "union": "Union",
    "trait": "Trait",
    "type": "TypeAlias",
    "const": "Const",
    "static": "Static",
    "mod": "Module",
}


class Hover(NamedTuple):
    """Decoded hover; `path` is None if the name is no item (a local, a generic, a crate ...)."""

    path: str | None
    declaration: str
    docs: str | None
    code_type: CodeType | None
    """None for fields and variants, whose declarations have no keyword."""
    name: str | None


NO_ITEM = Hover(None, "", None, None, None)
"""Of a local, parameter, generic, lifetime, label, builtin type or attribute."""

CRATE_ROOT = Hover(None, "extern crate", None, None, None)

PLAIN_HOVERS = (NO_ITEM, CRATE_ROOT)
"""Hovers that say nothing more; nine of ten hovers of a dump are such."""


def parse_hover(value: str) -> Hover | None:
    r"""Return the decoded text of a hover, None if it has no block of code.

    Docs of names that are no items are dropped.

    Of blocks in other languages only the declaration and the documentation are taken.

    >>> parse_hover("\n```rust\na::b\n```\n\n```rust\npub fn f()\n```\n\n---\n\nDocs.")
    Hover(path='a::b', declaration='pub fn f()', docs='Docs.', code_type='Function', name='f')
    """
    head, _, docs = value.partition("\n---\n")
    _, opened, rest = head.partition(_OPEN)
    path, closed, rest = rest.partition(_CLOSE)
    if not opened or not closed:
        return _parse_other(value)
    _, opened, rest = rest.partition(_OPEN)
    if not opened:
        return CRATE_ROOT if path.startswith("extern crate ") else NO_ITEM
    # A constant's body is shown raw and may have fences: the declaration is all that follows.
    declaration = rest.strip().removesuffix("```").strip()
    code_type, name = _classify(declaration)
    return Hover(path.strip(), declaration, docs.strip() or None, code_type, name)


def decode_hover(hover: Hover | bytes | None) -> Hover | None:
    """Return the decoded hover, None if it can't be decoded; bytes are a line of JSON."""
    if not isinstance(hover, bytes):
        return hover
    try:
        return parse_hover(orjson.loads(hover)["result"]["contents"]["value"])
    except (ValueError, KeyError, TypeError):
        return None


def _parse_other(value: str) -> Hover | None:
    """Return the declaration and documentation of a hover in another language than Rust."""
    _, opened, rest = value.partition(_FENCE)
    language, _, rest = rest.partition("\n")
    code, closed, docs = rest.partition("\n" + _FENCE)
    if not opened or not closed or language.strip() == "rust":
        return None
    return Hover(None, code.strip(), docs.strip().removeprefix("---").strip() or None, None, None)


def _classify(declaration: str) -> tuple[CodeType | None, str | None]:
    """Return the kind and name that the declaration spells.

    A member's declaration may begin with a line for its `impl` or trait; then the second line
    counts.
    """
    lines = declaration.split("\n", 2)[:2]
    matches = [match for line in lines if (match := _KEYWORD.match(line))]
    if not matches:
        return None, None
    match = matches[0]
    if len(matches) > 1 and (
        match["keyword"] == "trait" and matches[1]["keyword"] in ("fn", "const", "type")
    ):
        match = matches[1]
    code_type: CodeType = "Macro" if match["macro"] else _CODE_TYPES[match["keyword"]]
    return code_type, match["name"]
