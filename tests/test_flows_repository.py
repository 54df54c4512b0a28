"""Runs that begin with a git URL; a script that prints the sample's dump plays rust-analyzer."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import orjson
import pytest

from conftest import SAMPLE, SAMPLE_DUMP, points, run


def git(folder: Path, *arguments: str) -> str:
    identity = ("-c", "user.name=t", "-c", "user.email=t@example.org")
    return subprocess.run(
        ["git", "-C", str(folder), *identity, *arguments],
        check=True,
        capture_output=True,
        text=True,
    ).stdout.strip()


@pytest.fixture
def sample_repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The sample in a git repository, and a rust-analyzer that counts how often it makes a dump."""
    folder = Path(shutil.copytree(SAMPLE, tmp_path / "sample"))
    git(folder, "init", "--quiet", "--initial-branch=main")
    git(folder, "add", ".")
    git(folder, "commit", "--quiet", "-m", "first")
    programs = {
        "rust-analyzer": '[ "$1" = --version ] && echo "rust-analyzer 1.85.1" && exit; '
        f"echo >>{tmp_path}/made\n"
        """root=$(sed -n 's#.*"include_dirs":\\["\\([^"]*\\)".*#\\1#p' $2/rust-project.json)\n"""
        f'sed "s#/src/sample#$root#g" {SAMPLE_DUMP}',
        "cargo": "exit 1",
        "rustc": "exit 1",
    }
    (tmp_path / "bin").mkdir()
    for name, body in programs.items():
        (tmp_path / "bin" / name).write_text(f"#!/bin/sh\n{body}\n")
        (tmp_path / "bin" / name).chmod(0o755)
        monkeypatch.setenv(name.upper(), str(tmp_path / "bin" / name))
    return folder


def dumps_made(folder: Path) -> int:
    return len((folder / "made").read_text()) if (folder / "made").exists() else 0


@pytest.mark.usefixtures("harness")
def test_a_url_is_indexed_and_the_second_run_makes_no_dump(
    sample_repository: Path,
    tmp_path: Path,
    indexed_sample: Path,
    capsys: pytest.CaptureFixture[str],
    caplog: pytest.LogCaptureFixture,
) -> None:
    data, url = tmp_path / "data", f"file://{sample_repository}"
    shutil.copytree(indexed_sample / "checkpoints", data / "checkpoints")
    own = (
        "--set",
        f"paths.data={data}",
        "--set",
        f"rust_analyzer.command={tmp_path}/bin/rust-analyzer",
    )
    code, out, message = run(
        "ingest", "--repo", url, "--ref", "main", "--json", *own, capsys=capsys
    )
    assert (code, message) == (0, "")
    first = orjson.loads(out)
    assert (first["project"], first["commit"], first["dirty"]) == (
        "sample",
        git(sample_repository, "rev-parse", "HEAD"),
        False,
    )
    assert first["upload"]["points"] == len(points(data)) == 93
    assert list(first["seconds"])[:4] == ["check", "checkout", "dump", "parse"]
    assert first["dump"]["reused"] is False
    assert first["dump"]["rust_analyzer"] == "rust-analyzer 1.85.1"
    assert first["dump"]["dependencies"] == "unresolved"  # its cargo fails
    assert dumps_made(tmp_path) == 1

    code, out, _ = run("ingest", "--repo", url, "--ref", "main", *own, capsys=capsys)
    assert code == 0
    assert "  dump              0.8  MB, reused; Cargo can't resolve the dependencies" in out
    code, out, _ = run("ingest", "--repo", url, "--plan", "--json", *own, capsys=capsys)
    assert (code, orjson.loads(out)["way"]) == (0, "unchanged")
    assert dumps_made(tmp_path) == 1

    code, out, _ = run(
        "dump",
        "--repo",
        url,
        "--ref",
        "main",
        "-o",
        str(tmp_path / "out.lsif"),
        *own,
        capsys=capsys,
    )
    assert code == 0
    written, expected = (tmp_path / "out.lsif").read_bytes(), SAMPLE_DUMP.read_bytes()
    assert written.count(b"\n") == expected.count(b"\n")
    assert dumps_made(tmp_path) == 2
    # What a plan that was killed left is removed by any run.
    left = data / "projects" / "sample" / "plan-abc"
    left.mkdir()
    (left / "dump.lsif").write_text("x")
    # A clone made by hand is the same project.
    git(tmp_path, "clone", "--quiet", url, str(tmp_path / "by-hand" / "sample"))
    code, _, message = run(
        "ingest", "--repo", str(tmp_path / "by-hand" / "sample"), *own, capsys=capsys
    )
    assert (code, message) == (0, "")
    assert dumps_made(tmp_path) == 2
    assert not left.exists()


