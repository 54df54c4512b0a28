"""The page in a real browser (Debian's chromium), served by the real server.

The index is the sample's, with the packaged model.
"""

from __future__ import annotations

import math
import os
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson
import pytest
from playwright.sync_api import Browser, Page, Route, expect, sync_playwright
from searchable import Site, served, workspace_of

from search.service import SearchService

from conftest import SAMPLE

CHROMIUM = (
    shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
)
WAIT = "how do I wait longer after each failed attempt"
FIGURE = "shape that has an area"
SHAPE = "sample::geometry::shape::Shape"


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    if CHROMIUM is None:
        assert "CI" not in os.environ, "CI tests the page: `make browser` installs a chromium"
        pytest.skip("no chromium on PATH; `make browser` installs Debian's")
    with sync_playwright() as playwright:
        launched = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield launched
        launched.close()


@pytest.fixture(scope="module")
def site(indexed_sample: Path) -> Iterator[Site]:
    service = SearchService(workspace_of(indexed_sample), "sample")
    service.warm_up()
    with served(service) as site:
        yield site


@pytest.fixture
def page(browser: Browser, site: Site) -> Iterator[Page]:
    """A page that is not opened yet; errors in its console fail the test."""
    context = browser.new_context(
        viewport={"width": 1280, "height": 900}, base_url=f"http://127.0.0.1:{site.port}"
    )
    page = context.new_page()
    page.set_default_timeout(15_000)
    complaints: list[str] = []
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on(
        "console",
        lambda message: (
            complaints.append(message.text) if "Content Security Policy" in message.text else None
        ),
    )
    yield page
    context.close()
    assert complaints == []


def settle(page: Page) -> None:
    page.wait_for_selector("#main:not([aria-busy])")


def opened(page: Page, address: str) -> Page:
    page.goto(address)
    settle(page)
    return page


def answered(page: Page, path: str, document: dict[str, Any], status: int = 200) -> None:
    """Answer requests for the path with this document."""

    def fulfil(route: Route) -> None:
        route.fulfill(status=status, body=orjson.dumps(document), content_type="application/json")

    page.route(f"**{path}*", fulfil)


def test_a_query_is_asked_shown_and_in_the_address(page: Page, site: Site) -> None:
    opened(page, "/")
    expect(page.locator("#q")).to_be_focused()
    page.fill("#q", WAIT)
    page.keyboard.press("Enter")
    settle(page)
    assert page.url.endswith("?q=how+do+I+wait+longer+after+each+failed+attempt")
    answer = site.json("/api/search", q=WAIT)
    shown = [hit.get_attribute("data-id") for hit in page.locator(".hit").all()]
    assert shown == [hit["id"] for hit in answer["hits"]]
    first = page.locator(".hit").first
    assert "Doubling" in first.inner_text()
    assert "src/retry.rs:15-26" in first.inner_text()
    assert "10 hits" in page.inner_text("#summary")
    assert f"{round(answer['confidence'] * 100)}%" in page.inner_text("#summary")
    assert page.locator("#notice").is_hidden()
    page.reload()
    settle(page)
    assert page.input_value("#q") == WAIT
    assert page.locator(".hit").count() == 10


def test_the_rows_are_the_files_lines_and_matches_are_marked(page: Page, site: Site) -> None:
    opened(page, "/?q=retry&limit=50")
    answer = {hit["id"]: hit for hit in site.json("/api/search", q="retry", limit=50)["hits"]}
    assert any(hit["ranges"] for hit in answer.values())
    for shown in page.locator(".hit").all():
        hit = answer[shown.get_attribute("data-id") or ""]
        lines = (SAMPLE / hit["file_path"]).read_bytes().decode().split("\n")
        rows: list[list[Any]] = shown.evaluate(
            "hit => [...hit.querySelectorAll('.row')]"
            ".map(row => [+row.dataset.line, row.textContent])"
        )
        assert [number for number, _ in rows] == list(range(hit["line_from"], hit["line_to"] + 1))
        assert [text for _, text in rows] == [lines[number - 1] for number, _ in rows]
        marked = shown.evaluate(
            "hit => [...hit.querySelectorAll('.marked')].map(row => +row.dataset.line)"
        )
        ranges = [range(lines["line_from"], lines["line_to"] + 1) for lines in hit["ranges"]]
        assert marked == sorted({line for lines in ranges for line in lines})


