"""Which way a dump is made, and that a model of the manifests executes nothing of the repository.

Scripts play rust-analyzer, cargo and rustc; the last test runs the real ones if they are there.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import orjson
import pytest

from configs.settings import load_settings
from lsif.dump.cache import DumpReport, provide_dump
from lsif.errors import RustAnalyzerError, SourceError
from machine.programs import ask

FILES = {
    "Cargo.toml": '[package]\nname = "victim"\nversion = "0.1.0"\nedition = "2021"\n'
    '[dependencies]\nmac = { path = "mac" }\n[features]\nextra = []\n[workspace]\n',
    "build.rs": 'fn main() { std::fs::write("OUT/build-script", "x").unwrap(); }\n',
    "src/lib.rs": "#[derive(mac::Trap)]\npub struct Bait;\n#[mac::keep]\npub fn bite() {}\n"
    '#[cfg(feature = "extra")]\npub fn more() {}\n',
    "mac/Cargo.toml": '[package]\nname = "mac"\nversion = "0.1.0"\n[lib]\nproc-macro = true\n',
    "mac/src/lib.rs": "use proc_macro::TokenStream;\n#[proc_macro_derive(Trap)]\n"
    'pub fn trap(_: TokenStream) -> TokenStream { std::fs::write("OUT/macro", "x").unwrap();'
    " TokenStream::new() }\n#[proc_macro_attribute]\n"
    "pub fn keep(_: TokenStream, item: TokenStream) -> TokenStream "
    '{ std::fs::write("OUT/attribute", "x").unwrap(); item }\n',
    ".cargo/config.toml": '[build]\nrustc = "evil/bin/rustc"\nrustc-wrapper = "evil/bin/wrapper"\n'
    '[registry]\nglobal-credential-providers = ["REPO/evil/bin/provider"]\n',
    "rust-toolchain.toml": '[toolchain]\npath = "REPO/evil"\n',
    "broken/Cargo.toml": "[package\n",
}
EVIL = ("cargo", "rustc", "rust-analyzer", "wrapper", "provider")


def program(path: Path, body: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\n{body}\n")
    path.chmod(0o755)


class Victim:
    """A repository whose build script, macros and configured programs leave a file if they run."""

    def __init__(self, folder: Path) -> None:
        self.repo, self.traces, self.kept = folder / "repo", folder / "traces", folder / "kept"
        self.traces.mkdir()
        for path, text in FILES.items():
            (self.repo / path).parent.mkdir(parents=True, exist_ok=True)
            filled = text.replace("OUT", str(self.traces)).replace("REPO", str(self.repo))
            (self.repo / path).write_text(filled)
        for name in EVIL:
            program(self.repo / "evil" / "bin" / name, f"touch {self.traces}/{name}")
        for command in (
            ["init", "--quiet"],
            ["add", "."],
            ["-c", "user.name=t", "-c", "user.email=t@example.org", "commit", "-qm", "x"],
        ):
            subprocess.run(["git", "-C", str(self.repo), *command], check=True)

    def dump(self, project: str = "static", command: str = "", **changes: object) -> DumpReport:
        update = {"project": project, "network": "offline", **changes}
        tool = load_settings().rust_analyzer.model_copy(
            update={**update, **({"command": command} if command else {})}
        )
        return provide_dump(
            self.repo, self.kept, self.kept / "dump.lsif", tool, self.kept.parent / "target"
        )

    @property
    def changes(self) -> str:
        command = ["git", "-C", str(self.repo), "status", "--porcelain", "--ignored"]
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout


@pytest.fixture
def victim(tmp_path: Path) -> Victim:
    return Victim(tmp_path)


@pytest.fixture
def said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder in which scripts that play the toolchain say where and how they ran."""
    folder, bin_ = tmp_path / "said", tmp_path / "bin"
    folder.mkdir()
    sysroot = tmp_path / "toolchains" / "stable"
    program(
        bin_ / "rust-analyzer",
        f'[ "$1" = --version ] && {{ pwd >{folder}/version; echo rust-analyzer 1.85.1; exit; }}\n'
        f"pwd >{folder}/cwd; env >{folder}/env; cp $2/rust-project.json {folder}/model\n"
        f"ls $2/library >{folder}/library\n"
        'echo \'{"id":0,"label":"metaData","projectRoot":"file:///model"}\'; echo rest',
    )
    program(bin_ / "cargo", f"touch {folder}/cargo; exit ${{CARGO_STATUS:-101}}")
    program(
        bin_ / "rustc",
        f'pwd >>{folder}/rustc; [ "$1" = -vV ] && echo "rustc 1.85" || echo {sysroot}',
    )
    for name in ("cargo", "rustc"):
        program(sysroot / "bin" / name, "exit 1")
    library = sysroot / "lib/rustlib/src/rust/library"
    (library / "core").mkdir(parents=True)
    (library / "Cargo.toml").touch()
    monkeypatch.setenv("PATH", f"{bin_}:{os.environ['PATH']}")
    monkeypatch.setenv("RUSTC_WRAPPER", "sccache")
    for name in ("CARGO", "RUSTC", "RUST_SRC_PATH", "RUSTFLAGS", "RUSTUP_TOOLCHAIN"):
        monkeypatch.delenv(name, raising=False)
    return folder


