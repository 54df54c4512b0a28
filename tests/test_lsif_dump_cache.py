"""Which dumps are used again.

Scripts that read their answers from files play rust-analyzer, cargo and rustc.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import orjson
import pytest

from configs.settings import load_settings
from lsif.dump.cache import DumpReport, provide_dump
from lsif.dump.cargo import failed_build_scripts
from lsif.errors import RustAnalyzerError


class Project:
    """A Cargo project in a git repository, and a toolchain that answers what its files say."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.repo, self.kept, self.answers = folder / "repo", folder / "kept", folder / "answers"
        self.monkeypatch, self.tool = monkeypatch, load_settings().rust_analyzer
        self.data: Path | None = None
        (self.repo / "src").mkdir(parents=True)
        self.answers.mkdir()
        self.write("Cargo.toml", "[package]\n")
        self.write("Cargo.lock", "version = 4\n")
        self.write("src/lib.rs", "fn one() {}\n")
        self.write(".gitignore", "/target\n/ignored\n/generated.rs\n")
        self.git("init", "--quiet")
        self.commit()
        self.answer("version", "rust-analyzer 1.85.1")
        self.answer("rustc", "rustc 1.95.0\nhost: x86_64-unknown-linux-gnu")
        self.packages(self.repo)
        self.script(
            "rust-analyzer",
            f'[ "$1" = --version ] && exec cat {self.answers}/version; '
            f"cat {self.answers}/warning >&2; echo x",
        )
        self.script("rustc", f"cat {self.answers}/rustc")
        self.script(
            "cargo",
            f'echo "$@" >{self.answers}/asked; echo "error: offline" >&2; '
            f"cat {self.answers}/metadata",
        )
        self.answer("warning", "")
        monkeypatch.setenv("PATH", f"{folder / 'bin'}:{os.environ['PATH']}")
        monkeypatch.setenv("CARGO_HOME", str(folder / "cargo-home"))
        for name in ("CARGO", "RUSTC", "RUSTFLAGS", "CARGO_BUILD_TARGET"):
            monkeypatch.delenv(name, raising=False)

    def write(self, path: str, text: str) -> None:
        (self.repo / path).parent.mkdir(parents=True, exist_ok=True)
        (self.repo / path).write_text(text)

    def git(self, *arguments: str) -> None:
        identity = (
            "-c",
            "user.name=t",
            "-c",
            "user.email=t@example.org",
            "-c",
            "protocol.file.allow=always",
        )
        subprocess.run(
            ["git", "-C", str(self.repo), *identity, *arguments], check=True, capture_output=True
        )

    def commit(self) -> None:
        self.git("add", ".")
        self.git("commit", "--quiet", "--allow-empty", "-m", "x")

    def answer(self, name: str, text: str) -> None:
        (self.answers / name).write_text(f"{text}\n" if text else "")

    def packages(self, *folders: Path) -> None:
        packages = [
            {"source": None, "manifest_path": str(folder / "Cargo.toml")} for folder in folders
        ]
        packages.append(
            {"source": "registry+https://example.org", "manifest_path": "/registry/x/Cargo.toml"}
        )
        metadata = {"packages": packages, "workspace_root": str(self.repo)}
        (self.answers / "metadata").write_bytes(orjson.dumps(metadata))

    def script(self, name: str, body: str) -> None:
        path = self.kept.parent / "bin" / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(f"#!/bin/sh\n{body}\n")
        path.chmod(0o755)

    def change(self, **changes: object) -> None:
        self.tool = self.tool.model_copy(update=changes)

    def dump(self, inside: str = ".") -> DumpReport:
        return provide_dump(
            self.repo / inside,
            self.kept,
            self.kept / "dump.lsif",
            self.tool,
            self.kept.parent / "target",
            self.data,
        )

    def files(self) -> list[str]:
        return sorted(path.name for path in self.kept.iterdir())


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Project:
    return Project(tmp_path, monkeypatch)