def test_modes_groups_and_going_back(page: Page) -> None:
    opened(page, f"/?q={FIGURE}")
    page.select_option("#mode", "merged")
    settle(page)
    assert "mode=merged" in page.url
    page.select_option("#group-by", "kind")
    settle(page)
    assert "group_by=kind" in page.url
    headings = page.locator("#results section.group").all()
    assert len(headings) > 1
    page.go_back()
    settle(page)
    assert page.locator("#results section.group").count() == 0
    page.go_back()
    settle(page)
    assert page.input_value("#mode") == "hybrid"


def test_filters_narrow_the_search(page: Page) -> None:
    opened(page, f"/?q={FIGURE}")
    page.click("#filters > summary")
    assert (
        page.evaluate(
            "[...document.querySelectorAll('#values-kind option')].map(option => option.label)[0]"
        )
        == "Function (44)"
    )
    page.fill("#filter-kind", "Struct")
    page.keyboard.press("Enter")
    settle(page)
    page.fill("#filter-path", "src/geometry")
    page.keyboard.press("Enter")
    settle(page)
    page.select_option("#tests", "exclude")
    settle(page)
    assert all(part in page.url for part in ("kind=Struct", "path=src%2Fgeometry", "tests=exclude"))
    assert set(page.locator(".hit .kind").all_inner_texts()) == {"Struct"}
    assert all("src/geometry" in text for text in page.locator(".hit .place").all_inner_texts())
    assert page.inner_text("#filter-count") == "3"
    page.click("#clear-filters")
    settle(page)
    assert "kind=" not in page.url


def test_origin_and_generated_code_are_filters(page: Page, site: Site) -> None:
    hits = site.json("/api/search", q=FIGURE, origin="source", generated="exclude")["hits"]
    opened(page, f"/?q={FIGURE}")
    page.click("#filters > summary")
    page.fill("#filter-origin", "source")
    page.keyboard.press("Enter")
    settle(page)
    page.select_option("#generated", "exclude")
    settle(page)
    assert "origin=source" in page.url
    assert "generated=exclude" in page.url
    assert page.locator(".hit").count() == len(hits)
    assert page.inner_text("#filter-count") == "2"
    page.click("#tokens button:has-text('generated')")
    settle(page)
    assert page.input_value("#generated") == "include"
    assert "generated=" not in page.url


def test_what_the_references_answer_leads_to_them(page: Page, site: Site) -> None:
    told = site.json("/api/search", q="who calls retry::retry")["from_references"]
    opened(page, "/?q=who calls retry::retry")
    page.click("#summary a:has-text('from the references')")
    settle(page)
    assert all(part in page.url for part in (f"target={told['id']}", "relation=callers"))
    assert page.locator("#relations .related").count() == told["total"]


def test_what_structures_call_is_a_filter(page: Page, site: Site) -> None:
    callers = site.json("/api/references", target="sample::retry::retry", relation="callers")
    opened(page, f"/?q={WAIT}")
    page.click("#filters > summary")
    page.fill("#filter-calls", "sample::retry::retry")
    page.keyboard.press("Enter")
    settle(page)
    shown = {hit.get_attribute("data-id") for hit in page.locator(".hit").all()}
    assert shown == {item["id"] for item in callers["items"]}


def test_it_says_when_there_is_no_good_match(page: Page) -> None:
    opened(page, "/?q=rainbow ponies")
    assert "No good match" in page.inner_text("#notice")
    assert page.locator(".weak .hit").count() == 10
    opened(page, f"/?q={WAIT}")
    assert page.locator("#notice").is_hidden()


def test_the_file_is_shown_with_the_structure_marked(page: Page, site: Site) -> None:
    hit = site.json("/api/search", q=WAIT)["hits"][0]
    opened(page, f"/?q={WAIT}")
    page.locator(".hit a.open").first.click()
    settle(page)
    assert "view=file" in page.url
    lines = (SAMPLE / "src/retry.rs").read_text().removesuffix("\n").split("\n")
    assert (
        page.evaluate(
            "[...document.querySelectorAll('#file-view .row')].map(row => row.textContent)"
        )
        == lines
    )
    marked = page.evaluate(
        "[...document.querySelectorAll('#file-view .marked')].map(row => +row.dataset.line)"
    )
    assert marked == list(range(hit["line_from"], hit["line_to"] + 1))
    box = page.locator("#file-view .marked").first.bounding_box()
    assert box is not None
    assert 0 <= box["y"] < 900
    page.click(".outline a:has-text('retry')")
    page.keyboard.press("Escape")
    settle(page)
    assert page.locator("#results").is_visible()
    assert "view=" not in page.url


