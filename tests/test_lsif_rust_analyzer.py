"""rust-analyzer is played by small scripts; `make ingest REPO=` runs the real one."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

import pytest

from configs.settings import load_settings
from lsif.dump.rust_analyzer import (
    DumpMade,
    cargo_environment,
    check_has_rust,
    check_project,
    write_dump,
)
from lsif.errors import RustAnalyzerError, RustAnalyzerMissing, SourceError

from conftest import SAMPLE


def script(folder: Path, body: str) -> str:
    path = folder / "fake-rust-analyzer"
    path.write_text(f"#!/bin/sh\n{body}\n")
    path.chmod(0o755)
    return str(path)


def dump(command: str, output: Path, repo: Path = SAMPLE, **changes: object) -> DumpMade:
    tool = load_settings().rust_analyzer.model_copy(
        update={"command": command, "timeout_s": 20, **changes}
    )
    return write_dump(repo, output, tool, cargo_environment(tool, output.parent / "target"))


def test_what_it_writes_becomes_the_dump(tmp_path: Path) -> None:
    dump(script(tmp_path, 'echo "$1 $2"'), tmp_path / "out" / "dump.lsif")
    assert (tmp_path / "out" / "dump.lsif").read_text() == f"lsif {SAMPLE}\n"
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["dump.lsif"]


def test_an_index_of_scip_is_written_where_it_is_told_to(tmp_path: Path) -> None:
    folder = tmp_path / "out"
    command = script(tmp_path, 'echo noise; echo "$1 $2 $3" > "$4"')
    tool = load_settings().rust_analyzer.model_copy(update={"command": command})
    environment = cargo_environment(tool, tmp_path / "target")
    write_dump(SAMPLE, folder / "dump.scip", tool, environment, dump_format="scip")
    assert (folder / "dump.scip").read_text() == f"scip {SAMPLE} --output\n"
    assert [path.name for path in folder.iterdir()] == ["dump.scip"]
    tool = tool.model_copy(update={"command": script(tmp_path, "exit 0")})
    with pytest.raises(RustAnalyzerError, match=r"scip .* wrote nothing"):
        write_dump(SAMPLE, folder / "dump.scip", tool, environment, dump_format="scip")


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ("echo half; echo 'error: boom' >&2; exit 3", "failed with exit status 3: error: boom"),
        ("exit 0", "wrote nothing: it said nothing"),
        ("echo half; kill -9 $$", "was ended by signal 9"),
        (
            "echo \"thread 'main' panicked at src/x.rs:1\" >&2; echo 'no value set' >&2; exit 101",
            "panicked at src/x.rs:1 no value set",
        ),
        (
            "echo \"error: toolchain '1.2.3' is not installed\" >&2; exit 1",
            (
                "toolchain '1.2.3' is not installed. "
                "Install the toolchain that rust-toolchain.toml names"
            ),
        ),
        (
            (
                "echo \"error: Unknown binary 'rust-analyzer' "
                "in official toolchain 'stable'.\" >&2; "
                "exit 1"
            ),
            "rustup component add",
        ),
        (
            (
                "echo \"error: 'rust-analyzer' is not installed for the custom toolchain "
                "'/toolchains/stable'.\" >&2; exit 1"
            ),
            "rustup component add",
        ),
    ],
)
def test_a_failure_quotes_its_last_words_and_leaves_no_file(
    tmp_path: Path, body: str, message: str
) -> None:
    output = tmp_path / "out" / "dump.lsif"
    with pytest.raises(RustAnalyzerError, match=message.replace("(", r"\(").replace(".", r"\.")):
        dump(script(tmp_path, body), output)
    assert list(output.parent.iterdir()) == []


def test_secrets_are_not_handed_to_build_scripts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("QDRANT_API_KEY", "secret-key-0451")
    monkeypatch.setenv("HF_TOKEN", "secret-key-0452")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret-key-0453")
    monkeypatch.setenv("GITHUB_TOKEN", "secret-key-0454")
    monkeypatch.setenv("CARGO_REGISTRY_TOKEN", "cargos-own")
    monkeypatch.setenv("CARGO_NET_OFFLINE", "true")
    monkeypatch.delenv("CARGO_TARGET_DIR", raising=False)
    dump(script(tmp_path, "env"), tmp_path / "dump.lsif")
    environment = (tmp_path / "dump.lsif").read_text()
    assert "CARGO_NET_OFFLINE=true" in environment
    assert "secret-key" not in environment
    assert "CARGO_REGISTRY_TOKEN=cargos-own" in environment
    assert f"CARGO_TARGET_DIR={tmp_path / 'target'}" in environment  # not in the repository


def test_an_output_that_cant_be_written_is_named(tmp_path: Path) -> None:
    with pytest.raises(RustAnalyzerError, match="can't write"):
        dump(script(tmp_path, "echo dump"), tmp_path)


def test_an_old_dump_survives_a_failure(tmp_path: Path) -> None:
    (tmp_path / "dump.lsif").write_text("old")
    with pytest.raises(RustAnalyzerError):
        dump(script(tmp_path, "echo new; exit 1"), tmp_path / "dump.lsif")
    assert (tmp_path / "dump.lsif").read_text() == "old"


def test_a_source_that_is_not_utf8_is_named(tmp_path: Path) -> None:
    repo = tmp_path / "repo"
    (repo / "src").mkdir(parents=True)
    (repo / "Cargo.toml").write_text("[package]\n")
    (repo / "src" / "bad.rs").write_bytes(b"\xff")
    with pytest.raises(RustAnalyzerError, match="not UTF-8: convert src/bad.rs"):
        dump(
            script(tmp_path, "echo \"thread 'main' panicked at x\" >&2; exit 101"),
            tmp_path / "dump.lsif",
            repo,
        )


def test_a_run_that_takes_too_long_is_ended_with_its_children(tmp_path: Path) -> None:
    marker = tmp_path / "child-survived"
    with pytest.raises(RustAnalyzerError, match="took more than 1 s"):
        dump(
            script(tmp_path, f"(sleep 3; touch {marker}) & sleep 30"),
            tmp_path / "dump.lsif",
            timeout_s=1,
        )
    import time

    time.sleep(2.5)
    assert not marker.exists()


def test_a_run_that_takes_too_much_memory_is_ended_and_the_setting_named(tmp_path: Path) -> None:
    body = (
        f"{sys.executable} -c 'import time; "
        "held = bytes(3 * 10**8).replace(bytes(1), bytes([1])); time.sleep(60)'"
    )
    with pytest.raises(
        RustAnalyzerError,
        match=r"took \d+ MB of memory, more than 150 MB \(rust_analyzer.memory_mb\)",
    ):
        dump(script(tmp_path, body), tmp_path / "dump.lsif", memory_mb=150)
    assert [path.name for path in tmp_path.iterdir()] == ["fake-rust-analyzer"]


def test_the_highest_memory_and_a_fall_back_are_told(tmp_path: Path) -> None:
    made = dump(script(tmp_path, "echo dump"), tmp_path / "dump.lsif")
    assert 0 < made.peak_mb < 100
    assert not made.fell_back
    warned = (
        "echo ' WARN `cargo metadata` failed and returning succeeded result with `--no-deps` "
        "error=...' >&2"
    )
    assert dump(script(tmp_path, f"{warned}; echo dump"), tmp_path / "dump.lsif").fell_back


NOISE = "Encountered enclosing definition with no name"


def noisy(times: int) -> str:
    """Return shell that says what newer rust-analyzers do, with other fields each time."""
    line = f"2026-01-02T03:04:05.678Z ERROR {NOISE} def=Module(Module {{ id: Id(%s) }})"
    return f"for n in $(seq {times}); do printf '{line}\\n' $n; done >&2"


def test_a_message_that_is_repeated_is_told_once_with_its_number(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    once = "echo ' WARN said once' >&2"
    dump(script(tmp_path, f"{noisy(300)}; {once}; echo dump"), tmp_path / "dump.lsif")
    told = [record.getMessage() for record in caplog.records if "said" in record.getMessage()]
    assert told == [f"rust-analyzer said 300 times: {NOISE}"]


def test_a_message_that_is_repeated_hides_no_cause_of_a_failure(tmp_path: Path) -> None:
    body = f"echo 'error: boom' >&2; {noisy(300)}; exit 1"
    with pytest.raises(RustAnalyzerError, match="failed with exit status 1: error: boom | ") as bad:
        dump(script(tmp_path, body), tmp_path / "dump.lsif")
    assert str(bad.value).count(NOISE) == 1


@pytest.mark.parametrize(
    ("network", "seen"), [("as_is", "unset"), ("offline", "true"), ("locked", "unset")]
)
def test_cargos_network_is_the_settings(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, network: str, seen: str
) -> None:
    monkeypatch.delenv("CARGO_NET_OFFLINE", raising=False)
    dump(
        script(tmp_path, 'echo "${CARGO_NET_OFFLINE:-unset}"'),
        tmp_path / "dump.lsif",
        network=network,
    )
    assert (tmp_path / "dump.lsif").read_text() == f"{seen}\n"


def test_an_absent_program_is_told_with_how_to_install_it(tmp_path: Path) -> None:
    with pytest.raises(
        RustAnalyzerMissing,
        match="no program 'no-such-analyzer' on PATH.*rustup component add rust-analyzer",
    ):
        dump("no-such-analyzer", tmp_path / "dump.lsif")


def test_what_it_leaves_in_its_temporary_folder_is_removed(tmp_path: Path) -> None:
    output = tmp_path / "out" / "dump.lsif"
    dump(script(tmp_path, 'mkdir "$TMPDIR/proc-macro-srv1-0"; echo "$TMPDIR"'), output)
    assert Path(output.read_text().strip()).parent == output.parent
    assert list(output.parent.iterdir()) == [output]
    with pytest.raises(RustAnalyzerError):
        dump(script(tmp_path, 'mkdir "$TMPDIR/proc-macro-srv1-0"; kill -9 $$'), output)
    assert list(output.parent.iterdir()) == [output]


def test_a_folder_that_is_no_project_is_told_with_those_that_are(tmp_path: Path) -> None:
    for name in ("rust", "tools/gen", "rust/inner", "target/package", ".git/x"):
        (tmp_path / name).mkdir(parents=True)
        (tmp_path / name / "Cargo.toml").touch()
    with pytest.raises(SourceError) as told:
        check_project(tmp_path)
    assert (
        str(told.value) == f"{tmp_path} holds no Cargo.toml; there is one in rust, tools/gen: "
        "name it with --repo or --subdir."
    )
    with pytest.raises(
        SourceError,
        match=r"there is no folder .*/nosuch; there is one in rust, tools/gen: name it with --",
    ):
        check_project(tmp_path, "nosuch")
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "Cargo.toml").touch()
    with pytest.raises(SourceError, match=r"there is one in a, b, rust and others: name"):
        check_project(tmp_path)
    check_project(tmp_path, "tools/gen")
    shutil.rmtree(tmp_path)
    (tmp_path / "empty").mkdir(parents=True)
    with pytest.raises(
        SourceError, match=r"no folder .*/nosuch; --subdir names the folder of the Cargo project"
    ):
        check_project(tmp_path, "nosuch")


def test_what_is_no_cargo_project_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match=r"holds no Cargo\.toml"):
        check_project(tmp_path)
    with pytest.raises(SourceError, match="no folder"):
        check_project(tmp_path / "absent")


def test_a_folder_with_any_rust_in_it_is_enough_for_a_model(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match=r"holds no Cargo\.toml"):
        check_has_rust(tmp_path)
    for name in ("target/a.rs", ".hidden/b.rs"):
        (tmp_path / name).parent.mkdir()
        (tmp_path / name).touch()
    with pytest.raises(SourceError):
        check_has_rust(tmp_path)
    (tmp_path / "deep" / "in").mkdir(parents=True)
    (tmp_path / "deep" / "in" / "a.rs").touch()
    check_has_rust(tmp_path)
    check_has_rust(tmp_path, "deep")
