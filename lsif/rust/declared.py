"""Modules that a file declares and that are files of their own: `mod name;`."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

from lsif.rust.signature import text_of, visibility

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tree_sitter import Node

_PATH = re.compile(r'#\s*\[\s*path\s*=\s*(?:r#*)?"([^"]*)"#*\s*\]')
_CONDITIONAL_PATH = re.compile(r'#\s*\[\s*cfg_attr\s*\(.*\bpath\s*=\s*(?:r#*)?"([^"]*)"', re.DOTALL)


class DeclaredModule(NamedTuple):
    """A `mod name;`: another file."""

    modules: tuple[str, ...]
    """Inline modules around it, outermost first."""
    name: str
    """As in the source: `r#type` keeps its `r#`."""
    paths: tuple[str, ...]
    """Of `#[path = "..."]`, or of all that `#[cfg_attr(..., path = "...")]` may set."""
    has_fixed_path: bool
    """Whether no file but that of `#[path = "..."]` can be it."""
    visibility: str
    is_test: bool
    """Whether only tests compile it."""


def declared_module(
    node: Node, name: Node, leading: Iterable[Node], modules: tuple[str, ...], *, is_test: bool
) -> DeclaredModule:
    """Return the module that the node declares; `leading` are its docs and attributes."""
    texts = [text_of(above) for above in leading if above.type == "attribute_item"]
    fixed = [match[1] for text in texts if (match := _PATH.match(text))]
    conditional = [match[1] for text in texts if (match := _CONDITIONAL_PATH.match(text))]
    return DeclaredModule(
        modules,
        text_of(name),
        tuple(fixed[:1] or conditional),
        bool(fixed),
        visibility(node) or "private",
        is_test,
    )
