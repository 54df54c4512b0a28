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

from lsif.identifiers import identifier_at
from lsif.structure import CodeType  # noqa: TC001 - Hover's fields are read at run time

_FENCE = "```"
_OPEN, _CLOSE = "```rust\n", "\n```"
_KEYWORD = re.compile(
    r"^(?:pub(?:\([^)]*\))?\s+)?(?:default\s+)?"
    r"(?:(?:const|async|unsafe|safe|gen|auto|extern(?:\s+\"[^\"]*\")?)\s+)*"
    r"(?:(?P<macro>macro_rules!|macro)|(?P<keyword>fn|struct|enum|union|trait|type|const|static|mod|proc_macro)\b)"
    r"\s+(?:mut\s+)?(?=[^\W\d]|[^\0-\x7f])",
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
    "proc_macro": "Function",
}


PROC_MACRO = "proc_macro "
"""Before the name of a procedural macro, in rust-analyzer's declarations."""
_RESOLVED_LINK = re.compile(
    r"(\[[^\[\]]*+\])\(https://(?:docs\.rs/|doc\.rust-lang\.org/\w+/(?:core|alloc|std)/)[^()\s]*+\)"
)
_BOUNDS = re.compile(r"\s*//[ ]Bounds[ ]from[ ](?:impl|trait):.*", re.DOTALL)


class Hover(NamedTuple):
    """Decoded hover; `path` is None if the name is no item (a local, a generic, a crate ...)."""

    path: str | None
    declaration: str
    docs: str | None
    code_type: CodeType | None
    """None for fields and variants, whose declarations have no keyword."""
    name: str | None
    """Of a function that is a derive macro, the macro's."""

    @property
    def is_proc_macro(self) -> bool:
        """Whether it is a function that is a procedural macro; only that and the name are known."""
        return self.declaration.startswith(PROC_MACRO)


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
        return CRATE_ROOT if is_crate_root(path) else NO_ITEM
    # A constant's body is shown raw and may have fences: the declaration is all that follows.
    declaration = rest.strip().removesuffix("```").strip()
    code_type, name = classify(declaration)
    return Hover(path.strip(), declaration, as_written(docs.strip()) or None, code_type, name)


def as_written(docs: str) -> str:
    """Return docs without the targets of links that rust-analyzer resolved.

    >>> as_written("See [`get`](https://docs.rs/axum/0.8.9/axum/routing/fn.get.html).")
    'See [`get`].'
    """
    return _RESOLVED_LINK.sub(r"\1", docs) if "](https://" in docs else docs


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


def own_declaration(hover: Hover) -> str:
    """Return the declaration without what is its impl block's or trait's.

    That is a line that it may begin with, and bounds that it may end with.
    """
    return _BOUNDS.sub("", hover.declaration[_own_line(hover.declaration)[0] :])


def is_crate_root(declaration: str) -> bool:
    """Return whether the declaration is that of a crate as a whole."""
    return declaration.startswith("extern crate ")


def classify(declaration: str) -> tuple[CodeType | None, str | None]:
    """Return the kind and name that the declaration spells."""
    match = _own_line(declaration)[1]
    if match is None:
        return None, None
    code_type: CodeType = "Macro" if match["macro"] else _CODE_TYPES[match["keyword"]]
    return code_type, identifier_at(match.string, match.end()) or None


def _own_line(declaration: str) -> tuple[int, re.Match[str] | None]:
    """Return where the line that spells kind and name begins, and its match.

    A member's declaration may begin with a line for its `impl` or trait; then the second line
    counts.
    """
    lines = declaration.split("\n", 2)[:2]
    first = _KEYWORD.match(lines[0])
    second = _KEYWORD.match(lines[1]) if len(lines) > 1 else None
    is_member = second is not None and (
        first is None
        or (first["keyword"] == "trait" and second["keyword"] in ("fn", "const", "type"))
    )
    return (len(lines[0]) + 1, second) if is_member else (0, first)
