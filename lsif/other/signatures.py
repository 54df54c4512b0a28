"""Signatures and visibility of declarations in other languages than Rust."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from lsif.lines import squeeze

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lsif.other.declaration import Declaration

_DECORATORS = re.compile(r"\A(?:(?:@[\w.]+(?:\([^()]*\))?|\[[^\[\]]*\]|\[\[[^\[\]]*\]\])\s+)+")
_MODIFIERS = re.compile(
    r"(?:\b(?P<visibility>export|public|private|protected|internal|pub(?:\([^)]*\))?)\s+|\b(?:default|declare)\s+)*"
)
_OPENING = re.compile(r"\s*(?:=>)?\s*\{?\Z")
_HEAD_ONLY = frozenset({"Function", "Class", "Interface", "Trait", "Module", "Macro"})
"""Kinds whose body is no part of the signature."""


def signature_of(declaration: Declaration, code: bytes) -> tuple[str, str]:
    """Return the declaration in one line, and its visibility.

    Decorators, visibility and body are left out. `code` is the source with blanks for its comments.
    """
    end = declaration.end
    if declaration.code_type in _HEAD_ONLY and declaration.body is not None:
        end = declaration.body
    elif declaration.code_type in ("Const", "Static") and declaration.value is not None:
        end = declaration.value
    text = squeeze(b" ".join(_pieces(declaration, code, end)).decode("utf-8", "replace"))
    visibility = declaration.visibility
    if visibility is None:
        text = _DECORATORS.sub("", text)
        match = _MODIFIERS.match(text)
        if match is not None:
            text, visibility = text[match.end() :], match["visibility"]
    return _OPENING.sub("", text).rstrip(";,=: \\"), visibility or ""


def _pieces(declaration: Declaration, code: bytes, end: int) -> Iterator[bytes]:
    """Yield the declaration's code up to `end` without what is left out."""
    shared = [declaration.shared] if declaration.shared is not None else []
    for start, stop in (*shared, (declaration.head, end)):
        at = start
        for left_out in declaration.left_out:
            if start <= left_out[0] and left_out[1] <= stop:
                yield code[at : left_out[0]]
                at = left_out[1]
        yield code[at:stop]
