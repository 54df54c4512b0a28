from __future__ import annotations

from pathlib import Path

import pytest

from configs.settings import Settings
from embedding.text import textify
from lsif.structure import Structure
from search.engine import MODES, Searcher
from search.errors import SearchError
from storage.embedded import EmbeddedIndex
from storage.schema import Metadata
from storage.upload import publish_source, require_live

from conftest import FakeEncoder, embedded_source


@pytest.fixture
def loaded() -> list[str]:
    """The vectors whose encoder was asked for."""
    return []


@pytest.fixture
def searcher(
    tmp_path: Path, sample_structures: Path, metadata: Metadata, settings: Settings, encoder: FakeEncoder, loaded: list[str]
) -> Searcher:
    index = EmbeddedIndex(tmp_path / "qdrant")
    publish_source(index, "sample", metadata, embedded_source(sample_structures, tmp_path), settings.storage)

    def load(vector: str) -> FakeEncoder:
        loaded.append(vector)
        return encoder

    return Searcher(require_live(index, "sample"), load, settings.search)


def test_one_mode_uses_one_vector_and_loads_one_encoder(searcher: Searcher, structures: list[Structure], loaded: list[str]) -> None:
    wanted = structures[10]
    answer = searcher.search(textify(wanted), "text", limit=3)
    assert len(answer.hits) == 3
    assert answer.hits[0].id == wanted.id
    assert answer.hits[0].score == pytest.approx(1.0, abs=1e-5)
    assert {hit.vector for hit in answer.hits} == {"text"}
    assert searcher.search(wanted.context.snippet, "code", limit=1).hits[0].id == wanted.id
    assert loaded == ["text", "code"]
    searcher.search("again", "merged")
    assert loaded == ["text", "code"]


def test_a_hit_carries_what_is_needed_to_show_it(searcher: Searcher, structures: list[Structure]) -> None:
    wanted = structures[10]
    (hit,) = searcher.search(textify(wanted), "text", limit=1).hits
    assert (hit.name, hit.symbol, hit.code_type, hit.signature) == (wanted.name, wanted.symbol, wanted.code_type, wanted.signature)
    assert (hit.file_path, hit.line, hit.line_from, hit.line_to) == (
        wanted.context.file_path, wanted.line, wanted.line_from, wanted.line_to,
    )  # fmt: skip
    assert (hit.struct_name, hit.trait_name, hit.docstring) == (wanted.context.struct_name, wanted.trait_name, wanted.docstring)
    assert hit.snippet == wanted.context.snippet


def test_merged_asks_for_five_by_text_and_twenty_by_code(searcher: Searcher, structures: list[Structure]) -> None:
    answer = searcher.search(structures[10].context.snippet, "merged", limit=10)
    assert len(answer.hits) == 10
    assert [hit.vector for hit in answer.hits] == ["text"] * 5 + ["code"] * 5
    many = searcher.search("x", "merged", limit=40)
    assert sum(hit.vector == "text" for hit in many.hits) == 20


def test_an_answer_says_what_was_searched(searcher: Searcher) -> None:
    answer = searcher.search("x").to_dict()
    assert (answer["query"], answer["mode"], answer["project"], answer["commit"]) == ("x", "merged", "sample", "0123abc")
    assert set(MODES) == {"text", "code", "merged"}


def test_an_empty_query_and_a_limit_below_one_are_refused(searcher: Searcher) -> None:
    with pytest.raises(SearchError, match="the query is empty"):
        searcher.search("  ")
    with pytest.raises(SearchError, match="expected at least 1"):
        searcher.search("x", limit=0)