def test_similar_code_is_a_step_away(page: Page, site: Site) -> None:
    hit = site.json("/api/search", q=WAIT)["hits"][0]
    opened(page, f"/?q={WAIT}")
    page.locator(".hit a.similar").first.click()
    settle(page)
    assert f"similar={hit['id']}" in page.url
    assert "Similar to" in page.inner_text("#summary")
    assert hit["symbol"] in page.inner_text("#summary")
    shown = [hit.get_attribute("data-id") for hit in page.locator(".hit").all()]
    assert shown == [near["id"] for near in site.json("/api/similar", id=hit["id"])["hits"]]


def test_the_map_shows_all_structures_and_links_to_them(page: Page, site: Site) -> None:
    opened(page, f"/?q={WAIT}")
    page.keyboard.press("m")
    page.wait_for_selector("canvas[data-points='93']")
    settle(page)
    canvas = page.locator("canvas").bounding_box()
    assert canvas is not None
    coloured = page.evaluate(
        """() => {
            const canvas = document.querySelector('canvas');
            const context = canvas.getContext('2d');
            const { data } = context.getImageData(0, 0, canvas.width, canvas.height);
            const seen = new Set();
            for (let i = 0; i < data.length; i += 4) seen.add(data.slice(i, i + 3).join());
            return seen.size;
        }"""
    )
    assert coloured > 20
    page.click("text=The map as a list")
    expect(page.locator(".map-list a")).to_have_count(93)
    page.locator(".map-list a").first.click()
    settle(page)
    assert "view=file" in page.url
    page.go_back()
    page.wait_for_selector("canvas")


def test_a_point_of_the_map_says_what_it_is_and_opens_its_file(page: Page, site: Site) -> None:
    opened(page, "/?view=map")
    page.wait_for_selector("canvas[data-points='93']")
    box = page.locator("canvas").bounding_box()
    assert box is not None
    points = site.json("/api/map")["points"]
    point = max(points, key=lambda candidate: distance_to_nearest(candidate, points))
    half = 0.46 * min(box["width"], box["height"])
    x = box["x"] + box["width"] / 2 + point["x"] * half
    y = box["y"] + box["height"] / 2 + point["y"] * half
    page.mouse.move(x, y)
    expect(page.locator(".tip b")).to_have_text(point["symbol"])
    page.mouse.wheel(0, -300)  # what is under the pointer stays there
    page.mouse.move(x + 1, y)
    expect(page.locator(".tip b")).to_have_text(point["symbol"])
    page.mouse.down()
    page.mouse.move(x + 41, y + 30)
    page.mouse.up()
    assert "view=map" in page.url  # it was moved, not clicked
    page.mouse.click(x + 40, y + 30)
    settle(page)
    assert f"id={point['id']}" in page.url


def distance_to_nearest(point: dict[str, Any], points: list[dict[str, Any]]) -> float:
    return min(
        math.dist((point["x"], point["y"]), (other["x"], other["y"]))
        for other in points
        if other is not point
    )


def test_a_group_of_the_map_can_be_hidden(page: Page) -> None:
    opened(page, "/?view=map")
    page.wait_for_selector("canvas[data-points='93']")
    settle(page)
    before = page.locator("canvas").screenshot()
    page.click(".legend button >> nth=0")
    assert page.get_attribute(".legend button >> nth=0", "aria-pressed") == "false"
    page.wait_for_timeout(100)
    assert page.locator("canvas").screenshot() != before


def test_the_theme_is_chosen_and_remembered(page: Page) -> None:
    opened(page, "/")
    for theme in ("dark", "light"):
        page.click("#theme")
        assert page.inner_text("#theme") == f"Theme: {theme}"
        page.reload()
        settle(page)
        assert page.get_attribute("html", "data-theme") == theme


def test_more_hits_are_added_and_the_focus_is_on_the_first_of_them(page: Page) -> None:
    opened(page, "/?q=the")
    assert page.locator(".hit").count() == 10
    page.click("#more")
    settle(page)
    expect(page.locator(".hit")).to_have_count(20)
    tenth = page.locator(".hit").nth(10).get_attribute("data-id")
    assert page.evaluate("document.activeElement.dataset.id") == tenth


