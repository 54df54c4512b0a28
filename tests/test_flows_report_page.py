"""The page of a run is well-formed and complete, and escapes every name."""

from __future__ import annotations

import base64
import hashlib
import re
from dataclasses import replace
from html.parser import HTMLParser

import pytest

from flows.report.model import Run, StageTime
from flows.report.page import report_page
from storage.sync import Change

from conftest import PROJECT_ROOT
from reports import HOSTILE, hostile_report, made_report

_VOID = {"meta"}


class Page(HTMLParser):
    """Reads a page; fails if an element is closed that is not open, or left open."""

    def __init__(self, page: bytes) -> None:
        super().__init__(convert_charrefs=True)
        self.open: list[str] = []
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.texts: list[str] = []
        self.rows: list[list[str]] = []
        self.feed(page.decode())
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag not in _VOID:
            self.open.append(tag)
        if tag == "tr":
            self.rows.append([])
        if tag in ("td", "th"):
            self.rows[-1].append("")

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if "style" in self.open:
            return
        self.texts.append(data)
        if ("td" in self.open or "th" in self.open) and "svg" not in self.open:
            self.rows[-1][-1] += data


def runs(*reports: object) -> list[Run]:
    return [
        Run(f"2026110{number}T031500Z", report) for number, report in enumerate(reports, start=1)
    ]  # type: ignore[arg-type]


def test_the_page_holds_every_figure_of_the_run() -> None:
    page = Page(report_page(runs(made_report()), links=True))
    for row in (
        ["definitions → structures", "200", "77", "123"],
        [
            "externaldefined outside the root: the standard library, dependencies, build output",
            "23",
        ],
        [
            "structures → vectors text7 embedded, 60 from the checkpoint, 10 duplicates",
            "77",
            "77",
            "0",
        ],
        ["blocks → points", "8", "8", "0"],
        ["Function", "", "50", "65%"],
        ["alpha", "", "60", "78%"],
        ["embed text", "", "0.40", "2.00", "1.50", "4"],
        ["text", "", "77", "7", "60", "10", "91%", "1", ""],
        ["code", "", "77", "0", "77", "0", "100%", "0", ""],
        ["changedanother text, documentation or signature", "", "1"],
        [
            "2026-11-25 03:15:00 UTC",
            "0123456789ab+",
            "synced",
            "77",
            "15",
            "2",
            "1",
            "3",
            "0",
            "3.2",
        ],
    ):
        assert row in page.rows
    text = "".join(page.texts)
    for expected in (
        "Index of sample",
        "0123456789abcdef with uncommitted changes",
        "Function sample::new (src/new.rs:1)",
        "Function sample::old (src/old.rs:5): changed, used in 1,214 places, reached by 12 tests",
        "Struct sample::New (src/new.rs:9): added, used in 1 place",
        "3 moved (the first 1 by name)",
        "0292583e-db09-487e-a511-34e27c064470",
        "The only run so far.",
    ):
        assert expected in text
    assert "0 deleted" not in [name for name, attributes in page.elements if name == "summary"]


def test_the_stages_are_drawn_where_they_were_at_work() -> None:
    page = Page(report_page(runs(made_report()), links=True))
    drawn = [attributes for name, attributes in page.elements if name == "rect"]
    assert {"x": "12.5", "width": "62.5", "fill-opacity": "0.4"}.items() <= drawn_at(
        drawn, "12.5", "0.4"
    ).items()
    assert drawn_at(drawn, "12.5", None)["width"] == "46.88"  # 1.5 of 3.2 s


def test_a_stage_that_had_nothing_to_do_has_no_row() -> None:
    stages = [*made_report().stages, StageTime("embed blocks", 0.0, 0.0, 0.0, 0)]
    assert b"embed blocks" not in report_page(runs(made_report(stages=stages)), links=True)


def drawn_at(
    rects: list[dict[str, str | None]], x: str, opacity: str | None
) -> dict[str, str | None]:
    (drawn,) = (rect for rect in rects if rect["x"] == x and rect.get("fill-opacity") == opacity)
    return drawn


