"""Settings that came later than an index leave it as it is, unless they are set."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pytest

from configs.settings import RustAnalyzerSettings, load_settings
from configs.workspace import ProjectWorkspace
from flows.stages import check, sources


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
    metadata = SimpleNamespace(source_items=True, project_model=newer)
    live = SimpleNamespace(metadata=metadata)

    class Index:
        def live(self, _: str) -> object:
            return live

        def writing(self, _: str) -> Index:
            return self

        def __enter__(self) -> None: ...

        def __exit__(self, *_: object) -> None: ...

        def close(self) -> None: ...

    monkeypatch.setattr(check, "fingerprints_of", lambda _: {})
    monkeypatch.setattr(check, "connect", lambda _: Index())
    monkeypatch.setattr(check, "check_source", lambda *_: None)
    monkeypatch.setattr(check, "check_fingerprints", lambda *_: None)
    project = ProjectWorkspace(load_settings(), "p", "")
    assert check.check_index(project, "x", rebuild=False) == check.MayHold(True, newer)
    assert check.check_index(project, "x", rebuild=True) == check.MayHold(True, True)
