"""A run that would empty a good index fails before it touches it, on both ends."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from configs.settings import load_settings
from lsif.coverage import Coverage, coverage_of
from lsif.jsonl import write_records
from lsif.ledger import FolderLedger, ParseLedger
from lsif.structure import Structure
from storage.errors import IndexShrinks
from storage.index import Index
from storage.live import require_live
from storage.metadata import Metadata
from storage.shrinkage import why_too_few
from storage.upload import UploadReport, publish_source

from conftest import embedded_source

COLLECTION = "test-shrinkage"


@pytest.fixture
def publish(index: Index, metadata: Metadata, tmp_path: Path) -> Callable[..., UploadReport]:
    """Publish these structures; options are settings, a rebuild, or changes of the metadata."""

    def run(
        structures: list[Structure],
        *,
        rebuild: bool = False,
        source: str = metadata.source,
        coverage: Coverage | None = None,
        **settings: object,
    ) -> UploadReport:
        path = tmp_path / "structures.jsonl"
        write_records(path, structures)
        return publish_source(
            index,
            COLLECTION,
            replace(metadata, source=source, coverage=coverage),
            embedded_source(path, tmp_path / "checkpoint"),
            load_settings().storage.model_copy(update=settings),
            rebuild=rebuild,
        )

    return run


@pytest.mark.parametrize("rebuild", [False, True])
@pytest.mark.parametrize("way", ["auto", "swap", "in_place"])
def test_a_run_with_less_than_half_of_the_structures_changes_nothing(
    index: Index,
    structures: list[Structure],
    publish: Callable[..., UploadReport],
    way: str,
    rebuild: bool,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    first = publish(structures[:10])
    for writes in ("create", "copy", "publish", "drop"):
        monkeypatch.setattr(index, writes, None)
    with pytest.raises(IndexShrinks) as failure:
        publish(structures[:4], rebuild=rebuild, publish=way)
    assert str(failure.value).startswith(
        "this run has 4 structures, which is less than 50% (storage.min_share_of_last) of the 10 "
        "in the published index; that one stays as it is."
    )
    assert str(failure.value).endswith("allow it: --set storage.min_share_of_last=0")
    live = require_live(index, COLLECTION)
    assert (live.name, live.metadata.commit) == (first.generation, "0123abc")
    stored = {row.id for row in live.structures.select(["digest"])}
    assert stored == {structure.id for structure in structures[:10]}


def test_half_of_the_structures_are_enough(
    structures: list[Structure], publish: Callable[..., UploadReport]
) -> None:
    publish(structures[:10])
    assert publish(structures[:5]).points == 5


def test_a_first_run_may_have_any_number(
    structures: list[Structure], publish: Callable[..., UploadReport]
) -> None:
    assert publish(structures[:1]).points == 1


@pytest.mark.parametrize("rebuild", [False, True])
def test_the_setting_allows_any_number(
    structures: list[Structure], publish: Callable[..., UploadReport], rebuild: bool
) -> None:
    publish(structures[:10])
    assert publish(structures[:1], rebuild=rebuild, min_share_of_last=0).points == 1


def test_the_index_of_another_source_is_replaced_whatever_its_size(
    structures: list[Structure], publish: Callable[..., UploadReport]
) -> None:
    publish(structures[:10])
    assert publish(structures[:1], rebuild=True, source="another").points == 1


def test_a_run_is_compared_with_what_was_published_last(metadata: Metadata) -> None:
    live = replace(metadata, structures=1704)

    def why(structures: int) -> str:
        return why_too_few(live, replace(live, structures=structures), 0.8)

    assert why(1364) == ""
    assert "80%" in why(1363)
    assert "1 structure," in why(1)


@pytest.mark.parametrize(("share", "enough"), [(0.55, 55), (0.07, 7), (0.5, 50), (1.0, 100)])
def test_the_share_itself_is_enough(metadata: Metadata, share: float, enough: int) -> None:
    live = replace(metadata, structures=100)
    assert why_too_few(live, replace(live, structures=enough), share) == ""
    assert why_too_few(live, replace(live, structures=enough - 1), share)


def covered(from_index: int, from_source: int) -> Coverage:
    ledger = ParseLedger(
        structures=from_index + from_source, from_source=from_source, folders={".": FolderLedger()}
    )
    coverage = coverage_of(ledger)
    assert coverage is not None
    return coverage


def test_what_the_sources_give_does_not_hide_a_broken_dump(metadata: Metadata) -> None:
    live = replace(metadata, structures=1000, coverage=covered(1000, 0))
    broken = replace(live, coverage=covered(499, 501))
    why = why_too_few(live, broken, 0.5)
    assert why.startswith(
        "the dump of this run has 499 definitions, which is less than 50% "
        "(storage.min_share_of_last) of the 1,000 that the published index's had"
    )
    assert why.endswith("allow it: --set storage.min_share_of_last=0")
    assert why_too_few(live, replace(live, coverage=covered(500, 500)), 0.5) == ""
    assert why_too_few(live, replace(broken, source="another"), 0.5) == ""
    assert why_too_few(broken, live, 0.5) == ""


def test_a_dump_is_not_compared_with_an_index_whose_dump_is_not_known(metadata: Metadata) -> None:
    live = replace(metadata, structures=1000)
    assert why_too_few(live, replace(live, coverage=covered(1, 999)), 0.5) == ""
    assert why_too_few(replace(live, coverage=covered(1000, 0)), live, 0.5) == ""


@pytest.mark.parametrize("rebuild", [False, True])
def test_a_run_with_a_broken_dump_changes_nothing(
    index: Index,
    structures: list[Structure],
    publish: Callable[..., UploadReport],
    rebuild: bool,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    publish(structures[:10], coverage=covered(10, 0))
    for writes in ("create", "copy", "publish", "drop"):
        monkeypatch.setattr(index, writes, None)
    with pytest.raises(IndexShrinks, match="the dump of this run has 1 definition, "):
        publish(structures[:10], coverage=covered(1, 9), rebuild=rebuild)
    live = require_live(index, COLLECTION)
    assert live.metadata.coverage == covered(10, 0)