def test_everything_can_be_done_with_the_keyboard(page: Page) -> None:
    opened(page, f"/?q={WAIT}")
    page.keyboard.press("j")
    page.keyboard.press("j")
    second = page.locator(".hit").nth(1).get_attribute("data-id")
    assert page.evaluate("document.activeElement.dataset.id") == second
    page.keyboard.press("o")
    settle(page)
    assert f"id={second}" in page.url
    page.keyboard.press("Escape")
    settle(page)
    assert page.evaluate("document.activeElement.dataset.id") == second
    page.keyboard.press("/")
    expect(page.locator("#q")).to_be_focused()
    page.keyboard.type("j?m")
    assert page.input_value("#q").endswith("j?m")
    page.keyboard.press("Escape")
    page.keyboard.press("?")
    assert page.locator("#keys").is_visible()


def test_a_slow_answer_does_not_overwrite_a_later_one(page: Page) -> None:
    opened(page, "/")
    held: list[Route] = []
    page.route("**/api/search?q=slow*", lambda route: held.append(route))  # noqa: PLW0108 - it must be a Python function
    page.fill("#q", "slow")
    page.keyboard.press("Enter")
    page.wait_for_selector("#progress:not([hidden])")
    page.fill("#q", FIGURE)
    page.keyboard.press("Enter")
    settle(page)
    before = page.inner_text("#results")
    assert before
    for route in held:
        route.abort()
    page.wait_for_timeout(100)
    assert page.inner_text("#results") == before
    assert page.locator("#notice").is_hidden()


def test_errors_are_shown_and_can_be_retried(page: Page) -> None:
    answered(page, "/api/search", {"detail": "there is no index <b>here</b>"}, 503)
    opened(page, f"/?q={WAIT}")
    assert page.get_attribute("#notice", "role") == "alert"
    assert "there is no index <b>here</b>" in page.inner_text("#notice")
    assert page.locator(".hit").count() == 0
    page.unroute("**/api/search*")
    page.click("text=Retry")
    settle(page)
    assert page.locator(".hit").count() == 10
    opened(page, "/?view=file&path=nope.rs")
    assert "no file" in page.inner_text("#notice")


def test_nothing_shown_is_interpreted_as_markup(page: Page, site: Site) -> None:
    evil = "<script>window.pwned = 1</script><img src=x onerror='window.pwned = 1'>"
    answer = site.json("/api/search", q=WAIT, limit=1)
    texts = (
        "name",
        "symbol",
        "signature",
        "docstring",
        "summary",
        "file_path",
        "struct_name",
        "trait_name",
        "code_type",
        "crate",
    )
    answer["hits"][0] |= {
        **dict.fromkeys(texts, evil),
        "snippet": f"{evil}\n",
        "line_from": 1,
        "line_to": 1,
        "ranges": [],
    }
    answer["commit"] = answer["project"] = evil
    answered(page, "/api/search", answer)
    opened(page, f"/?q={WAIT}&kind=%3Cimg src=x onerror=alert(1)%3E")
    page.wait_for_timeout(100)
    assert page.evaluate("window.pwned") is None
    assert page.locator("#main script, #main img").count() == 0
    assert evil in page.locator(".hit").first.inner_text()
    assert page.locator(".hit .row").first.text_content() == evil


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_it_can_be_read_on_a_phone(scheme: Any, browser: Browser, site: Site) -> None:
    context = browser.new_context(
        viewport={"width": 390, "height": 844}, color_scheme=scheme, is_mobile=True, has_touch=True
    )
    page = context.new_page()
    for address in (
        f"?q={WAIT}",
        "?view=file&path=src/retry.rs",
        f"?view=graph&target={SHAPE}",
        "?view=map",
        "?q=rainbow",
    ):
        opened(page, f"http://127.0.0.1:{site.port}/{address}")
        width, height = page.evaluate(
            "[document.documentElement.scrollWidth, document.documentElement.scrollHeight]"
        )
        assert width <= 390, address
        assert height > 300
        background = page.evaluate("getComputedStyle(document.body).backgroundColor")
        brightness = sum(map(int, re.findall(r"\d+", background)[:3]))
        assert brightness < 200 if scheme == "dark" else brightness > 600
    context.close()


