"""What the packaged encoder was made of: permissive crates, none of the judged ones."""

from __future__ import annotations

import importlib
import re
from collections.abc import Iterator
from typing import Any

import pytest

from benchmarks.quality_repositories import read_repositories
from configs.settings import load_settings
from embedding.models import PACKAGED_MODELS, resolve_model

from conftest import PROJECT_ROOT

MODEL = PROJECT_ROOT / "embedding" / PACKAGED_MODELS["rust-code"].folder
OTHERS = ("serde", "axum", "tokio", "clap", "tracing", "ripgrep", "octocode", "regex", "rayon")
"""What others' judged queries are about, or ours."""


@pytest.fixture(scope="module")
def encoder() -> Iterator[Any]:
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(PROJECT_ROOT / "benchmarks")
        yield importlib.import_module("encoder")


def learned() -> dict[str, str]:
    """Return the licences of the projects that the notice names."""
    line = re.compile(r"^  ([\w.+~-]+)-\d[\w.+~-]*: (.*?)(?: https?:\S+)?$", re.MULTILINE)
    return dict(line.findall((MODEL / "NOTICE").read_text()))


def test_no_judged_repository_was_learned(encoder: Any) -> None:
    projects = learned()
    assert len(projects) > 400
    assert not [name for name in projects if encoder.JUDGED.fullmatch(name)]
    judged = {repository.name.rpartition("-")[0] for repository in read_repositories()}
    for name in (*judged, *OTHERS, "tokio-util", "serde_json", "regex-syntax"):
        assert encoder.JUDGED.fullmatch(name), name


def test_what_was_learned_has_a_permissive_licence_and_is_named(encoder: Any) -> None:
    for name, licence in learned().items():
        assert encoder.PERMISSIVE.search(licence), (name, licence)
    wanted = {crate["name"] for crate in encoder.wanted_crates()}
    assert set(learned()) <= wanted


def test_the_weights_are_the_published_ones_and_small() -> None:
    settings = load_settings().embedding.text
    fingerprint = resolve_model(settings.model_copy(update={"model": "packaged:rust-code"}))
    assert fingerprint.fingerprint.revision == PACKAGED_MODELS["rust-code"].weights_sha256
    assert sum(path.stat().st_size for path in MODEL.rglob("*")) < 46e6
