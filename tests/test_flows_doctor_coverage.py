"""What the doctor foretells of an index: packages, features, dependencies, the project model."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from doctored import changed

from configs.settings import Settings
from flows.doctor.coverage import check_crates, check_features, check_manifests
from flows.doctor.finding import Finding

pytestmark = pytest.mark.usefixtures("bare_environment")


@pytest.fixture
def repo(tmp_path: Path) -> Path:
    """A workspace of two packages with features, and a file outside of both."""
    folder = tmp_path / "repo"
    for path, text in {
        "Cargo.toml": '[workspace]\nmembers = ["net", "core"]\n',
        "net/Cargo.toml": '[package]\nname = "net"\n[dependencies]\ncore = { path = "../core" }\n'
        '[features]\ndefault = ["tcp"]\ntcp = []\nudp = []\n',
        "net/src/lib.rs": "",
        "core/Cargo.toml": '[package]\nname = "core"\n',
        "core/src/lib.rs": "",
        "scripts/run.rs": "",
    }.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(text)
    return folder


def test_packages_are_named(repo: Path) -> None:
    finding = check_manifests(repo)
    assert (finding.status, finding.found) == (
        "ok",
        "2 packages (core, net); of 3 .rs files 1 in none of them",
    )


def test_a_broken_manifest_is_named(repo: Path) -> None:
    (repo / "core/Cargo.toml").write_text("[package")
    finding = check_manifests(repo)
    assert finding.status == "warning"
    assert "1 package (net)" in finding.found
    assert "can't use core/Cargo.toml" in finding.found


def test_a_folder_without_packages_is_a_warning(tmp_path: Path, settings: Settings) -> None:
    finding = check_manifests(tmp_path)
    assert (finding.status, finding.found) == (
        "warning",
        "no Cargo.toml names a package; 0 .rs files",
    )
    for folder in (tmp_path, tmp_path / "none"):
        assert check_features(settings.rust_analyzer, folder).status == "skipped"
        assert check_crates(settings.rust_analyzer, folder).status == "skipped"
    assert check_manifests(tmp_path / "none").status == "skipped"


def test_features_are_on_or_off(repo: Path, settings: Settings) -> None:
    assert check_features(settings.rust_analyzer, repo) == Finding(
        "features", "ok", "2 features, 1 on by default, 1 not (net/udp); a run switches all on"
    )
    own = changed(settings, "rust_analyzer.features=default").rust_analyzer
    assert check_features(own, repo) == Finding(
        "features",
        "warning",
        "2 features, 1 on by default, 1 not (net/udp); a run leaves off net/udp",
        '--set rust_analyzer.features="all"',
    )
    assert check_features(own, repo / "core").found == "no package has any"


def test_a_project_without_foreign_dependencies_needs_no_cargo(
    repo: Path, settings: Settings
) -> None:
    assert check_crates(settings.rust_analyzer, repo).found == (
        "cargo: all dependencies are on this machine"
    )


@pytest.mark.parametrize(
    ("overrides", "model"),
    [
        ([], "cargo if the network helps, else static"),
        (["rust_analyzer.network=offline"], "static"),
        (
            ["rust_analyzer.network=offline", "rust_analyzer.project=cargo"],
            "cargo without dependencies, and features that need them off",
        ),
    ],
)
def test_missing_dependencies_decide_on_the_model(
    overrides: list[str],
    model: str,
    repo: Path,
    settings: Settings,
    program: Callable[[str, str], Path],
) -> None:
    (repo / "core/Cargo.toml").write_text('[package]\nname = "core"\n[dependencies]\nrand = "1"\n')
    own = changed(settings, *overrides).rust_analyzer
    assert check_crates(own, repo).found.endswith("there is no cargo to ask")
    program("cargo", 'echo "error: no matching package named rand" >&2; exit 101')
    finding = check_crates(own, repo)
    assert (finding.status, finding.found) == (
        "warning",
        f"{model}: not all dependencies are on this machine: error: no matching package named rand",
    )
    assert finding.advice.startswith(f"cargo fetch --manifest-path {repo}/Cargo.toml; or ")
    program("cargo", 'test "$*" = "metadata --format-version 1 --offline --locked"')
    assert check_crates(own, repo).status == "ok"


def test_a_model_of_our_own_asks_nobody(repo: Path, settings: Settings) -> None:
    own = changed(settings, "rust_analyzer.project=static").rust_analyzer
    assert check_crates(own, repo).found.startswith("static: from the manifests")
    found = check_crates(settings.rust_analyzer, repo / "scripts")
    assert found == Finding("crates", "ok", f"static: there is no Cargo.toml in {repo / 'scripts'}")
    own = changed(settings, "rust_analyzer.project=cargo").rust_analyzer
    assert check_crates(own, repo / "scripts").status == "failed"