def test_a_static_dump_asks_no_cargo_and_runs_nothing_in_the_repository(
    victim: Victim, said: Path
) -> None:
    report = victim.dump()
    assert not (said / "cargo").exists()
    places = {name: (said / name).read_text().split() for name in ("version", "cwd", "rustc")}
    assert (places["version"], set(places["rustc"])) == (["/"], {"/"})
    folder = Path(places["cwd"][0])
    assert not folder.is_relative_to(victim.repo)
    assert not folder.exists()
    sysroot = said.parent / "toolchains" / "stable"
    environment = (said / "env").read_text().splitlines()
    assert {f"RUSTC={sysroot}/bin/rustc", f"CARGO={sysroot}/bin/cargo"} <= set(environment)
    assert f"RUSTUP_TOOLCHAIN={sysroot}" in environment
    assert "RUSTC_WRAPPER=sccache" not in environment
    model = orjson.loads((said / "model").read_bytes())
    assert (model["sysroot"], model["sysroot_src"]) == (str(sysroot), f"{folder}/library")
    assert (said / "library").read_text() == "core\n"  # no manifest that Cargo would be asked about
    assert victim.changes == ""
    assert list(victim.traces.iterdir()) == []
    head, rest = Path(report.file).read_bytes().splitlines()
    assert orjson.loads(head)["projectRoot"] == victim.repo.resolve().as_uri()
    assert rest == b"rest"


def test_the_report_says_what_was_on_and_what_was_skipped(victim: Victim, said: Path) -> None:
    report = victim.dump(cfg=["tokio_unstable"], features=["extra", "mac/x"])
    assert (report.project, report.features, report.dependencies) == (
        "static",
        "extra, mac/x",
        "unknown",
    )
    assert report.cfgs == ["debug_assertions", "test", "tokio_unstable"]
    assert report.manifests == ["Cargo.toml", "mac/Cargo.toml"]
    assert [line.split(": ")[0] for line in report.skipped_manifests] == ["broken/Cargo.toml"]


def test_a_static_dump_is_used_again_until_what_decides_it_changes(
    victim: Victim, said: Path
) -> None:
    first, second = victim.dump(), victim.dump()
    assert (first.reused, second.reused, first.not_kept) == (False, True, "")
    assert not victim.dump(features="default").reused
    assert not victim.dump(cfg=["x"], keep_dumps=3).reused
    assert victim.dump(keep_dumps=3).reused


@pytest.mark.parametrize("status", ["resolved", "unresolved"])
def test_auto_asks_cargo_and_goes_without_it_if_dependencies_are_missing(
    victim: Victim, said: Path, status: str
) -> None:
    if status == "resolved":
        metadata = {
            "packages": [{"source": None, "manifest_path": str(victim.repo / "Cargo.toml")}],
            "workspace_root": str(victim.repo),
        }
        (said / "answer").write_bytes(orjson.dumps(metadata))
        program(said.parent / "bin" / "cargo", f"cat {said}/answer")
    report = victim.dump("auto", keep_dumps=0)
    assert report.project == ("cargo" if status == "resolved" else "static")
    assert (report.dependencies, report.manifests[0]) == (status, "Cargo.toml")
    assert (said / "model").exists() == (status == "unresolved")


