"""Answers of an engine that are not what one would expect, and what is made of them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from servers import SAMPLE_METADATA, server_index
from versions import MadeUp

from configs.settings import load_settings
from storage.embedded.index import EmbeddedIndex
from storage.index import Generation
from storage.query import Condition, Nearest
from storage.server.connection import connect

from qdrant_double import QdrantDouble

METADATA = replace(SAMPLE_METADATA, project="test-answers")
TESTS, NO_TESTS = Condition("is_test", (False,)), Condition("is_test", (False,), negated=True)
IN_A = Condition("paths", ("src/1.rs",))
NOT_IN_A_OR_B = Condition("paths", ("src/1.rs", "src/2.rs"), negated=True)
EXCLUDED = ((TESTS, NO_TESTS), (IN_A, NOT_IN_A_OR_B), (IN_A, NO_TESTS, TESTS))


@pytest.fixture(params=["embedded", "server"])
def generation(
    request: pytest.FixtureRequest, tmp_path: Path, double: QdrantDouble
) -> Iterator[Generation]:
    opened = (
        EmbeddedIndex(tmp_path)
        if request.param == "embedded"
        else server_index(connect(double.url, None, load_settings().storage), double.url)
    )
    made = opened.create("test-answers", METADATA)
    made.structures.upsert(draft.point() for draft in MadeUp(18).structures())
    made.finish()
    yield made
    opened.close()


def test_a_filter_that_excludes_itself_finds_nothing(generation: Generation) -> None:
    vector = np.ones(8, dtype=np.float32)
    for where in EXCLUDED:
        assert list(generation.structures.select((), where=where)) == []
        assert list(generation.structures.scroll(where=where)) == []
    queries = [Nearest("text", vector, 3, where) for where in ((IN_A,), *EXCLUDED, (TESTS,))]
    found = generation.structures.search(*queries)
    assert [len(hits) for hits in found] == [2, 0, 0, 0, 3]


@pytest.mark.parametrize("generation", ["server"], indirect=True)
def test_a_filter_that_excludes_itself_is_not_asked(
    generation: Generation, double: QdrantDouble
) -> None:
    double.requests.clear()
    vector = np.ones(8, dtype=np.float32)
    assert generation.structures.search(Nearest("text", vector, 3, EXCLUDED[0])) == [[]]
    assert double.requests == []


def test_values_without_points_are_not_shown(generation: Generation) -> None:
    ids = [row.id for row in generation.structures.select((), where=(IN_A,))]
    generation.structures.delete(ids)
    assert "src/1.rs" not in generation.structures.values("paths")
    assert generation.structures.values("paths")["src/2.rs"] == 2
