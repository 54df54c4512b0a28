""".ci/reindex as a CI job calls it, and the workflow that calls it on GitHub."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import tarfile
import time
import tomllib
from pathlib import Path

import orjson
import pytest
import yaml

from conftest import PROJECT_ROOT, SAMPLE, SAMPLE_DUMP, cli_environment

SCRIPT = PROJECT_ROOT / ".ci" / "reindex"
FAKE = """#!/bin/sh
printf '%s\\n' "$*" >> "$LSIF_DATA/calls"
case "$1" in
  ingest)
    echo "at work" >&2
    mkdir -p "$LSIF_DATA/checkpoints/one" "$LSIF_DATA/projects/sample"
    ls "$LSIF_DATA/checkpoints/one" > "$LSIF_DATA/found"
    touch "$LSIF_DATA/checkpoints/one/vectors.parquet"
    echo "{}" > "$LSIF_DATA/projects/sample/report.json"
    echo "<html>" > "$LSIF_DATA/projects/sample/report.html"
    echo '{"project": "sample"}' ;;
esac
if [ "$1" = "$SLOW" ]; then echo $$ > "$LSIF_DATA/pid"; exec sleep 600; fi
if [ "$1" = "$FAILS" ]; then exit 1; fi
"""


def program(folder: Path, text: str) -> Path:
    path = folder / "lsif-ingest"
    path.write_text(text)
    path.chmod(0o755)
    return path


def environment(folder: Path, **more: str) -> dict[str, str]:
    return cli_environment(
        {
            "LSIF_DUMP": str(SAMPLE_DUMP),
            "LSIF_REPO": str(SAMPLE),
            "LSIF_DATA": str(folder / "data"),
            "LSIF_CACHE": str(folder / "cache.tar"),
            "LSIF_ARTIFACTS": str(folder / "artifacts"),
            **more,
        }
    )


def reindex(folder: Path, **more: str) -> subprocess.CompletedProcess[str]:
    own = environment(folder, **more)
    return subprocess.run(
        [SCRIPT], capture_output=True, text=True, check=False, cwd=folder, env=own, timeout=300
    )


@pytest.mark.deployed
def test_a_job_indexes_and_the_next_one_uses_its_vectors_and_fails_where_verify_does(
    tmp_path: Path, prefect_home: dict[str, str]
) -> None:
    real = f'exec "{sys.executable}" -m flows "$@"'
    done = reindex(
        tmp_path, LSIF_INGEST=str(program(tmp_path, f"#!/bin/sh\n{real}\n")), **prefect_home
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr.endswith(".ci/reindex: sample is indexed and verified\n")
    report = orjson.loads((tmp_path / "artifacts/report.json").read_bytes())
    assert (report["upload"]["points"], report["embeddings"][1]["embedded"]) == (93, 93)
    assert orjson.loads((tmp_path / "artifacts/verify.json").read_bytes())["ok"]
    cache = (tmp_path / "cache.tar").read_bytes()

    (tmp_path / "data").rename(tmp_path / "former")
    records = tmp_path / "data/projects/sample/structures.jsonl"
    tampering = f'#!/bin/sh\n[ "$1" = verify ] && sed -i 1d "{records}"\n{real}\n'
    done = reindex(tmp_path, LSIF_INGEST=str(program(tmp_path, tampering)), **prefect_home)
    assert done.returncode == 1
    assert (
        done.stderr.splitlines()[-1]
        == ".ci/reindex: the index of sample does not match its records (exit code 1)"
    )
    report = orjson.loads((tmp_path / "artifacts/report.json").read_bytes())
    assert [embedding["embedded"] for embedding in report["embeddings"]] == [0, 0, 0]
    assert not orjson.loads((tmp_path / "artifacts/verify.json").read_bytes())["ok"]
    assert (tmp_path / "cache.tar").read_bytes() == cache


@pytest.mark.parametrize("cache", ["cache.tar", "cache"])
def test_the_cache_is_saved_after_success_only_and_as_a_whole(tmp_path: Path, cache: str) -> None:
    common = {
        "LSIF_INGEST": str(program(tmp_path, FAKE)),
        "LSIF_CACHE": str(tmp_path / "kept" / cache),
    }
    for fails in ("ingest", "verify"):
        done = reindex(tmp_path, FAILS=fails, **common)
        assert done.returncode == 1
        assert not (tmp_path / "kept").exists()
        assert (tmp_path / "artifacts/ingest.log").read_text() == "at work\n"
    assert reindex(tmp_path, **common).returncode == 0
    assert [path.name for path in (tmp_path / "kept").iterdir()] == [cache]
    assert {path.name for path in (tmp_path / "artifacts").iterdir()} == {
        "ingest.log",
        "report.json",
        "report.html",
    }
    for _ in range(2):  # with nothing but the cache; what it holds is what is saved again
        (tmp_path / "data").rename(tmp_path / f"former-{time.monotonic_ns()}")
        done = reindex(tmp_path, **common)
        assert (tmp_path / "data/found").read_text() == "vectors.parquet\n", done.stderr
    assert [path.name for path in (tmp_path / "kept").iterdir()] == [cache]
    assert not list((tmp_path / "data").glob("reindex-*"))


def test_a_damaged_cache_is_no_failure(tmp_path: Path) -> None:
    (tmp_path / "cache.tar").write_bytes(b"no tar file")
    done = reindex(tmp_path, LSIF_INGEST=str(program(tmp_path, FAKE)))
    assert done.returncode == 0
    assert "can't be read: everything is embedded again" in done.stderr
    assert (tmp_path / "data/found").read_text() == ""
    assert b"vectors.parquet" in (tmp_path / "cache.tar").read_bytes()


def tar_of(path: Path, *members: tarfile.TarInfo) -> None:
    with tarfile.open(path, "w") as file:
        for member in members:
            file.addfile(member)


def member(name: str, kind: bytes = tarfile.REGTYPE, link: str = "") -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.type, info.linkname, info.mode = kind, link, 0o755
    return info


@pytest.mark.parametrize("packed", [True, False])
def test_of_a_cache_only_vectors_in_folders_are_restored(tmp_path: Path, packed: bool) -> None:
    elsewhere, checkpoints = tmp_path / "elsewhere", tmp_path / "data/checkpoints"
    for folder in (elsewhere, checkpoints / "afile", checkpoints / "alink"):
        folder.mkdir(parents=True)
    (checkpoints / "afolder").touch()
    (checkpoints / "linked").symlink_to(elsewhere)
    (checkpoints / "one").mkdir()
    (checkpoints / "one" / "kept.parquet").symlink_to(elsewhere / "target")
    tar_of(
        tmp_path / "cache.tar",
        member("afile"),  # where the data folder has a folder
        member("alink", tarfile.SYMTYPE, str(elsewhere)),
        member("new", tarfile.SYMTYPE, str(elsewhere)),
        member("afolder/x.parquet"),  # where the data folder has a file
        member("linked/x.parquet"),
        member("one/kept.parquet"),
        member("one/good.parquet"),
        member("one/link.parquet", tarfile.SYMTYPE, str(elsewhere / "target")),
        member("one/run.sh"),
        member("top.parquet"),
        member("one/two/deep.parquet"),
    )
    if not packed:
        (tmp_path / "cache").mkdir()
        subprocess.run(["tar", "-xf", "cache.tar", "-C", "cache"], cwd=tmp_path, check=True)
    cache = str(tmp_path / ("cache.tar" if packed else "cache"))
    done = reindex(tmp_path, LSIF_INGEST=str(program(tmp_path, FAKE)), LSIF_CACHE=cache)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "data/found").read_text() == "good.parquet\nkept.parquet\n"
    assert {path.name for path in checkpoints.iterdir()} == {
        "afile",
        "afolder",
        "alink",
        "linked",
        "one",
    }
    assert not (checkpoints / "one" / "kept.parquet").is_symlink()
    assert list(elsewhere.iterdir()) == []
    assert "restored 2 files with vectors" in done.stderr


@pytest.mark.parametrize("name", ["cache.tar", "cache"])
def test_a_cache_that_can_not_be_saved_costs_the_job_a_warning_and_leaves_the_former_one(
    tmp_path: Path, name: str
) -> None:
    kept = tmp_path / "kept"
    common = {"LSIF_INGEST": str(program(tmp_path, FAKE)), "LSIF_CACHE": str(kept / name)}
    assert reindex(tmp_path, **common).returncode == 0
    (tmp_path / "bin").mkdir()
    for tool in ("tar", "cp"):  # as on a full disk
        real = (
            'case "$*" in *.lsif-cache-*) echo "no space left" >&2; exit 2;; esac; '
            f'exec /bin/{tool} "$@"'
        )
        (tmp_path / "bin" / tool).write_text(f"#!/bin/sh\n{real}\n")
        (tmp_path / "bin" / tool).chmod(0o755)
    done = reindex(tmp_path, **common, PATH=f"{tmp_path / 'bin'}:{os.environ['PATH']}")
    assert done.returncode == 0, done.stderr
    assert (
        f"warning: can't save the cache {kept / name}: the next job embeds everything"
        in done.stderr
    )
    assert done.stderr.endswith(".ci/reindex: sample is indexed and verified\n")
    assert [path.name for path in kept.iterdir()] == [name]
    assert "restored 1 file with vectors" in reindex(tmp_path, **common).stderr


def test_vectors_that_can_not_be_compacted_are_saved_as_they_are(tmp_path: Path) -> None:
    done = reindex(tmp_path, LSIF_INGEST=str(program(tmp_path, FAKE)), FAILS="checkpoint")
    assert (done.returncode, (tmp_path / "cache.tar").exists()) == (0, True)
    assert "warning: the vectors can't be compacted" in done.stderr


@pytest.mark.parametrize(
    ("config", "is_cached"),
    [
        ('[checkpoint]\nstore = "s3://bucket/prefix"\n', False),
        ("checkpoint.store='/srv/vectors'\n", False),
        ('checkpoint = { numbers = "float16", store = "/srv/vectors" }\n', False),
        ('[checkpoint]\nstore = ""  # "s3://bucket"\n', True),
        ('# store = "s3://bucket"\n', True),
    ],
)
def test_only_the_data_folders_own_vectors_are_cached(
    tmp_path: Path, config: str, is_cached: bool
) -> None:
    (tmp_path / "ci.toml").write_text(config)
    tar_of(tmp_path / "cache.tar", member("one/former.parquet"))
    before = (tmp_path / "cache.tar").read_bytes()
    done = reindex(
        tmp_path, LSIF_INGEST=str(program(tmp_path, FAKE)), LSIF_CONFIG=str(tmp_path / "ci.toml")
    )
    assert done.returncode == 0, done.stderr
    assert ("checkpoint compact" in (tmp_path / "data/calls").read_text()) is is_cached
    assert (tmp_path / "data/found").read_text() == ("former.parquet\n" if is_cached else "")
    assert ((tmp_path / "cache.tar").read_bytes() != before) is is_cached


@pytest.mark.parametrize(("name", "is_folder"), [("cache.tar", True), ("cache.bin", False)])
def test_a_cache_that_would_end_elsewhere_or_replace_a_file_is_refused(
    tmp_path: Path, name: str, is_folder: bool
) -> None:
    if is_folder:
        (tmp_path / name).mkdir()
    else:
        (tmp_path / name).write_text("mine")
    done = reindex(
        tmp_path, LSIF_INGEST=str(program(tmp_path, FAKE)), LSIF_CACHE=str(tmp_path / name)
    )
    assert (done.returncode, "LSIF_CACHE names the f" in done.stderr) == (2, True)
    assert not (tmp_path / "data").exists()
    assert (
        list((tmp_path / name).iterdir()) == []
        if is_folder
        else (tmp_path / name).read_text() == "mine"
    )


@pytest.mark.parametrize("name", ["2048", "true", 'it\'s "x" \\'])
def test_names_reach_the_program_as_text(tmp_path: Path, name: str) -> None:
    done = reindex(
        tmp_path, LSIF_INGEST=str(program(tmp_path, FAKE)), LSIF_DATA=name, LSIF_PROJECT=name
    )
    assert done.returncode == 0, done.stderr
    (line,) = (
        line
        for line in (tmp_path / name / "calls").read_text().splitlines()
        if line.startswith("ingest")
    )
    data, project = re.findall(r"--set paths\.data=(.*) --project (.*) --json", line)[0]
    assert (tomllib.loads(f"x = {data}")["x"], project) == (name, name)


@pytest.mark.parametrize(("sent", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_a_signal_ends_the_program_and_keeps_the_artifacts(
    tmp_path: Path, sent: signal.Signals, code: int
) -> None:
    process = subprocess.Popen(
        [SCRIPT],
        cwd=tmp_path,
        env=environment(tmp_path, LSIF_INGEST=str(program(tmp_path, FAKE)), SLOW="ingest"),
        stderr=subprocess.DEVNULL,
    )
    pid = tmp_path / "data" / "pid"
    while not (pid.exists() and pid.read_text()):
        assert process.poll() is None
        time.sleep(0.05)
    process.send_signal(sent)
    assert process.wait(30) == code
    with pytest.raises(ProcessLookupError):
        os.kill(int(pid.read_text()), 0)
    assert (tmp_path / "artifacts/ingest.log").read_text() == "at work\n"


def test_the_workflow_calls_what_exists() -> None:
    text, script = (PROJECT_ROOT / ".ci/github-reindex.yml").read_text(), SCRIPT.read_text()
    workflow = yaml.safe_load(text)
    job = workflow["jobs"]["reindex"]
    assert set(workflow[True]) == {
        "push",
        "workflow_dispatch",
    }  # YAML 1.1 reads `on` as a truth value
    assert workflow["concurrency"]["group"] == "reindex-${{ github.ref }}"
    for step in job["steps"]:
        assert (
            re.fullmatch(r"actions/[a-z-]+@v\d+", step["uses"]) if "uses" in step else step["run"]
        )
    (call,) = (step for step in job["steps"] if "lsif-ingest/.ci/reindex" in step.get("run", ""))
    assert os.access(SCRIPT, os.X_OK)
    documented = set(re.findall(r"^#   (LSIF_\w+)", script, re.MULTILINE))
    assert set(call["env"]) - {"QDRANT_URL", "QDRANT_API_KEY"} <= documented
    assert documented == set(re.findall(r"\b(LSIF_[A-Z]+)\b", script))
    (always,) = (
        step for step in job["steps"] if step.get("uses", "").startswith("actions/upload-artifact")
    )
    assert (always["if"], always["with"]["path"]) == ("always()", call["env"]["LSIF_ARTIFACTS"])
    assert "setup: $(READY)" in (PROJECT_ROOT / "Makefile").read_text()
