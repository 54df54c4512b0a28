"""Damaged indexes of SCIP: each ends in a clear error or a counted skip.

`make bench NAME=fuzz` makes 10,000 of each indexer's index.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lsif.errors import LsifError
from lsif.extract import parse_dump
from lsif.jsonl import read_structures
from lsif.reader.streams import open_dump

from conftest import DATA, SAMPLE
from made_index import MESSAGES, read_text

EXAMPLES = int(os.environ.get("FUZZ_EXAMPLES", "15"))
"""Indexes of each indexer."""

Message = Any
Mutation = Callable[[Message], None]
Damage = Callable[[bytes], bytes]


class Indexed(NamedTuple):
    data: bytes
    root: Path


def unpacked(path: Path) -> bytes:
    with open_dump(path) as file:
        return file.read()


INDEXES = {
    "rust-analyzer": Indexed(unpacked(DATA / "sample-0.0.340.scip.zst"), SAMPLE),
    **{
        folder.name: Indexed(read_text(folder / "index.txtpb"), folder)
        for folder in sorted((DATA / "scip").iterdir())
    },
}
NUMBERS = st.integers(-(2**31), 2**31 - 1) | st.integers(-3, 300)
TEXTS = st.sampled_from([
    b"", b"local 0", b"\xff\xfe", b"../../etc/passwd", b"/etc/passwd", b"a\0b", b"x#" * 40_000,
    b"rust-analyzer cargo sample 0.1.0 geometry/impl#[Point]", b"a b c d `", b" " * 100,
    b"rust-analyzer cargo sample 0.1.0 geometry/Point#", b"src/lib.rs", b"```\n", b"python",
])  # fmt: skip


def a_message(root: Message, at: list[int]) -> Message:
    """The message that a way through repeated fields leads to."""
    for step in at:
        inner = [
            each
            for field, value in root.ListFields()
            if field.message_type is not None
            for each in (value if field.is_repeated else [value])
        ]
        if not inner:
            break
        root = inner[step % len(inner)]
    return root


def set_field(at: list[int], which: int, number: int, text: bytes) -> Mutation:
    def mutate(root: Message) -> None:
        message = a_message(root, at)
        fields = message.DESCRIPTOR.fields
        field = fields[which % len(fields)]
        if field.message_type is not None:
            return
        value: Any = {"bool": bool(number % 2), "bytes": text}.get(
            {8: "bool", 12: "bytes"}.get(field.type, ""), number
        )
        if field.is_repeated:
            repeated = getattr(message, field.name)
            repeated[which % (len(repeated) + 1) :] = [value]
        else:
            setattr(message, field.name, value)

    return mutate


def repeat(at: list[int], times: int) -> Mutation:
    def mutate(root: Message) -> None:
        message = a_message(root, at)
        for field, value in message.ListFields():
            if field.message_type is not None and field.is_repeated:
                value.extend([value[0]] * times)

    return mutate


def drop(at: list[int], which: int) -> Mutation:
    def mutate(root: Message) -> None:
        message = a_message(root, at)
        fields = message.ListFields()
        if fields:
            message.ClearField(fields[which % len(fields)][0].name)

    return mutate


def flip(at: int, byte: int) -> Damage:
    def damage(data: bytes) -> bytes:
        changed = bytearray(data)
        if changed:
            changed[at % len(changed)] = byte
        return bytes(changed)

    return damage


def cut(at: int) -> Damage:
    return lambda data: data[: at % (len(data) + 1)]


def insert(at: int, text: bytes) -> Damage:
    return lambda data: data[: at % (len(data) + 1)] + text + data[at % (len(data) + 1) :]


WAYS = st.lists(st.integers(0, 400), max_size=3)
mutations = st.one_of(
    st.builds(set_field, WAYS, st.integers(0, 12), NUMBERS, TEXTS),
    st.builds(repeat, WAYS, st.integers(1, 30)),
    st.builds(drop, WAYS, st.integers(0, 9)),
)
PLACES = st.integers(0, 130_000)
damages = st.one_of(
    st.builds(flip, PLACES, st.integers(0, 255)),
    st.builds(cut, PLACES),
    st.builds(
        insert,
        PLACES,
        st.sampled_from(
            [b"\x12" + b"\xff" * 9 + b"\x01", b"\x12\x02\x08\x01", b"\x0f", b"\n", b"{"]
        ),
    ),
)


@pytest.mark.parametrize("indexer", INDEXES)
@settings(
    max_examples=EXAMPLES,
    deadline=None,
    suppress_health_check=[
        HealthCheck.function_scoped_fixture,
        HealthCheck.too_slow,
        HealthCheck.data_too_large,
    ],
)
@given(changes=st.lists(mutations, max_size=6), damage=st.lists(damages, max_size=2))
def test_a_damaged_index_ends_in_an_error_or_a_counted_skip(
    changes: list[Mutation],
    damage: list[Damage],
    indexer: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    opened: list[Path] = []
    read_bytes = Path.read_bytes

    def noted(self: Path) -> bytes:
        opened.append(self)
        return read_bytes(self)

    data, root = INDEXES[indexer]
    if changes:
        message = MESSAGES["Index"].FromString(data)
        for change in changes:
            change(message)
        data = message.SerializeToString()
    for each in damage:
        data = each(data)
    dump, output = tmp_path / "index.scip", tmp_path / "structures.jsonl"
    dump.write_bytes(data)
    output.unlink(missing_ok=True)
    with monkeypatch.context() as patch:
        patch.setattr(Path, "read_bytes", noted)
        try:
            ledger = parse_dump(
                dump, root, output, project="sample", max_bad_lines=10, max_stale_share=1.0,
                places=lambda _: tmp_path / "places.parquet",
            )  # fmt: skip
        except LsifError as exc:
            assert str(exc)  # noqa: PT017 - an error is one of the two right outcomes
            assert not output.exists()
        else:
            assert ledger.balanced
            structures = list(read_structures(output))
            assert (
                len({structure.id for structure in structures})
                == len(structures)
                == ledger.structures
            )
    assert all(path.resolve().is_relative_to(root.resolve()) for path in opened)
