"""The sample against a truth written by hand from its sources, and damaged inputs."""

from __future__ import annotations

import os
import re
import shutil
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import orjson
import pytest

from lsif.errors import DumpError, SourceError
from lsif.extract import parse_dump
from lsif.jsonl import read_structures
from lsif.ledger import SKIP_REASONS, ParseLedger
from lsif.paths import relative_path
from lsif.rust.module_tree import survey
from lsif.rust.modules import cfg_test_places, is_test_path, module_path_by_file
from lsif.structure import Structure

from conftest import DATA, SAMPLE, SAMPLE_DUMP


def parse(dump: Path, root: Path, output: Path, *, max_stale_share: float = 0.0) -> ParseLedger:
    return parse_dump(
        dump, root, output, project="sample", max_bad_lines=0, max_stale_share=max_stale_share
    )


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A copy of the sample that a test may damage."""
    return Path(shutil.copytree(SAMPLE, tmp_path / "checkout"))


def test_exactly_the_definitions_of_the_hand_made_table_come_out(
    structures: list[Structure],
) -> None:
    expected = set()
    for line in (DATA / "sample-definitions.tsv").read_text().splitlines():
        code_type, name, owner, trait, path, *numbers = line.split("\t")
        expected.add((code_type, name, owner, trait, path, *map(int, numbers)))
    found = {
        (one.code_type, one.name, one.context.struct_name or "-", one.trait_name or "-",
         one.context.file_path, one.line,
         one.line_from, one.line_to)
        for one in structures
    }  # fmt: skip
    assert found == expected
    assert len(structures) == len(expected) == 77


def test_every_snippet_is_the_files_lines(structures: list[Structure]) -> None:
    for one in structures:
        lines = (SAMPLE / one.context.file_path).read_bytes().split(b"\n")
        expected = b"".join(line + b"\n" for line in lines[one.line_from - 1 : one.line_to])
        assert one.context.snippet.encode() == expected
        assert one.name.encode() in lines[one.line - 1] or one.code_type == "Module"


def test_carriage_returns_stay_in_the_snippet(structures: list[Structure]) -> None:
    (severity,) = (one for one in structures if one.name == "Severity")
    assert severity.context.snippet.count("\r\n") == severity.line_to - severity.line_from + 1


def test_the_ledger_accounts_for_every_definition(tmp_path: Path) -> None:
    ledger = parse(SAMPLE_DUMP, SAMPLE, tmp_path / "out")
    assert ledger.definitions == 328
    assert ledger.structures == 77
    assert ledger.balanced
    assert ledger.skipped == {
        "crate_root": 1, "derived": 1, "external": 112, "field_or_variant": 21, "local": 107,
        "macro_made": 2, "self_type": 5,
        "undocumented_module": 2,
    }  # fmt: skip
    assert set(ledger.skipped) <= set(SKIP_REASONS)
    assert sum(ledger.kinds.values()) == ledger.snippets_checked == 77
    assert ledger.crates == {"area": 3, "sample": 74}


def test_ids_are_unique_and_do_not_move_with_the_lines(
    structures: list[Structure], checkout: Path, tmp_path: Path
) -> None:
    assert len({one.id for one in structures}) == len(structures)
    path = checkout / "src/retry.rs"
    path.write_bytes(b"//! New first line.\n" + path.read_bytes())
    dump = tmp_path / "moved.lsif"
    dump.write_bytes(shift(SAMPLE_DUMP, "src/retry.rs", 1))
    parse(dump, checkout, tmp_path / "out")
    now = {one.id: one for one in read_structures(tmp_path / "out")}
    assert set(now) == {one.id for one in structures}
    for one in structures:
        if one.context.file_path == "src/retry.rs" and one.code_type != "Module":
            assert now[one.id].line == one.line + 1
            assert now[one.id].digest == one.digest


def shift(dump: Path, path: str, lines: int) -> bytes:
    """Return the dump with the ranges of one document further down.

    So rust-analyzer would see the file with lines added on top.
    """
    elements: list[dict[str, Any]] = [orjson.loads(line) for line in dump.read_bytes().splitlines()]
    (document,) = (
        one["id"]
        for one in elements
        if one["label"] == "document" and one["uri"].endswith(f"sample/{path}")
    )
    inside = {
        i
        for one in elements
        if one["label"] == "contains" and one["outV"] == document
        for i in one["inVs"]
    }
    inside |= {
        i
        for one in elements
        if one["label"] == "item" and one["document"] == document
        for i in one["inVs"]
    }
    for one in elements:
        if (
            one["label"] == "range"
            and one["id"] in inside
            and one["end"]["line"] == one["start"]["line"]
        ):
            one["start"]["line"] += lines
            one["end"]["line"] += lines
    return b"".join(orjson.dumps(one) + b"\n" for one in elements)


def test_the_same_input_gives_the_same_bytes(
    sample_structures: Path, tmp_path: Path, checkout: Path
) -> None:
    parse(SAMPLE_DUMP, checkout, tmp_path / "again")
    assert (tmp_path / "again").read_bytes() == sample_structures.read_bytes()


def test_records_can_be_read_as_the_tutorial_reads_its_own(sample_structures: Path) -> None:
    import json

    structures = []
    with open(sample_structures) as fp:  # noqa: PTH123 - the tutorial's way
        for row in fp:
            entry = json.loads(row)
            structures.append(entry)
    keys = [
        "name",
        "signature",
        "code_type",
        "docstring",
        "line",
        "line_from",
        "line_to",
        "context",
    ]
    assert all(list(entry)[:8] == keys for entry in structures)
    assert all(
        list(entry["context"]) == ["module", "file_path", "file_name", "struct_name", "snippet"]
        for entry in structures
    )


def by_symbol(structures: list[Structure], symbol: str) -> Structure:
    (found,) = (one for one in structures if one.symbol == symbol)
    return found


def test_two_impls_of_one_trait_have_two_symbols(structures: list[Structure]) -> None:
    pair = by_symbol(structures, "sample::geometry::<Point as From<(f64, f64)>>::from")
    array = by_symbol(structures, "sample::geometry::<Point as From<[f64; 2]>>::from")
    assert pair.id != array.id
    assert (pair.context.struct_name, pair.trait_name, pair.visibility) == (
        "Point",
        "From",
        "inherited",
    )
    assert not pair.docs_inherited


def test_docs_of_the_trait_are_inherited_and_marked(structures: list[Structure]) -> None:
    area = by_symbol(structures, "sample::geometry::shape::<Circle as Shape>::area")
    assert area.docs_inherited
    assert area.docstring == by_symbol(structures, "sample::geometry::shape::Shape::area").docstring
    delays = by_symbol(structures, "sample::retry::<Doubling as Backoff>::Delays")
    assert (delays.docstring, delays.docs_inherited) == (
        None,
        False,
    )  # rust-analyzer shows those of Vec


def test_references_are_counted_over_all_files(structures: list[Structure]) -> None:
    retry = by_symbol(structures, "sample::retry::retry")
    uses = [
        path
        for path in SAMPLE.rglob("*.rs")
        if re.search(r"\bretry\(|\bretry::retry\b|::retry;", path.read_text())
    ]
    assert (retry.references, retry.referencing_files) == (2, 1)
    assert [path.name for path in uses] == ["area.rs"]


def test_references_between_packages_are_counted(checkout: Path, tmp_path: Path) -> None:
    """The sample's tests as a package of their own: they refer to the library's in another one."""
    ledger = parse(SAMPLE_DUMP, checkout, tmp_path / "out")
    assert (ledger.packages, ledger.references_between_packages) == (1, 0)
    (checkout / "tests" / "Cargo.toml").touch()
    ledger = parse(SAMPLE_DUMP, checkout, tmp_path / "out")
    assert ledger.packages == 2
    assert ledger.references_between_packages > 10


def test_macro_made_items_have_the_call_as_snippet(structures: list[Structure]) -> None:
    metres = by_symbol(structures, "sample::macros::Metres")
    assert metres.signature == "struct Metres(pub f64)"
    assert metres.visibility == "pub"
    assert metres.context.snippet.startswith("measure! {\n")


def test_modules_stand_in_their_parents(structures: list[Structure]) -> None:
    shape = by_symbol(structures, "sample::geometry::shape")
    assert (shape.code_type, shape.name, shape.module_path, shape.crate) == (
        "Module",
        "shape",
        "sample::geometry",
        "sample",
    )
    assert by_symbol(structures, "sample::text").module_path == "sample"


def test_tests_are_marked_by_attribute_module_file_and_folder(structures: list[Structure]) -> None:
    tests = {one.symbol for one in structures if one.is_test}
    assert "sample::cache::tests::oldest_entry_is_evicted" in tests  # #[cfg(test)] mod tests { }
    assert "sample::tests::points_survive_line_ends" in tests  # #[cfg(test)] mod tests;
    assert "area::total_area" in tests  # tests/area.rs
    assert "sample::cache::Cache" not in tests


def test_missing_files_are_counted_and_the_rest_comes_out(checkout: Path, tmp_path: Path) -> None:
    (checkout / "src/retry.rs").unlink()
    (checkout / "src/cache.rs").write_bytes(b"\xff\xfe not UTF-8")
    ledger = parse(SAMPLE_DUMP, checkout, tmp_path / "out")
    assert ledger.files_missing == 2
    assert ledger.first_missing == ["src/cache.rs", "src/retry.rs"]
    assert ledger.skipped["file_missing"] == 8
    assert ledger.skipped["file_unreadable"] == 17
    assert ledger.balanced
    assert (
        Counter(one.context.file_path for one in read_structures(tmp_path / "out"))["src/error.rs"]
        > 0
    )


def test_a_root_where_the_sources_are_not_is_refused(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(SourceError, match="none of the dump's 10 files can be read"):
        parse(SAMPLE_DUMP, tmp_path / "empty", tmp_path / "out")
    with pytest.raises(SourceError, match="no folder"):
        parse(SAMPLE_DUMP, tmp_path / "absent", tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_sources_that_changed_since_the_dump_are_refused(checkout: Path, tmp_path: Path) -> None:
    for path in (checkout / "src").rglob("*.rs"):
        path.write_bytes(b"// one more line\n" + path.read_bytes())
    with pytest.raises(
        SourceError,
        match=r"are not where the dump says \(src/cache.rs:\d+: expected `\w+`, found ",
    ):
        parse(SAMPLE_DUMP, checkout, tmp_path / "out", max_stale_share=0.2)
    assert list(tmp_path.iterdir()) == [checkout]


def test_a_few_changed_definitions_are_skipped_and_told(checkout: Path, tmp_path: Path) -> None:
    path = checkout / "src/retry.rs"
    path.write_bytes(path.read_bytes().replace(b"pub fn retry<", b"pub fn retries<"))
    ledger = parse(SAMPLE_DUMP, checkout, tmp_path / "out", max_stale_share=0.2)
    assert ledger.skipped["source_changed"] == 1
    assert ledger.first_stale == ["src/retry.rs:49: expected `retry`, found `retries`"]
    with pytest.raises(SourceError):
        parse(SAMPLE_DUMP, checkout, tmp_path / "out", max_stale_share=0.0)


def test_an_item_of_another_kind_in_a_definitions_place_is_not_taken_for_it(
    checkout: Path, tmp_path: Path
) -> None:
    path = checkout / "src/retry.rs"
    path.write_bytes(path.read_bytes().replace(b"pub fn retry<", b"mod other{}  "))
    ledger = parse(SAMPLE_DUMP, checkout, tmp_path / "out", max_stale_share=0.2)
    assert ledger.skipped["source_changed"] == 1
    assert "sample::retry::retry" not in {one.symbol for one in read_structures(tmp_path / "out")}


def test_a_dump_without_definitions_is_refused(
    write_lines: Callable[..., Path], tmp_path: Path
) -> None:
    dump = write_lines({"id": 0, "type": "vertex", "label": "metaData", "projectRoot": "file:///x"})
    with pytest.raises(DumpError, match="holds no definition"):
        parse(dump, SAMPLE, tmp_path / "out")


def test_a_dump_of_a_model_needs_no_more_than_the_root(tmp_path: Path) -> None:
    dump, root = tmp_path / "dump", SAMPLE.resolve()
    text = SAMPLE_DUMP.read_bytes().replace(b"file:///src/sample", root.as_uri().encode())
    model = f'"projectRoot":"{(tmp_path / "model").as_uri()}"'.encode()
    dump.write_bytes(text.replace(f'"projectRoot":"{root.as_uri()}"'.encode(), model, 1))
    parse(SAMPLE_DUMP, SAMPLE, tmp_path / "expected")
    parse(dump, SAMPLE, tmp_path / "out")
    assert (tmp_path / "out").read_bytes() == (tmp_path / "expected").read_bytes()


def test_a_dump_of_another_repository_is_refused(tmp_path: Path) -> None:
    dump = tmp_path / "dump"
    dump.write_bytes(
        SAMPLE_DUMP.read_bytes().replace(
            b'"projectRoot":"file:///src/sample"', b'"projectRoot":"file:///other"'
        )
    )
    with pytest.raises(DumpError, match="none of them a structure"):
        parse(dump, SAMPLE, tmp_path / "out")


@pytest.mark.parametrize(
    ("uri", "path"),
    [
        ("file:///r/src/lib.rs", "src/lib.rs"),
        ("file:///r/my%20code/%C3%BC.rs", "my code/ü.rs"),
        ("file:///r/../etc/passwd", None),
        ("file:///r/a/%2E%2E/%2E%2E/etc/passwd", None),
        ("file:///rest/src/lib.rs", None),
        ("file:///r", None),
        ("file:///r/a%00b", None),
        ("file:///r//etc/passwd", None),
        ("https://example.org/r/src/lib.rs", None),
        ("/r/src/lib.rs", None),
    ],
)
def test_only_paths_under_the_root_are_taken(uri: str, path: str | None, tmp_path: Path) -> None:
    assert relative_path(uri, "file:///r", tmp_path) == path
    assert relative_path(uri, "file:///r/", tmp_path) == path


@pytest.mark.parametrize(
    ("uri", "root", "path"),
    [
        ("file:///c%3A/code/r/src/lib.rs", "file:///c%3A/code/r", "src/lib.rs"),
        ("file:///c:/code/r/src/lib.rs", "file:///C%3A/code/r", "src/lib.rs"),
        ("file:///C:/code/r/src/lib.rs", "file:///d:/code/r", None),
        ("file://server/share/r/src/lib.rs", "file://server/share/r", "src/lib.rs"),
        ("file:///c%3A/code/r/..%2F..%2Fetc/passwd", "file:///c%3A/code/r", None),
        ("file:///r/a%2525.rs", "file:///r", "a%25.rs"),
    ],
)
def test_uris_of_windows_are_mapped_and_percent_signs_decoded_once(
    uri: str, root: str, path: str | None, tmp_path: Path
) -> None:
    assert relative_path(uri, root, tmp_path) == path


def test_a_symbolic_link_out_of_the_root_is_not_followed(tmp_path: Path) -> None:
    root = tmp_path / "root"
    root.mkdir()
    (tmp_path / "secret.rs").write_text("fn secret() {}")
    (root / "link.rs").symlink_to(tmp_path / "secret.rs")
    assert relative_path("file:///r/link.rs", "file:///r", root.resolve()) is None


def test_what_is_no_regular_file_is_skipped(checkout: Path, tmp_path: Path) -> None:
    (checkout / "src/retry.rs").unlink()
    os.mkfifo(checkout / "src/retry.rs")  # reading it would never end
    (checkout / "src/cache.rs").unlink()
    (checkout / "src/cache.rs").symlink_to("cache.rs")
    (checkout / "src/error.rs").unlink()
    (checkout / "src/error.rs").mkdir()
    ledger = parse(SAMPLE_DUMP, checkout, tmp_path / "out")
    assert ledger.files_missing == 3
    assert ledger.skipped["file_unreadable"] > 20
    assert ledger.balanced


def test_an_unknown_unit_of_columns_is_refused(tmp_path: Path) -> None:
    dump = tmp_path / "dump"
    dump.write_bytes(
        SAMPLE_DUMP.read_bytes().replace(
            b'"positionEncoding":"utf-16"', b'"positionEncoding":"utf-7"'
        )
    )
    with pytest.raises(DumpError, match="positionEncoding 'utf-7'; expected utf-8, utf-16, utf-32"):
        parse(dump, SAMPLE, tmp_path / "out")


@pytest.mark.parametrize(
    ("path", "module"),
    [
        ("src/lib.rs", "crate"),
        ("crates/my-cache/src/lru/mod.rs", "my_cache::lru"),
        ("crates/my-cache/src/main.rs", "my_cache"),
        ("tests/area.rs", "tests::area"),
        ("build.rs", "build"),
    ],
)
def test_a_module_path_can_be_told_from_the_file(path: str, module: str) -> None:
    assert module_path_by_file(path) == module


def test_modules_that_only_tests_compile_are_found_by_their_declaration(tmp_path: Path) -> None:
    (tmp_path / "src/net").mkdir(parents=True)
    (tmp_path / "src/lib.rs").write_text(
        "#[cfg(test)]\nmod helpers;\n#[cfg(not(test))] mod real;\n"
    )
    (tmp_path / "src/net.rs").write_text(
        '#[cfg(all(test, unix))]\npub(crate) mod checks;\n#[cfg(test)]\n#[path = "odd.rs"]\nmod o;'
    )
    declared = survey(tmp_path, ["src/lib.rs", "src/net.rs", "src/absent.rs"]).declared
    found = cfg_test_places(declared)
    assert is_test_path("src/helpers.rs", found)
    assert is_test_path("src/helpers/inner.rs", found)
    assert is_test_path("src/net/checks.rs", found)
    assert is_test_path("src/odd.rs", found)
    assert not is_test_path("src/real.rs", found)
    assert not is_test_path("src/net.rs", found)
    assert is_test_path("crates/a/benches/speed.rs", set())