def test_a_second_run_uses_the_dump_again(
    project: Project, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    first, second = project.dump(), project.dump()
    assert (first.reused, first.rust_analyzer, first.dependencies, first.not_kept) == (
        False,
        "rust-analyzer 1.85.1",
        "resolved",
        "",
    )
    assert first.peak_mb > 0
    assert (second.reused, second.file, second.peak_mb) == (True, first.file, 0.0)
    assert project.files() == [Path(first.file).name]
    assert Path(first.file).read_text() == "x\n"
    assert "dump of 0.0 MB made in" in caplog.messages[0]
    assert "dump of 0.0 MB used again" in caplog.messages[1]
    asked = (project.answers / "asked").read_text()
    assert (
        asked == f"metadata --format-version 1 --manifest-path {project.repo}/Cargo.toml "
        "--filter-platform x86_64-unknown-linux-gnu --all-features\n"
    )


def submodule(project: Project) -> None:
    other = project.kept.parent / "other"
    other.mkdir()
    subprocess.run(["git", "init", "--quiet", str(other)], check=True)
    (other / "lib.rs").write_text("")
    for arguments in (
        ["add", "."],
        ["-c", "user.name=t", "-c", "user.email=t@example.org", "commit", "--quiet", "-m", "x"],
    ):
        subprocess.run(["git", "-C", str(other), *arguments], check=True)
    project.git("submodule", "--quiet", "add", str(other), "sub")
    project.commit()
    project.dump()
    project.git(
        "submodule", "--quiet", "deinit", "--force", "sub"
    )  # the same commit, without the files


DIFFERENCES: dict[str, Callable[[Project], None]] = {
    "commit": lambda project: project.commit(),
    "rust-analyzer's version": lambda project: project.answer("version", "rust-analyzer 1.86.0"),
    "toolchain": lambda project: project.answer(
        "rustc", "rustc 1.96.0\nhost: x86_64-unknown-linux-gnu"
    ),
    "absent toolchain": lambda project: project.script("rustc", "exit 1"),
    "Cargo.lock": lambda project: project.write("Cargo.lock", "version = 3\n"),
    "offline": lambda project: project.change(network="offline"),
    "offline by the environment": lambda project: project.monkeypatch.setenv(
        "CARGO_NET_OFFLINE", "true"
    ),
    "RUSTFLAGS": lambda project: project.monkeypatch.setenv("RUSTFLAGS", "--cfg x"),
    "CARGO_BUILD_TARGET": lambda project: project.monkeypatch.setenv(
        "CARGO_BUILD_TARGET", "wasm32-unknown-unknown"
    ),
    "Cargo's configuration": lambda project: write(
        project.kept.parent / "cargo-home" / "config.toml", "[build]\n"
    ),
    "Cargo's configuration above": lambda project: write(
        project.kept.parent / ".cargo" / "config.toml", "[build]\n"
    ),
    "unresolved dependencies": lambda project: project.script(
        "cargo", "echo 'error: no network' >&2; exit 101"
    ),
    "a source that git ignores": lambda project: project.write("generated.rs", "fn made() {}\n"),
    "a source in an ignored folder": lambda project: project.write(
        "ignored/a/b.rs", "fn made() {}\n"
    ),
    "absent submodule": submodule,
    "an ignored file that include! reads": lambda project: project.write(
        "ignored/tables.inc", "fn made() {}\n"
    ),
    "its content": lambda project: project.write("ignored/seen.inc", "2"),
    "an ignored file of a submodule": lambda project: project.write("sub/made.inc", "2"),
    "a file that git was told not to look at": lambda project: hide(project, "--skip-worktree"),
    "a file that git was told to take for unchanged": lambda project: hide(
        project, "--assume-unchanged"
    ),
    "sparse checkout": lambda project: project.git(
        "sparse-checkout", "set", "--no-cone", "/*", "!/src/lib.rs"
    ),
    "a file that a link leads to": lambda project: write(
        project.kept.parent / "linked.rs", "fn two() {}\n"
    ),
    "the folder that a link leads to": lambda project: relink(
        project.repo / "ignored" / "folder", "../src"
    ),
}


def hide(project: Project, how: str) -> None:
    project.git("update-index", how, "src/lib.rs")
    project.write("src/lib.rs", "fn hidden() {}\n")


def relink(link: Path, to: str) -> None:
    link.unlink(missing_ok=True)
    link.symlink_to(to)


def write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


@pytest.mark.parametrize("difference", DIFFERENCES)
def test_a_difference_makes_a_new_dump(project: Project, difference: str) -> None:
    if difference == "an ignored file of a submodule":
        submodule(project)
        project.git("submodule", "--quiet", "update", "--init")
        write(project.repo / ".git" / "modules" / "sub" / "info" / "exclude", "*.inc\n")
    project.write("ignored/seen.inc", "1")
    write(project.kept.parent / "linked.rs", "fn one() {}\n")
    relink(project.repo / "src" / "linked.rs", "../../linked.rs")
    project.write("member/Cargo.toml", "[package]\n")
    relink(project.repo / "ignored" / "folder", "../member")
    project.commit()
    first = project.dump()
    assert first.not_kept == ""
    DIFFERENCES[difference](project)
    second = project.dump()
    assert not second.reused
    assert second.not_kept == ""
    assert second.file != first.file
    assert project.dump().reused


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("CARGO_TARGET_DIR", "/tmp/elsewhere"),
        ("CARGO_REGISTRIES_X_TOKEN", "new every night"),
        ("CARGO_TERM_COLOR", "never"),
        ("RUST_BACKTRACE", "1"),
        ("UNRELATED", "x"),
    ],
)
def test_what_changes_no_dump_makes_no_new_one(project: Project, name: str, value: str) -> None:
    project.dump()
    project.monkeypatch.setenv(name, value)
    assert project.dump().reused


