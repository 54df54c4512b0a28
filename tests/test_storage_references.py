"""References in an index: synced without vectors, and never to what is gone."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from configs.settings import load_settings
from lsif.structure import Structure
from storage import upload
from storage.index import Index
from storage.live import require_live
from storage.metadata import Metadata
from storage.points import StructureDraft, structure_draft
from storage.query import Condition
from storage.schema import structure_place
from storage.upload import UploadReport, publish_source

from made_up import at, made

NAME = "test-references"
A, B, C = (made(name, file_path=f"src/{name}.rs").structure for name in "abc")


def referring(structure: Structure, *targets: Structure, **fields: Any) -> Structure:
    return replace(structure, refers_to=tuple(target.id for target in targets), **fields)


class Source:
    """Structures whose vectors are counted when they are read."""

    def __init__(self, *structures: Structure) -> None:
        self._structures = structures
        self.read: list[str] = []

    def structures(self) -> Iterator[StructureDraft]:
        for structure in self._structures:
            yield structure_draft(structure, dict.fromkeys(("text", "code"), self._vector))

    def _vector(self) -> NDArray[np.float32]:
        self.read.append("vector")
        return at(30)

    def blocks(self) -> Iterator[Any]:
        return iter(())

    def structure_count(self) -> int:
        return len(self._structures)

    def settle(self) -> None: ...


def publish(index: Index, metadata: Metadata, source: Source) -> UploadReport:
    settings = load_settings().storage.model_copy(
        update={"min_share_of_last": 0.0, "publish": "in_place"}
    )
    return publish_source(index, NAME, metadata, source, settings)


def edges(index: Index) -> dict[str, Sequence[str]]:
    """Return the stored references by the names of the structures."""
    points = require_live(index, NAME).structures
    names = {point.id: point.record.name for point in points.scroll()}
    return {
        point.record.name: [names.get(key, "gone") for key in point.record.refers_to]
        for point in points.scroll()
    }


def test_a_structure_is_found_by_what_it_refers_to(index: Index, metadata: Metadata) -> None:
    uses = ("tokio::task::spawn::spawn",)
    publish(index, metadata, Source(referring(A, B, C), referring(B, uses=uses), C))
    points = require_live(index, NAME).structures
    for field, value, found in (
        ("refers_to", C.id, [A.id]),
        ("uses", uses[0], [B.id]),
        ("implements", C.id, []),
    ):
        where = [Condition(field, (value,))]
        assert [row.id for row in points.select((), where=where)] == found
    (stored,) = points.retrieve([A.id])
    assert stored.record == referring(A, B, C)
    assert points.values("uses") == {uses[0]: 1}


def test_other_references_are_synced_without_vectors(index: Index, metadata: Metadata) -> None:
    publish(index, metadata, Source(referring(A, B), B, C))
    source = Source(referring(A, C), B, C)
    report = publish(index, metadata, source)
    assert (report.moved, report.added, report.changed, report.deleted) == (1, 0, 0, 0)
    assert source.read == []
    assert edges(index) == {"a": ["c"], "b": [], "c": []}
    publish(index, metadata, Source(A, B, C))
    assert edges(index) == {"a": [], "b": [], "c": []}


def test_nobody_refers_to_what_is_gone(index: Index, metadata: Metadata) -> None:
    publish(index, metadata, Source(referring(A, B), referring(B, A, C), C))
    publish(index, metadata, Source(A, referring(C)))
    assert edges(index) == {"a": [], "c": []}


@pytest.mark.parametrize("index", ["embedded"], indirect=True)
@pytest.mark.parametrize("written", [False, True])
def test_a_sync_that_ends_amid_leaves_the_references_as_they_were(
    written: bool, index: Index, metadata: Metadata, monkeypatch: pytest.MonkeyPatch
) -> None:
    publish(index, metadata, Source(referring(A, B), B, C))
    before = edges(index)
    write = upload.write_with_words

    def killed(*arguments: Any, **options: Any) -> None:
        if written:
            write(*arguments, **options)
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(upload, "write_with_words", killed)
        with pytest.raises(KeyboardInterrupt):
            publish(index, metadata, Source(referring(A, C), C))
    assert edges(index) == before
    publish(index, metadata, Source(referring(A, C), C))
    assert edges(index) == {"a": ["c"], "c": []}


def test_the_place_of_a_structure_without_references_is_that_of_earlier_versions() -> None:
    assert structure_place(A) == "1,1,3,False,index,0,0,0"
    assert structure_place(referring(A, B)) != structure_place(A)
    assert structure_place(referring(A, B)) != structure_place(replace(A, implements=(B.id,)))
    assert structure_place(replace(A, tested_by=1)) != structure_place(A)
