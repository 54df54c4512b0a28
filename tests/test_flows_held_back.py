"""Settings that came later than an index leave it as it is, unless they are set."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from types import SimpleNamespace

import pytest
from searchable import Models, fake_models, index_sample, workspace_of

from configs.settings import RustAnalyzerSettings, load_settings
from configs.workspace import ProjectWorkspace
from embedding import models
from flows.stages import check, sources
from search.opening import open_searcher
from search.published import connect
from storage.errors import IndexMismatch
from storage.live import require_live


@pytest.mark.parametrize(
    ("overrides", "before"),
    [
        ((), ("cargo", "default")),
        (("rust_analyzer.project=static",), ("static", "default")),
        (('rust_analyzer.features=["net"]',), ("cargo", ["net"])),
    ],
)
def test_defaults_of_the_project_model_are_held_back_from_an_older_index(
    overrides: tuple[str, ...],
    before: tuple[str, object],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    used: list[RustAnalyzerSettings] = []

    def provided(*_: object, tool: RustAnalyzerSettings, **__: object) -> None:
        used.append(tool)

    monkeypatch.setattr(sources, "provide_dump", provided)
    settings = load_settings(overrides=overrides)
    project = ProjectWorkspace(settings, "p", "")
    for as_before in (False, True):
        sources.dump_repository(project, tmp_path, project.folder, as_before=as_before)
    assert used[0] == settings.rust_analyzer
    assert (used[1].project, used[1].features) == before


@pytest.mark.parametrize("newer", [False, True])
def test_an_index_says_whether_it_is_older(newer: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    metadata = SimpleNamespace(
        source_items=True, project_model=newer, fingerprints={}, places="0123" if newer else ""
    )
    live = SimpleNamespace(metadata=metadata)

    class Index:
        def live(self, _: str) -> object:
            return live

        def writing(self, _: str) -> Index:
            return self

        def restriction(self, *_: object) -> str:
            return ""

        def __enter__(self) -> None: ...

        def __exit__(self, *_: object) -> None: ...

        def close(self) -> None: ...

    monkeypatch.setattr(check, "connect", lambda _: Index())
    monkeypatch.setattr(check, "check_source", lambda *_: None)
    monkeypatch.setattr(check, "check_fingerprints", lambda *_: None)
    project = ProjectWorkspace(load_settings(), "p", "")
    for rebuild in (False, True):
        may_hold = check.check_index(project, "x", rebuild=rebuild)
        assert may_hold.source_items
        assert (may_hold.project_model, may_hold.references) == (newer or rebuild,) * 2


@pytest.fixture(scope="module")
def fake() -> Iterator[Models]:
    with fake_models() as loaded:
        yield loaded


@pytest.fixture(scope="module")
def searchable(fake: Models, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data folder with an index of the sample, made with the default of today."""
    data = tmp_path_factory.mktemp("held_back") / "data"
    index_sample(data)
    fake.forget()
    return data


@pytest.fixture
def newer_default(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a newer version have another default model: the same weights under another name."""
    today = models.PACKAGED_MODELS["rust-code"]
    monkeypatch.setitem(models.PACKAGED_MODELS, "newer", today)
    monkeypatch.setattr(models, "AUTO_MODELS", ("packaged:newer", *models.AUTO_MODELS))


@pytest.mark.usefixtures("newer_default")
def test_an_index_keeps_the_default_model_that_it_was_made_with(
    searchable: Path, fake: Models
) -> None:
    workspace = workspace_of(searchable)
    with closing(connect(workspace)) as index:
        searcher = open_searcher(workspace, index, "sample")
        assert searcher.search("words").hits
        source = searcher.generation.metadata.source
    assert {Path(folder).name for folder in fake.loaded} == {"rust-code"}

    project = workspace.for_project("sample")
    kept = check.check_index(project, source, rebuild=False).models
    assert {model.model for model in kept.values()} == {"packaged:rust-code"}
    assert check.kept_back(project, kept) == [
        f"the index keeps its model packaged:rust-code for {vector}; --rebuild gives it "
        "packaged:newer, the default of this version"
        for vector in ("text", "code")
    ]
    rebuilt = check.check_index(project, source, rebuild=True).models
    assert {model.model for model in rebuilt.values()} == {"packaged:newer"}
    assert check.kept_back(project, rebuilt) == []


@pytest.mark.usefixtures("newer_default", "fake")
def test_a_model_that_is_named_is_not_kept_back(searchable: Path) -> None:
    name = "packaged:newer"
    workspace = workspace_of(searchable, f"embedding.code.model={name}")
    project = workspace.for_project("sample")
    with closing(connect(workspace)) as index:
        source = require_live(index, "sample").metadata.source
    with pytest.raises(IndexMismatch, match="the configuration says packaged:newer"):
        check.check_index(project, source, rebuild=False)