def test_build_results_and_the_runs_own_files_make_no_new_one(project: Project) -> None:
    project.dump()
    project.write("target/CACHEDIR.TAG", "")
    project.write("target/debug/build/out/made.rs", "fn made() {}\n")
    assert project.dump().reused
    shutil.move(project.kept, project.repo / "ignored")
    project.kept = project.repo / "ignored"
    assert project.dump().reused
    project.write("ignored/checkout/src/lib.rs", "")
    assert project.dump().reused


def test_the_data_folder_and_build_results_are_left_out_wherever_they_are(project: Project) -> None:
    project.write("ignored/own/projects/x/checkout/a.rs", "")
    project.data = project.repo / "ignored" / "own"
    project.kept = project.data / "projects" / "x"
    project.write("ignored/deep/target/CACHEDIR.TAG", "")
    assert project.dump().not_kept == ""
    project.write("ignored/own/projects/x/report.json", "{}")
    project.write("ignored/own/projects/other/structures.jsonl", "{}")
    project.write("ignored/deep/target/made.rs", "fn made() {}\n")
    assert project.dump().reused
    project.write("ignored/beside.rs", "fn made() {}\n")
    assert not project.dump().reused


def test_large_ignored_files_are_not_read(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("lsif.dump.inputs._MOST_BYTES", 3)
    project.write("ignored/a", "abc")
    project.write("ignored/b", "abc")
    project.dump()
    assert project.dump().reused
    kept = (project.repo / "ignored" / "b").stat()
    project.write("ignored/b", "abd")
    os.utime(project.repo / "ignored" / "b", ns=(kept.st_atime_ns, kept.st_mtime_ns))
    assert not project.dump().reused


def test_names_and_values_need_not_be_utf8(project: Project) -> None:
    name = os.fsdecode(b"ignored/gen\xe9.rs")
    project.write(name, "fn one() {}\n")
    project.monkeypatch.setenv("RUSTFLAGS", os.fsdecode(b"\xe9"))
    assert project.dump().not_kept == ""
    assert project.dump().reused
    project.write(name, "fn two() {}\n")
    assert not project.dump().reused


@pytest.mark.parametrize(
    "damage",
    [
        lambda dump: dump.write_bytes(b""),
        lambda dump: dump.write_bytes(b"y\n"),
        lambda dump: relink(dump, "/nonexistent/dump"),
    ],
    ids=["cut off", "a byte", "out of reach"],
)
def test_a_damaged_dump_is_made_anew(
    project: Project, caplog: pytest.LogCaptureFixture, damage: Callable[[Path], None]
) -> None:
    first = project.dump()
    damage(Path(first.file))
    second = project.dump()
    assert (second.reused, second.file, Path(second.file).read_text()) == (False, first.file, "x\n")
    assert f"the cached dump {first.file} is damaged; a new one is made" in caplog.text
    assert project.dump().reused


@pytest.mark.parametrize("keep", [1, 2])
def test_a_clock_that_jumped_costs_no_dump_that_is_used(project: Project, keep: int) -> None:
    project.change(keep_dumps=keep)
    for _ in range(3):
        project.commit()
        for path in project.kept.glob("*.lsif"):
            os.utime(path, (9e9, 9e9))
        assert Path(project.dump().file).is_file()
    assert project.dump().reused
    assert len(project.files()) == keep


def test_the_same_commit_in_another_place_is_the_same(project: Project) -> None:
    first = project.dump()
    project.repo = project.repo.rename(project.kept.parent / "moved")
    project.packages(project.repo)
    assert project.dump().file == first.file


def test_another_folder_of_the_repository_has_its_own_dump(project: Project) -> None:
    project.write("member/Cargo.toml", "[package]\n")
    project.commit()
    assert project.dump().file != project.dump("member").file
    assert project.dump().reused
    assert project.dump("member").reused


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (
            lambda project: project.write("src/lib.rs", "fn two() {}\n"),
            "the sources have changes that are not committed",
        ),
        (
            lambda project: project.write("src/new.rs", ""),
            "the sources have changes that are not committed",
        ),
        (
            lambda project: shutil.rmtree(project.repo / ".git"),
            "the sources are in no git repository",
        ),
        (lambda project: project.change(keep_dumps=0), "rust_analyzer.keep_dumps is 0"),
        (
            lambda project: project.packages(project.repo, project.kept),
            "the dependency in KEPT is outside of the repository",
        ),
        (
            lambda project: (project.write("rust-project.json", "{}"), project.commit()),
            "rust-project.json may name sources anywhere",
        ),
        (
            lambda project: (
                project.write("ignored/a", ""),
                (project.repo / "ignored" / "b").symlink_to(project.kept.parent),
            ),
            "the link REPO/ignored/b leads to a folder outside of the repository",
        ),
        (
            lambda project: (
                relink(project.repo / "src" / "all", ".."),
                relink(project.repo / "x", ".git"),
                project.commit(),
            ),
            "the link REPO/x leads to files that are not looked at",
        ),
        (
            lambda project: (
                project.monkeypatch.setattr("lsif.dump.inputs._MOST_FILES", 1),
                project.write("ignored/a", ""),
                project.write("ignored/b", ""),
            ),
            "git does not look at more than 1 files in REPO",
        ),
        (
            lambda project: project.answer(
                "warning", "WARN returning succeeded result with `--no-deps`"
            ),
            "rust-analyzer went without the dependencies",
        ),
        (
            lambda project: project.script(
                "rust-analyzer", f"echo x; echo y >>{project.repo}/src/lib.rs"
            ),
            "the sources have changes that are not committed",
        ),
    ],
)
def test_a_dump_of_what_is_not_known_is_not_kept(
    project: Project, change: Callable[[Project], object], reason: str
) -> None:
    change(project)
    for _ in range(2):
        made = project.dump()
        assert not made.reused
        assert made.not_kept == reason.replace("KEPT", str(project.kept)).replace(
            "REPO", str(project.repo)
        )
        assert project.files() == ["dump.lsif"]
        assert made.file == str(project.kept / "dump.lsif")


