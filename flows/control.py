"""Texts of sources and messages, made fit for a terminal."""

from __future__ import annotations

import re

_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")
"""What moves the cursor, changes colours or turns the direction of text: sources must not steer the terminal."""


def clean(text: str) -> str:
    """Return the text with what would steer a terminal replaced."""
    return _CONTROL.sub("\N{REPLACEMENT CHARACTER}", text)