def test_no_name_becomes_markup() -> None:
    page = report_page(runs(hostile_report(), hostile_report()), links=True)
    found = Page(page)
    assert {element for element, _ in found.elements} & {"script", "img", "iframe", "link"} == set()
    assert not any(
        name.startswith("on") or name in ("src", "style")
        for _, attributes in found.elements
        for name in attributes
    )
    assert HOSTILE not in page.decode()
    assert "\u202e" not in page.decode()
    assert "\x1b" not in page.decode()
    shown = HOSTILE.replace("\u202e", "\ufffd").replace("\x1b", "\ufffd")
    assert "".join(found.texts).count(shown) > 15  # as text, to be read


def test_the_page_needs_nothing_from_elsewhere_and_forbids_it() -> None:
    page = report_page(runs(made_report(), made_report()), links=True).decode()
    style = page.partition("<style>")[2].partition("</style>")[0]
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    assert f"default-src 'none'; style-src 'sha256-{digest}'" in page
    assert re.findall(r"(?:https?:|//|url\(|@import)", page) == []
    assert [
        attributes["href"] for name, attributes in Page(page.encode()).elements if name == "a"
    ] == ["runs/20261101T031500Z.html"]


def test_a_page_of_the_history_leads_to_the_newest_one() -> None:
    page = Page(report_page(runs(made_report(), made_report()), links=False))
    assert [attributes["href"] for name, attributes in page.elements if name == "a"] == [
        "../report.html"
    ]


def test_every_picture_has_a_title_and_every_table_a_name() -> None:
    page = Page(report_page(runs(made_report()), links=True))
    pictures = [attributes for name, attributes in page.elements if name == "svg"]
    assert len(pictures) > 15
    assert all(svg.get("aria-label") or svg.get("aria-hidden") == "true" for svg in pictures)
    assert all(
        attributes.get("aria-label") for name, attributes in page.elements if name == "table"
    )
    assert sum(name == "h1" for name, _ in page.elements) == 1


def test_a_first_run_says_that_all_is_new_and_names_nothing() -> None:
    report = made_report()
    text = "".join(
        Page(
            report_page(
                runs(replace(report, upload=replace(report.upload, changes={}))), links=True
            )
        ).texts
    )
    assert "There was no comparable live index before this run: everything is new." in text


def test_an_empty_run_has_a_page_too() -> None:
    report = made_report(
        stages=[], seconds={"total": 0.0}, embeddings=[], commit=None, branch="", run_id=""
    )
    parse = replace(
        report.parse, structures=0, kinds={}, crates={}, skipped={}, definitions=0, blocks=0
    )
    upload = replace(report.upload, points=0, blocks=0, changes={"added": Change(0)})
    text = "".join(
        Page(report_page(runs(replace(report, parse=parse, upload=upload)), links=False)).texts
    )
    assert "no git repository" in text


def test_many_names_are_folded_and_few_are_shown() -> None:
    report = made_report()
    changes = {
        "added": Change(300, [f"Function f{number}" for number in range(200)]),
        "deleted": Change(1, ["Struct S"]),
    }
    page = Page(
        report_page(
            runs(replace(report, upload=replace(report.upload, changes=changes))), links=True
        )
    )
    assert ["open" in attributes for name, attributes in page.elements if name == "details"] == [
        False,
        True,
    ]
    assert "300 added (the first 200 by name)" in page.texts


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_colours_have_enough_contrast(scheme: str) -> None:
    style = (PROJECT_ROOT / "flows/report/page.css").read_text()
    light, dark = (
        dict(re.findall(r"--([a-z0-9-]+): (#[0-9a-f]{6})", block))
        for block in re.findall(r":root \{(.*?)\}", style, re.S)
    )
    colours = light if scheme == "light" else dark
    for ink, back, least in (
        *((ink, back, 4.5) for ink in ("ink", "muted", "accent") for back in ("back", "surface")),
        ("ink", "warn-back", 4.5),
        *((shape, back, 3.0) for shape in ("s1", "s2", "s3") for back in ("surface", "track")),
    ):
        assert contrast(colours[ink], colours[back]) >= least, (ink, back)


def contrast(one: str, other: str) -> float:
    """Return WCAG's contrast ratio of two colours, 1 to 21: https://www.w3.org/TR/WCAG21/#dfn-contrast-ratio"""

    def luminance(colour: str) -> float:
        parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
        red, green, blue = (
            part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts
        )
        return 0.2126 * red + 0.7152 * green + 0.0722 * blue

    darker, lighter = sorted((luminance(one), luminance(other)))
    return (lighter + 0.05) / (darker + 0.05)