def test_no_request_leaves_the_server(page: Page, site: Site) -> None:
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    for address in (
        "/",
        f"/?q={WAIT}",
        "/?view=map",
        f"/?view=graph&target={SHAPE}",
        "/?view=file&path=src/retry.rs",
    ):
        opened(page, address)
    page.wait_for_selector("#file-view .row")
    assert all(url.startswith((f"http://127.0.0.1:{site.port}/", "data:")) for url in asked)


def counts_of(hit: dict[str, Any]) -> list[str]:
    uses, tests = hit["references"], hit["tested_by"]
    used = f"Used in {uses} place{'' if uses == 1 else 's'}"
    tested = f"Tested by {tests} test{'' if tests == 1 else 's'}"
    return [text for count, text in ((uses, used), (tests, tested)) if count]


def test_counts_lead_to_the_places_and_back(page: Page, site: Site) -> None:
    opened(page, f"/?q={WAIT}")
    shown = page.locator(".hit").evaluate_all(
        "hits => hits.map(hit => [...hit.querySelectorAll('.uses a')].map(link => link.innerText))"
    )
    assert shown == [counts_of(hit) for hit in site.json("/api/search", q=WAIT)["hits"]]
    hit = page.locator(".hit", has_text="Doubling").first
    key = hit.get_attribute("data-id") or ""
    known = site.json("/api/references", target=key)
    link = hit.locator(".uses a").first
    assert link.inner_text() == f"Used in {known['target']['references']} places"
    link.click()
    settle(page)
    assert all(part in page.url for part in ("view=graph", f"target={key}", "relation=references"))
    rows = page.locator("#relations .place-row").all()
    assert [row.locator("a").inner_text() for row in rows] == [
        str(place["line"]) for place in known["items"]
    ]
    for row, place in zip(rows, known["items"], strict=True):
        assert row.locator("code").inner_text().strip() == place["text"].strip()
        begin = place["column"] - 1
        assert row.locator("mark").inner_text() == place["text"][begin : begin + place["length"]]
    first = known["items"][0]
    rows[0].locator("a").click()
    settle(page)
    marked = page.locator("#file-view .marked")
    assert marked.evaluate_all("rows => rows.map(row => +row.dataset.line)") == [first["line"]]
    assert page.locator("#file-view a.graph").is_visible() == (first["structure"] is not None)
    for view in ("#graph-view", "#results-view"):
        page.keyboard.press("Escape")
        settle(page)
        assert page.locator(view).is_visible()
    assert page.evaluate("document.activeElement.dataset.id") == key


def test_relations_are_tabs_and_the_neighbourhood_is_drawn(page: Page, site: Site) -> None:
    target = f"{SHAPE}::area"
    callers = site.json("/api/references", target=target, relation="callers")
    callees = site.json("/api/references", target=target, relation="callees")
    opened(page, f"/?view=graph&target={target}")
    expect(page.locator("#graph-view h2")).to_be_focused()
    sides = page.locator(".neighbourhood ul").all()
    for side, answer in zip(sides, (callers, callees), strict=True):
        shown = side.locator(".node b").all_inner_texts()
        assert shown == [item["name"] for item in answer["items"]]
    assert page.locator(".arrows path").count() == callers["total"] + callees["total"]
    page.focus(".tabs a:has-text('Callers')")
    page.keyboard.press("Enter")
    settle(page)
    assert "relation=callers" in page.url
    expect(page.locator(".tabs a[aria-current=page]")).to_be_focused()
    assert page.locator(".related").count() == callers["total"]
    page.locator(".neighbourhood .node").first.click()
    settle(page)
    assert page.inner_text("#graph-view h2") == callers["items"][0]["symbol"]
    page.go_back()
    settle(page)
    assert page.inner_text("#graph-view h2") == target