def test_sources_that_change_while_the_dump_is_made_are_noticed(project: Project) -> None:
    body = f'[ "$1" = lsif ] || exit 0; echo x; echo y >>{project.repo}/src/lib.rs'
    project.script("rust-analyzer", body)
    made = project.dump()
    assert (made.not_kept, project.files()) == ("the sources changed meanwhile", ["dump.lsif"])


def test_a_kept_dump_takes_the_place_of_one_that_was_not(project: Project) -> None:
    project.write("src/lib.rs", "fn two() {}\n")
    project.dump()
    project.commit()
    assert project.files() == ["dump.lsif"]
    assert project.files() != [Path(project.dump().file).name]
    assert project.files() == [Path(project.dump().file).name]


def test_a_lock_that_cargo_wrote_is_no_change(project: Project) -> None:
    project.git("rm", "--quiet", "Cargo.lock")
    project.commit()
    project.script(
        "cargo", f"echo locked >{project.repo}/Cargo.lock; cat {project.answers}/metadata"
    )
    assert project.dump().not_kept == ""
    assert project.dump().reused


def test_the_dumps_used_last_are_kept(project: Project) -> None:
    names = []
    for _ in range(3):
        project.commit()
        names.append(Path(project.dump().file).name)
        if len(names) == 2:  # the first is used again, so the second goes
            project.git("checkout", "--quiet", "HEAD~1")
            assert project.dump().reused
            project.git("checkout", "--quiet", "-")
    assert project.files() == sorted([names[0], names[2]])
    project.change(keep_dumps=0)
    project.dump()
    assert project.files() == ["dump.lsif"]


def test_an_unresolved_dump_is_not_taken_for_the_full_one(
    project: Project, caplog: pytest.LogCaptureFixture
) -> None:
    resolving = (project.kept.parent / "bin" / "cargo").read_text()
    project.script("cargo", "echo 'error: no matching package named `serde` found' >&2; exit 101")
    bare = project.dump()
    assert (bare.dependencies, bare.reused, project.dump().reused) == ("unresolved", False, True)
    assert (
        "Cargo can't resolve the dependencies; their types will be unknown: "
        "error: no matching package named" in caplog.text
    )
    (project.kept.parent / "bin" / "cargo").write_text(resolving)
    full = project.dump()
    assert (full.dependencies, full.reused) == ("resolved", False)
    assert project.dump().file == full.file != bare.file


