"""Damaged dumps: each ends in a clear error or a counted skip.

`make bench NAME=fuzz` makes 10,000 of each indexer's dump.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import orjson
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lsif.errors import LsifError
from lsif.extract import parse_dump
from lsif.jsonl import read_structures
from lsif.other.finder import OutlinedFile
from lsif.reader.graph import Outline

from conftest import DATA, SAMPLE, SAMPLE_DUMP
from marked_source import definitions_in

EXAMPLES = int(os.environ.get("FUZZ_EXAMPLES", "25"))
"""Dumps of each indexer."""

Lines = list[bytes]
Mutation = Callable[[Lines], Lines]


class Dump(NamedTuple):
    lines: Lines
    root: Path


DUMPS = {
    "rust-analyzer": Dump(SAMPLE_DUMP.read_bytes().splitlines(keepends=True), SAMPLE),
    # tags, outlines, folds, copies of files
    "lsif-tsc": Dump(
        [
            orjson.dumps(each) + b"\n"
            for each in orjson.loads((DATA / "typescript.json").read_bytes())
        ],
        DATA / "typescript",
    ),
    **{
        folder.name: Dump((folder / "dump.lsif").read_bytes().splitlines(keepends=True), folder)
        for folder in sorted((DATA / "indexers").iterdir())
    },
}
SOURCES = [b"src/cache.rs", b"/retry.rs", b"src/queue.ts", b"shop/cart.py", b"src/Till.java",
           b"lib/till.js", b"src/index.ts", b"src/till.c", b"till.go"]  # fmt: skip
LANGUAGES = [b'"rust"', b'"typescript"', b'"javascript"', b'"py"', b'"java"', b'"c"', b'"go"']

line_numbers = st.integers(0, max(len(dump.lines) for dump in DUMPS.values()) - 1)


def delete(at: int) -> Mutation:
    return lambda lines: lines[: at % len(lines)] + lines[at % len(lines) + 1 :]


def duplicate(at: int, to: int) -> Mutation:
    return lambda lines: [*lines[:to], lines[at % len(lines)], *lines[to:]]


def flip(at: int, place: int, byte: int) -> Mutation:
    def mutate(lines: Lines) -> Lines:
        line = bytearray(lines[at % len(lines)])
        if line:
            line[place % len(line)] = byte
        return [*lines[: at % len(lines)], bytes(line), *lines[at % len(lines) + 1 :]]

    return mutate


def cut(at: int, place: int) -> Mutation:
    return lambda lines: [*lines[:at], lines[at % len(lines)][:place]] if lines else lines


def renumber(at: int, digits: int, value: int) -> Mutation:
    """Put another number in the place of one that stands in the line."""

    def mutate(lines: Lines) -> Lines:
        line = lines[at % len(lines)]
        places = list(re.finditer(rb"\d+", line))
        if not places:
            return lines
        place = places[digits % len(places)]
        return [
            *lines[: at % len(lines)],
            line[: place.start()] + b"%d" % value + line[place.end() :],
            *lines[at % len(lines) + 1 :],
        ]

    return mutate


def replace(at: int, text: bytes) -> Mutation:
    return lambda lines: [*lines[: at % len(lines)], text, *lines[at % len(lines) + 1 :]]


def rename(old: bytes, new: bytes) -> Mutation:
    return lambda lines: [line.replace(old, new) for line in lines]


mutations = st.one_of(
    st.builds(delete, line_numbers),
    st.builds(duplicate, line_numbers, line_numbers),
    st.builds(flip, line_numbers, st.integers(0, 4000), st.integers(0, 255)),
    st.builds(
        renumber,
        line_numbers,
        st.integers(0, 9),
        st.one_of(st.integers(-5, 7000), st.integers(-(2**70), 2**70)),
    ),
    st.builds(cut, line_numbers, st.integers(0, 300)),
    st.builds(
        replace,
        line_numbers,
        st.sampled_from(
            [b"\n", b"\0\0\n", b"[" * 2000 + b"\n", b"null\n", b"{}\n", b'{"label":1,"type":2}\n']
        ),
    ),
    st.builds(
        rename,
        st.sampled_from([*SOURCES, *LANGUAGES, b"file:///src/sample/src"]),
        st.sampled_from(
            [
                b"../../etc/passwd",
                b"%2e%2e/%2e%2e/x.rs",
                b"C%3A/x.rs",
                b"src",
                b"/etc/passwd",
                b"a%00b",
                *SOURCES,
                *LANGUAGES,
                b'"cpp"',
                b"\xff\xfe",
                b"",
            ]
        ),
    ),
)


@pytest.mark.parametrize("indexer", DUMPS)
@settings(
    max_examples=EXAMPLES,
    deadline=None,
    suppress_health_check=[
        HealthCheck.function_scoped_fixture,
        HealthCheck.too_slow,
        HealthCheck.data_too_large,
    ],
)
@given(changes=st.lists(mutations, min_size=1, max_size=6))
def test_a_damaged_dump_ends_in_an_error_or_a_counted_skip(
    changes: list[Mutation], indexer: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened: list[Path] = []
    read_bytes = Path.read_bytes

    def noted(self: Path) -> bytes:
        opened.append(self)
        return read_bytes(self)

    lines, root = DUMPS[indexer]
    for change in changes:
        lines = change(lines) if lines else lines
    dump, output = tmp_path / "dump.lsif", tmp_path / "structures.jsonl"
    dump.write_bytes(b"".join(lines))
    output.unlink(missing_ok=True)
    with monkeypatch.context() as patch:
        patch.setattr(Path, "read_bytes", noted)
        try:
            ledger = parse_dump(
                dump, root, output, project="sample", max_bad_lines=10, max_stale_share=1.0
            )
        except LsifError as exc:
            assert str(exc)  # noqa: PT017 - an error is one of the two right outcomes
            assert not output.exists()
        else:
            assert ledger.balanced
            structures = list(read_structures(output))
            assert (
                len(structures)
                == len({one.id for one in structures})
                == ledger.structures
                == ledger.snippets_checked
            )
    assert all(path.resolve().is_relative_to(root.resolve()) for path in opened)


SNIPPETS = [
    b"{", b"}", b"(", b")", b'"', b"'", b"`", b"/*", b"*/", b"//", b"#", b"\n", b"\\", b"<", b"@",
    b"#if 0\n", b"#else\n", b"#endif\n", b";", b"\t", b"\0", b"\r", b"\xc3\xa9", b"",
]  # fmt: skip


@pytest.mark.parametrize(
    "path", sorted((DATA / "languages").glob("*.txt")), ids=lambda path: path.stem
)
@settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    changes=st.lists(
        st.tuples(
            st.integers(0, 2**16), st.integers(0, 2**16), st.integers(0, 40),
            st.sampled_from(SNIPPETS),
        ),
        max_size=8,
    )
)  # fmt: skip
def test_each_definition_of_a_damaged_source_is_found_or_counted(
    changes: list[tuple[int, int, int, bytes]], path: Path
) -> None:
    source = path.read_text().replace("«", "").replace("»", "").encode()
    start = changes[0][1] % len(source) if changes else 0
    source = source[start : start + 1500].decode("utf-8", "replace").encode()
    definitions = definitions_in(source, re.compile(rb"[A-Za-z_]\w*"))
    for place, _, length, text in changes:
        at = place % max(len(source), 1)
        source = source[:at] + text + source[at + length :]
    data = source.decode("utf-8", "replace").encode()
    findings = OutlinedFile("p", "a.x", data, Outline(path.stem)).find(definitions, "utf-8")
    assert len(findings.found) + findings.skipped.total() == len(definitions)
    rows = data.count(b"\n") + 1
    for each in findings.found:
        assert 0 <= each.item.row_from <= each.item.row <= each.item.row_to < rows
