"""Text of documentation comments without what only marks it as a comment, in any language."""

from __future__ import annotations


def strip_stars(text: str) -> str:
    """Return a block comment's text without the column of `*` that its lines may begin with.

    A last line of stars is dropped, too.
    """
    lines = text.replace("\r\n", "\n").split("\n")
    if len(lines) > 1 and not lines[-1].strip(" \t*"):
        lines.pop()
    rest = [line for line in lines[1:] if line.strip()]
    if rest and all(line.lstrip().startswith("*") for line in rest):
        lines[1:] = [line.lstrip().removeprefix("*") for line in lines[1:]]
    return "\n".join(lines)


def unindent(fragments: list[str]) -> str:
    """Return the lines without their common indentation and without blank lines at both ends."""
    lines = [
        line.rstrip()
        for fragment in fragments
        for line in fragment.replace("\r\n", "\n").split("\n")
    ]
    indents = [len(line) - len(line.lstrip(" ")) for line in lines if line]
    # The first line of a block comment follows `/**`: its indentation says nothing about the
    # others'.
    if len(indents) > 1 and len(fragments) == 1:
        indents = indents[1:] if lines[0] else indents
        lines[0] = lines[0].lstrip(" ")
        lines[0] = " " * min(indents) + lines[0] if lines[0] else ""
    width = min(indents, default=0)
    return "\n".join(line[width:] for line in lines).strip("\n")