@pytest.mark.usefixtures("harness")
def test_the_data_folder_inside_the_repository_is_no_change_of_it(
    sample_repository: Path,
    tmp_path: Path,
    indexed_sample: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    (sample_repository / "data").mkdir()
    (sample_repository / "data/own.txt").write_text("the repository's")
    git(sample_repository, "add", ".")
    git(sample_repository, "commit", "--quiet", "-m", "second")
    shutil.copytree(indexed_sample / "checkpoints", sample_repository / "data/checkpoints")
    (sample_repository / "data/prefect").mkdir()
    (sample_repository / "data/reindex-4f9Qxb").mkdir()  # .ci/reindex's
    monkeypatch.chdir(sample_repository)
    reports = []
    for number in range(2):
        (sample_repository / "data/prefect/profiles.toml").write_text(f"number = {number}")
        (sample_repository / "data/reindex-4f9Qxb/ingest.log").write_text(f"{number}")
        own = (
            "--set",
            f"rust_analyzer.command={tmp_path}/bin/rust-analyzer",
            "--set",
            "paths.data=data",
        )
        code, out, message = run("ingest", "--repo", ".", "--json", *own, capsys=capsys)
        assert (code, message) == (0, "")
        reports.append(orjson.loads(out))
    assert [one["dirty"] for one in reports] == [False, False]
    assert [one["dump"]["reused"] for one in reports] == [False, True]
    assert git(sample_repository, "status", "--porcelain") == ""
    (sample_repository / "data/more.txt").write_text("the repository's")
    assert git(sample_repository, "status", "--porcelain") == "?? data/more.txt"


@pytest.mark.usefixtures("harness")
def test_a_repository_out_of_reach_is_tried_again_and_an_absent_ref_is_not(
    sample_repository: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    caplog: pytest.LogCaptureFixture,
) -> None:
    own = (
        "--set",
        f"paths.data={tmp_path / 'data'}",
        "--set",
        "flow.retry_delay_s=0.0",
        "--set",
        "flow.retries=2",
    )
    code, out, message = run(
        "ingest", "--repo", "https://127.0.0.1:9/sample.git", *own, capsys=capsys
    )
    assert (code, out) == (1, "")
    assert message.startswith(
        "lsif-ingest: can't fetch https://127.0.0.1:9/sample.git: fatal: unable to access"
    )
    assert caplog.text.count("Retry") == 2
    code, _, message = run(
        "ingest", "--repo", f"file://{sample_repository}", "--ref", "absent", *own, capsys=capsys
    )
    assert (code, message) == (
        1,
        f"lsif-ingest: file://{sample_repository} has no branch or tag 'absent'.",
    )
    assert caplog.text.count("Retry") == 2


@pytest.mark.usefixtures("harness")
def test_a_checkout_without_a_cargo_project_is_refused(
    sample_repository: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (sample_repository / "notes").mkdir()
    (sample_repository / "notes" / "a.md").touch()
    git(sample_repository, "add", ".")
    git(sample_repository, "commit", "--quiet", "-m", "notes")
    own = ("--set", f"paths.data={tmp_path / 'data'}")
    code, _, message = run(
        "ingest", "--repo", f"file://{sample_repository}", "--subdir", "notes", *own, capsys=capsys
    )
    assert code == 1
    assert "notes holds no Cargo.toml" in message


@pytest.mark.parametrize(
    "arguments",
    [
        ("ingest", "--structures", "x", "--ref", "main"),
        ("ingest", "--repo", "https://me:x@example.org/a.git"),
        ("ingest", "--repo", "ext::sh -c x"),
        ("ingest", "--repo", "x", "--ref=-x"),
        ("ingest", "--repo", "x", "--ref", "r" * 200_000),
        ("ingest", "--repo", "x", "--ref", "a\0b"),
        ("ingest", "--repo", "a\0b"),
        ("ingest", "--repo", "a" * 5000),
        ("ingest", "--repo", "a/" * 2500),
        ("dump", "--repo", "a" * 256, "-o", "/tmp/x.lsif"),
        ("ingest", "--repo", "https://example.org/" + "a/" * 100_000),
        ("ingest", "--repo", ".", "--subdir", "a\0b"),
        ("ingest", "--repo", "https://example.org/a.git", "--subdir", "a" * 5000),
        ("dump", "--repo", "http://example.org/a.git", "-o", "/tmp/x.lsif"),
    ],
)
def test_wrong_usage_has_exit_code_2(
    arguments: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    code, _, message = run(*arguments, capsys=capsys)
    assert (code, len(message) < 1000) == (2, True)