def test_one_step_deeper_is_shown_beneath_and_in_the_address(page: Page, site: Site) -> None:
    callers = site.json("/api/references", target=SHAPE, relation="callers")["items"]
    near = next(item for item in callers if item["name"] == "describe")
    far = site.json("/api/references", target=near["id"], relation="callers")["items"]
    opened(page, f"/?view=graph&target={SHAPE}&relation=callers")
    item = page.locator(f"#relations .related[data-key='{near['id']}']").first
    item.focus()
    page.keyboard.press("d")
    settle(page)
    assert f"open={near['id']}" in page.url
    assert item.locator("button.deeper").first.get_attribute("aria-expanded") == "true"
    assert item.locator(".beneath .related").count() == len(far) > 0
    page.reload()
    settle(page)
    assert item.locator(".beneath .related").count() == len(far)
    page.keyboard.press("j")
    page.go_back()
    settle(page)
    assert item.locator(".beneath").count() == 0


def test_a_long_list_has_pages_and_the_drawing_says_what_it_leaves_out(
    page: Page, site: Site
) -> None:
    target = site.json("/api/references", target=SHAPE)["target"]
    answer = site.json("/api/references", target=SHAPE, relation="callers", limit=1)
    for relation in ("callers", "callees"):
        answered(
            page,
            f"/api/references*&relation={relation}",
            answer | {"relation": relation, "total": 120, "limit": 50},
        )
    opened(page, f"/?view=graph&target={target['id']}&relation=callers")
    assert page.locator(".node.more").all_inner_texts() == ["… 119 more"] * 2
    page.click("text=Next →")
    settle(page)
    assert "offset=50" in page.url


def test_functions_that_call_each_other_are_not_shown_in_every_order(
    page: Page, site: Site
) -> None:
    answer = site.json("/api/references", target=SHAPE, relation="callers")
    ids = [f"{number:08}-0000-0000-0000-000000000000" for number in range(5)]
    items = [{**answer["items"][0], "id": key} for key in ids]
    answered(page, "/api/references", {**answer, "items": items, "total": 5})
    addresses = "".join(f"&open={key}" for key in ids)
    opened(page, f"/?view=graph&target={SHAPE}&relation=callers{addresses}")
    expect(page.locator("#relations .beneath")).to_have_count(100)


def test_the_graph_says_when_there_is_nothing_or_no_references(page: Page, site: Site) -> None:
    opened(page, f"/?view=graph&target={SHAPE}::area&relation=callees")
    assert page.inner_text("#relations .empty").startswith("It calls nothing")
    opened(page, f"/?view=graph&target={SHAPE}&relation=callers&offset=1000")
    assert page.inner_text("#relations .empty") == "None after the first 1000."
    assert page.inner_text("#relations .pages") == "← Previous"
    page.click("#relations .pages a")
    settle(page)
    assert "offset=0" in page.url
    assert page.locator("#relations .related").count() > 0
    answered(page, "/api/references", {"detail": "made without; --rebuild adds it."}, 409)
    opened(page, f"/?view=graph&target={SHAPE}")
    assert "--rebuild" in page.inner_text("#notice")
    assert page.locator("#notice button").count() == 0
    page.unroute("**/api/references*")
    opened(page, "/?view=graph&target=nothing_is_called_so")
    assert page.get_attribute("#notice", "role") == "alert"


def test_an_ambiguous_name_in_the_address_shows_what_it_may_mean(page: Page) -> None:
    opened(page, "/?view=graph&target=area&relation=callers")
    assert page.inner_text("#notice").startswith("Several have this name.")
    links = page.locator("#candidates a")
    assert links.all_inner_texts()[0] == f"{SHAPE}::area"
    assert page.locator("#candidates .place").first.inner_text() == "src/geometry/shape.rs:60"
    links.first.click()
    settle(page)
    assert page.inner_text("#graph-view h2") == f"{SHAPE}::area"
    assert "relation=callers" in page.url
    page.go_back()
    expect(page.locator("#candidates a")).to_have_count(3)


def test_names_in_the_graph_are_never_markup(page: Page, site: Site) -> None:
    evil = "<img src=x onerror='window.pwned = 1'>"
    for relation in ("references", "callers", "callees"):
        answer = site.json("/api/references", target=SHAPE, relation=relation)
        for item in [answer["target"], *answer["items"]]:
            item |= {name: evil for name in item if isinstance(item[name], str)}
        answer["relation"] = relation
        answered(page, f"/api/references*&relation={relation}", answer)
    opened(page, "/?view=graph&target=evil&relation=callers")
    opened(page, "/?view=graph&target=evil&relation=references")
    page.wait_for_timeout(100)
    assert page.evaluate("window.pwned") is None
    assert page.locator("#main img").count() == 0
    assert evil in page.inner_text("#graph-view")
