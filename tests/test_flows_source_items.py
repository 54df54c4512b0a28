"""What no dump holds, in indexes: which of them get it, and what a switch of origin costs."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from searchable import fake_models, index_sample, workspace_of

from flows.stages.check import check_index
from flows.stages.records import parse_repository
from storage.index import Index
from storage.metadata import Metadata, read_metadata
from storage.points import structure_draft
from storage.query import Condition
from storage.schema import STRUCTURES
from storage.sync import apply, difference

from conftest import SAMPLE, SAMPLE_DUMP
from made_up import COLLECTION, made, publish


def test_an_index_that_was_made_without_it_stays_as_it_is(tmp_path: Path) -> None:
    with fake_models():
        index_sample(tmp_path)
        workspace = workspace_of(tmp_path)
        project = workspace.for_project("sample", "")
        new = workspace.for_project("new", "")
        assert not check_index(project, "file:///sample", rebuild=False).source_items
        assert check_index(project, "file:///sample", rebuild=True).source_items
        assert check_index(new, "file:///sample", rebuild=False).source_items
    kept, rebuilt = (
        parse_repository(project, SAMPLE_DUMP, SAMPLE, project.folder, source_items=given)
        for given in (False, True)
    )
    assert (kept.structures, kept.from_source) == (77, 0)
    assert [note.rpartition("; ")[2] for note in kept.notes] == ["--rebuild adds it"]
    assert (rebuilt.structures, rebuilt.from_source, rebuilt.notes) == (93, 16, [])
    assert rebuilt.definitions == 93 - 16 + sum(rebuilt.skipped.values())
    assert rebuilt.kinds["Impl"] == 14


def test_metadata_of_an_earlier_version_says_so(metadata: Metadata) -> None:
    fields = metadata.to_dict()
    del fields["source_items"]
    assert not read_metadata(fields).source_items


def test_another_origin_is_one_set_payload_and_no_vector(index: Index, metadata: Metadata) -> None:
    before = [made("a"), made("b", lines=(5, 7))]
    points = publish(index, metadata, before).structures
    switched = replace(before[0].structure, origin="source", generated=True, references=3)
    drafts = [structure_draft(one, {}) for one in (switched, before[1].structure)]
    found = difference(points, drafts)
    assert (list(found.moved), found.written, found.unchanged) == ([switched.id], 0, 1)
    (vectors,) = (one.vectors for one in points.retrieve([switched.id]))
    with index.writing(COLLECTION):
        assert apply(points, found, drafts, STRUCTURES) == []
    (now,) = points.retrieve([switched.id])
    assert now.record == switched
    assert {name: list(vector) for name, vector in now.vectors.items()} == {
        name: list(vector) for name, vector in vectors.items()
    }
    only = [Condition("origin", ("source",)), Condition("generated", (True,))]
    assert [row.id for row in points.select(("name",), where=only)] == [switched.id]
    assert not difference(points, drafts)
