"""What a command prints on standard output: a text, or one JSON document."""

from __future__ import annotations

import sys
from typing import Any

import orjson


def print_result(document: Any, text: str, *, as_json: bool) -> None:
    """Print the document with --json, else the text."""
    if as_json:
        print_json(document)
    else:
        sys.stdout.write(f"{text}\n")


def print_json(document: Any) -> None:
    """Print one JSON document."""
    sys.stdout.buffer.write(
        orjson.dumps(document, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE)
    )
    sys.stdout.buffer.flush()
