"""HTML that escapes by itself: a text becomes a text, whatever it holds; only what `tag` made is markup."""

from __future__ import annotations

from html import escape

from flows.control import clean


class Html(str):
    """Markup, ready to be written."""

    __slots__ = ()


def text(value: str) -> Html:
    """Return a text as markup, with what would steer a terminal or turn the direction of the page replaced.

    >>> text("<b>")
    '&lt;b&gt;'
    """
    return value if isinstance(value, Html) else Html(escape(clean(value)))


def joined(*parts: str) -> Html:
    """Return the parts one after the other; those that are no markup are texts."""
    return Html("".join(map(text, parts)))


def tag(name: str, /, *children: str, **attributes: str | float | None) -> Html:
    """Return an element. `_` in an attribute's name stands for `-`, one at its end is dropped; None leaves the attribute out.

    >>> tag("td", "a & b", class_="name")
    '<td class="name">a &amp; b</td>'
    """
    written = "".join(
        f' {key.removesuffix("_").replace("_", "-")}="{text(_number(value))}"'
        for key, value in attributes.items()
        if value is not None
    )
    return Html(f"<{name}{written}>{joined(*children)}</{name}>")


def _number(value: str | float) -> str:
    """Return an attribute's value; of numbers two decimals."""
    return value if isinstance(value, str) else f"{value:.2f}".rstrip("0").rstrip(".")
