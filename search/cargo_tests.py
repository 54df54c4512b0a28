"""Which structures a test runner runs, and what `cargo test` calls them."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from lsif.structure import Structure

_ATTRIBUTE = re.compile(
    r"^\s*#\s*\[\s*(?:\w+\s*::\s*)*(?:test|bench|rstest|test_case|quickcheck|proptest|\w+_test)\b",
    re.MULTILINE,
)


def is_test_function(structure: Structure) -> bool:
    """Return whether a test runner runs the structure; helpers of tests are no tests.

    It does if it is a function of test code that has an attribute of tests, or that nothing refers
    to: some macros and other languages need no attribute.
    """
    if not structure.is_test or structure.code_type != "Function":
        return False
    return not structure.references or has_test_attribute(structure.context.snippet)


def has_test_attribute(snippet: str) -> bool:
    """Return whether the source of a function has an attribute of tests."""
    return _ATTRIBUTE.search(snippet) is not None


def cargo_test_path(symbol: str) -> str:
    """Return what `cargo test` calls the test of this symbol: its path inside its crate.

    >>> cargo_test_path("sample::cache::tests::works"), cargo_test_path("area::areas_add_up")
    ('cache::tests::works', 'areas_add_up')
    """
    return symbol.partition("::")[2] or symbol