def test_auto_takes_a_model_where_no_manifest_is_at_the_top(victim: Victim, said: Path) -> None:
    (victim.repo / "Cargo.toml").unlink()
    assert victim.dump("auto").project == "static"
    assert not (said / "cargo").exists()
    with pytest.raises(SourceError, match=r"holds no Cargo\.toml; there is one in broken, mac"):
        victim.dump("cargo")


def test_sources_that_make_no_crate_are_refused_with_the_reason(victim: Victim, said: Path) -> None:
    for path in victim.repo.rglob("*.rs"):
        path.unlink()
    with pytest.raises(SourceError, match=r"no crate can be made of .*broken/Cargo\.toml: it is"):
        victim.dump()


def test_cargo_is_asked_for_the_features_of_the_repository_only(
    victim: Victim, said: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = said.parent / "home"
    program(home / "bin" / "rustfmt", "exit 0")
    monkeypatch.setenv("CARGO_HOME", str(home))
    program(said.parent / "bin" / "cargo", f'echo "$CARGO_HOME $@" >>{said}/asked; exit 1')
    calls = "metadata --format-version 1", "check --quiet", "--version"
    program(
        said.parent / "bin" / "rust-analyzer",
        f"ls $CARGO_HOME/bin >{said}/programs\n"
        f"cd {victim.repo}/mac; "
        + "; ".join(f"$CARGO_HOME/bin/cargo {call}" for call in calls)
        + "\ncd /; $CARGO metadata\necho dump",
    )
    victim.dump("cargo", features=["extra", "mac/x y"], cfg=['a="b"'])
    assert (said / "asked").read_text().splitlines()[-4:] == [
        f"{home} metadata --features extra,mac/x y --format-version 1",
        f"{home} check --features extra,mac/x y --quiet",
        f"{home} --version",
        f"{home} metadata",
    ]
    assert (said / "programs").read_text().split() == ["cargo", "rustfmt"]


def test_cargo_goes_with_default_features_if_others_need_what_is_missing(
    victim: Victim, said: Path
) -> None:
    metadata = {"packages": [], "workspace_root": str(victim.repo)}
    (said / "answer").write_bytes(orjson.dumps(metadata))
    body = f'case "$*" in *--all-features*) echo error: no >&2; exit 101;; esac; cat {said}/answer'
    program(said.parent / "bin" / "cargo", body)
    program(said.parent / "bin" / "rust-analyzer", "cargo metadata >/dev/null && echo dump")
    report = victim.dump("cargo")
    assert (report.dependencies, report.features) == ("resolved", "default")
    assert victim.dump("auto").project == "static"


def test_cfgs_reach_rustc_behind_the_flags_that_are_set(
    victim: Victim, said: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RUSTFLAGS", "-C opt-level=1")
    program(said.parent / "bin" / "rust-analyzer", f"env >{said}/env; echo dump")
    victim.dump("cargo", cfg=['a="b c"', "d"])
    flags = '-C\x1fopt-level=1\x1f--cfg\x1fa="b c"\x1f--cfg\x1fd'
    assert f"CARGO_ENCODED_RUSTFLAGS={flags}\n" in (said / "env").read_text()


def test_a_real_rust_analyzer_executes_nothing_of_the_repository(
    victim: Victim, monkeypatch: pytest.MonkeyPatch
) -> None:
    command = shutil.which("rust-analyzer")
    said = None if command is None else ask([command, "--version"])
    if command is None or said is None or said.status != 0:
        pytest.skip("there is no rust-analyzer")
    # Without the standard library it takes a second instead of ten.
    monkeypatch.setattr("lsif.dump.choice.library_sources", lambda *_: "")
    monkeypatch.chdir(victim.repo)
    report = victim.dump(command=command)
    dump = Path(report.file).read_text()
    assert all(f"pub fn {name}" in dump for name in ("bite", "more"))
    assert list(victim.traces.iterdir()) == []
    assert victim.changes == ""
    with pytest.raises(RustAnalyzerError):
        victim.dump("cargo", command=command)  # it asks the toolchain that the repository names
    assert list(victim.traces.iterdir()) != []
