"""Records take their keys from their dataclasses; ids and digests stay what they were."""

from __future__ import annotations

import pickle
import uuid
from dataclasses import dataclass, field, replace

import orjson
import pytest

from lsif.blocks import Block
from lsif.comments import strip_stars, unindent
from lsif.file_records import FileRecords
from lsif.ledger import ParseLedger
from lsif.record import OUTSIDE_DIGEST, JsonLine, digest_of, keys_of, uuid5
from lsif.structure import Context, Structure, make_id, with_digest

CONTEXT = Context(module="src", file_path="src/lib.rs", file_name="lib.rs", snippet="fn f() {}\n")
STRUCTURE = Structure(
    name="f",
    signature="fn f()",
    code_type="Function",
    line=3,
    line_from=2,
    line_to=3,
    context=CONTEXT,
    id="00000000-0000-0000-0000-000000000001",
    symbol="c::f",
    crate="c",
    module_path="c",
)


def test_a_record_is_what_its_plain_fields_say() -> None:
    assert Structure.from_dict(STRUCTURE.to_dict()) == STRUCTURE
    assert STRUCTURE.to_json() == orjson.dumps(STRUCTURE.to_dict()) + b"\n"
    assert list(STRUCTURE.to_dict())[:8] == [
        "name", "signature", "code_type", "docstring", "line", "line_from", "line_to", "context",
    ]  # fmt: skip


def test_absent_keys_have_their_defaults_and_unknown_ones_are_an_error() -> None:
    fields = STRUCTURE.to_dict()
    del fields["docstring"], fields["is_test"], fields["references"]
    assert Structure.from_dict(fields) == STRUCTURE
    with pytest.raises(TypeError, match="unexpected keyword argument 'colour'"):
        Structure.from_dict({**fields, "colour": "red"})
    del fields["symbol"]
    with pytest.raises(TypeError, match="missing 1 required keyword-only argument: 'symbol'"):
        Structure.from_dict(fields)


def test_the_digest_is_that_of_earlier_versions() -> None:
    """blake2b of the JSON of all but position, identity and references, keys in order."""
    assert STRUCTURE.digest == "da710fe7c986dea52a9421c626285a32"
    assert replace(STRUCTURE, line=9, line_from=8, line_to=9, references=4, digest="").digest == (
        STRUCTURE.digest
    )
    assert with_digest({**STRUCTURE.to_dict(), "name": "g"}).digest != STRUCTURE.digest


def test_ids_are_version_5_uuids() -> None:
    namespace = uuid.UUID("6f1c52c8-6b5c-5c0e-9d6e-0f1d3f6d5a10")
    for name in ("", "f", "größe", "x" * 1000):
        assert uuid5(namespace.bytes, name) == str(uuid.uuid5(namespace, name))
    assert make_id("p", "c", "c::f", "src/lib.rs", 0) == "328dcb20-9547-5116-97b5-94b987bec600"


@dataclass(frozen=True, slots=True, kw_only=True)
class Wider(Structure):
    """A structure with a field of a later version, one line more."""

    dialect: str = "2021"
    seen: int = field(default=0, metadata=OUTSIDE_DIGEST)


def test_a_field_is_added_by_one_line() -> None:
    old = STRUCTURE.to_dict()
    wider = Wider.from_dict({**old, "digest": ""})
    assert (wider.dialect, wider.seen) == ("2021", 0)
    assert orjson.loads(wider.to_json())["dialect"] == "2021"
    assert wider.digest != STRUCTURE.digest
    assert replace(wider, seen=5, digest="").digest == wider.digest
    assert [(key.name, key.kind, key.default) for key in keys_of(Wider)][-2:] == [
        ("dialect", str, "2021"),
        ("seen", int, 0),
    ]


def test_a_field_of_two_types_is_refused() -> None:
    @dataclass
    class Odd(JsonLine):
        value: int | str

    Odd.__annotations__["value"] = int | str
    with pytest.raises(TypeError, match="one plain type"):
        keys_of(Odd)


def test_a_block_has_a_digest_without_its_lines() -> None:
    block = Block(
        id="i", structure_id="s", kind="for", code_type="Function", crate="c", module="src",
        struct_name=None, trait_name=None, visibility="pub", is_test=False,
        file_path="src/lib.rs", line_from=1, line_to=3, snippet="for\n",
    )  # fmt: skip
    assert block.digest == digest_of(replace(block, id="j", line_from=5, line_to=7))
    assert replace(block, snippet="loop\n").digest != block.digest
    assert "digest" not in block.to_dict()


def test_records_of_a_file_pass_through_a_pipe_as_lines() -> None:

    made = FileRecords.made([STRUCTURE], [])
    received = pickle.loads(pickle.dumps(made))  # noqa: S301 - made above
    assert received.lines == (STRUCTURE.to_json(), b"")
    assert received.objects == ([STRUCTURE], [])


def test_a_ledger_is_balanced_if_nothing_is_lost() -> None:
    ledger = ParseLedger(definitions=5, structures=2, skipped={"local": 2, "derived": 1})
    assert ledger.balanced
    ledger.skipped["local"] = 1
    assert not ledger.balanced


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (" One.\n * Two.\n *   Three.\n ", " One.\n Two.\n   Three."),
        (" One.\n Two.\n", " One.\n Two."),
        (" One. ", " One. "),
    ],
)
def test_stars_before_lines_of_a_comment_are_no_text(text: str, expected: str) -> None:
    assert strip_stars(text) == expected


def test_lines_lose_their_common_indentation() -> None:
    assert unindent([" One.", "", "   Two."]) == "One.\n\n  Two."
    assert unindent(["", "  "]) == ""