def test_without_cargo_the_dump_is_still_made_and_kept(project: Project) -> None:
    project.monkeypatch.setenv("CARGO", "/nonexistent/cargo")
    assert project.dump().dependencies == "unknown"
    assert project.dump().reused


@pytest.mark.parametrize(
    "printed", ["info: hello", "[]", "{}", '{"packages": [{}], "workspace_root": "/"}']
)
def test_a_cargo_that_prints_something_else_is_named(project: Project, printed: str) -> None:
    project.answer("metadata", printed)
    with pytest.raises(RustAnalyzerError) as told:
        project.dump()
    assert str(told.value) == (
        f"`cargo metadata` printed no metadata but {printed!r}; "
        f"the cargo that is asked is {project.kept.parent}/bin/cargo "
        "(CARGO names another)."
    )


def test_locked_needs_a_lock_that_fits(project: Project) -> None:
    project.change(network="locked")
    project.dump()
    assert (project.answers / "asked").read_text().endswith("--locked --all-features\n")
    project.script("cargo", "echo 'error: the lock file needs to be updated' >&2; exit 101")
    with pytest.raises(
        RustAnalyzerError, match=r'network is "locked".*error: the lock file needs to be updated'
    ):
        project.dump()


def test_what_cargo_says_is_told_with_its_causes(
    project: Project, caplog: pytest.LogCaptureFixture
) -> None:
    said = "    Updating crates.io index\nerror: failed\n\nCaused by:\n  a\n\nCaused by:\n  b\n"
    write(project.answers / "said", said)
    project.script("cargo", f"cat {project.answers}/said >&2; exit 101")
    project.change(project="cargo", keep_dumps=0)
    project.dump()
    assert caplog.messages[0].endswith(": error: failed; a; b")


def test_a_build_script_that_failed_is_told_by_its_times(tmp_path: Path) -> None:
    def ran(name: str, started: float, output: float | None) -> None:
        folder = tmp_path / name
        folder.mkdir(parents=True)
        for file, when in (("invoked.timestamp", started), ("output", output)):
            if when is not None:
                (folder / file).touch()
                os.utime(folder / file, (when, when))

    ran("debug/build/good-1-0123", 1000.5, 1000.5)
    ran("debug/build/bad-one-0123", 1000.5, None)
    ran("debug/build/bad-once-0123", 1000.5, 900.0)  # it succeeded before
    ran("debug/build/former-0123", 900.0, None)
    ran("x86_64-unknown-linux-gnu/debug/build/bad-0123", 1000.5, None)
    assert failed_build_scripts(tmp_path, 1000.0) == ["bad", "bad-once", "bad-one"]
    assert failed_build_scripts(tmp_path / "none", 1000.0) == []


def test_the_dump_of_a_failed_build_script_is_not_kept(
    project: Project, caplog: pytest.LogCaptureFixture
) -> None:
    ran = "$CARGO_TARGET_DIR/debug/build/native-0123"
    project.script(
        "rust-analyzer",
        f'[ "$1" = --version ] && exec echo x; mkdir -p {ran}; touch {ran}/invoked.timestamp; '
        f"[ -e {project.answers}/protoc ] && cp -p {ran}/invoked.timestamp {ran}/output; echo x",
    )
    made = project.dump()
    assert (made.not_kept, project.files()) == ("build scripts failed: native", ["dump.lsif"])
    (warning,) = [one.getMessage() for one in caplog.records if one.levelname == "WARNING"]
    assert warning == (
        "the build scripts of native failed: what they generate is unknown, and the dump is not "
        f"kept. `cargo check` in {project.repo} says why"
    )
    project.answer("protoc", "is there now")
    assert (project.dump().not_kept, project.dump().reused) == ("", True)


def test_a_dump_of_scip_is_kept_beside_one_of_lsif(project: Project) -> None:
    first = project.dump()
    project.script("rust-analyzer", 'test "$1" = scip && echo index > "$4" || echo 1.85.1')
    project.change(format="scip")
    made, again = project.dump(), project.dump()
    assert (first.format, made.format, again.reused) == ("lsif", "scip", True)
    assert sorted(Path(name).suffix for name in project.files()) == [".lsif", ".scip"]
    assert Path(again.file).read_text() == "index\n"


@pytest.mark.parametrize(("commands", "expected"), [("lsif scip", "lsif"), ("scip", "scip")])
def test_rust_analyzer_writes_lsif_as_long_as_it_can(
    project: Project, commands: str, expected: str
) -> None:
    project.script(
        "rust-analyzer",
        f'case "$1" in --help) echo {commands};; scip) echo x > "$4";; *) echo x;; esac',
    )
    assert project.dump().format == expected
