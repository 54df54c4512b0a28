"""Globs as in .gitignore, from settings and from repositories."""

from __future__ import annotations

import re
import warnings
from typing import TYPE_CHECKING

import pathspec

if TYPE_CHECKING:
    from collections.abc import Iterable


def compile_globs(globs: Iterable[str]) -> pathspec.GitIgnoreSpec:
    """Return what matches paths with the globs. Raises ValueError if one is none."""
    try:
        with warnings.catch_warnings():  # of signs that a later `re` may give a sense
            warnings.simplefilter("ignore", FutureWarning)
            return pathspec.GitIgnoreSpec.from_lines(globs)
    except re.error as exc:
        raise ValueError(f"not a glob as in .gitignore: {exc.msg}") from exc
