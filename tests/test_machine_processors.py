"""How a run shares the processors of its machine."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import pytest

from configs.errors import ConfigError
from configs.settings import load_settings
from configs.workspace import Workspace
from flows.cli.arguments import workspace_of
from flows.cli.main import command_line_parser
from flows.source.source import Source
from flows.stages import pipeline, vectors
from machine import processors
from machine.processors import be_nice, compute_with, wait_without_spinning

from conftest import PROJECT_ROOT

NUMBERS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "RAYON_NUM_THREADS")


@pytest.fixture
def no_library(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is loaded yet, and what is set in the environment is undone."""
    monkeypatch.setattr(processors, "_LOADED", {})
    for name in NUMBERS:
        monkeypatch.setenv(name, "")


class Libraries(dict[str, object]):
    """What stands for libraries that are loaded; notes what they were told."""

    def __init__(self) -> None:
        self.told: list[tuple[str, int]] = []
        super().__init__(torch=self, pyarrow=self)

    def set_num_threads(self, number: int) -> None:
        self.told.append(("torch", number))

    def set_cpu_count(self, number: int) -> None:
        self.told.append(("pyarrow", number))


@pytest.mark.parametrize(
    ("given", "policy"),
    [
        ({}, "PASSIVE"),
        ({"OMP_WAIT_POLICY": "ACTIVE"}, "ACTIVE"),
        ({"GOMP_SPINCOUNT": "100"}, None),
        ({"KMP_BLOCKTIME": "0"}, None),
    ],
)
def test_threads_sleep_while_they_wait_unless_the_user_said_otherwise(
    given: dict[str, str], policy: str | None
) -> None:
    environment = dict(given)
    wait_without_spinning(environment)
    assert environment.get("OMP_WAIT_POLICY") == policy
    assert environment.items() >= given.items()


def test_the_openmp_of_torch_reads_it_in_the_process_that_sets_it() -> None:
    found = importlib.util.find_spec("torch")
    assert found is not None
    folder = Path((found.submodule_search_locations or [""])[0]) / "lib"
    library = next(folder.glob("libgomp*.so*"), None)
    if library is None:
        pytest.skip("this build of torch brings no libgomp")
    script = (
        "import ctypes, os, sys; from machine.processors import wait_without_spinning;"
        "wait_without_spinning(os.environ); ctypes.CDLL(sys.argv[1])"
    )
    said = subprocess.run(
        [sys.executable, "-c", script, library],
        env={"OMP_DISPLAY_ENV": "VERBOSE", "PYTHONPATH": str(PROJECT_ROOT)},
        capture_output=True,
        text=True,
        check=True,
    ).stderr
    assert "OMP_WAIT_POLICY = 'PASSIVE'" in said
    assert "GOMP_SPINCOUNT = '0'" in said


def test_it_is_said_before_any_command_and_before_a_model_is_loaded(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from embedding import models
    from flows import __main__ as program

    monkeypatch.setenv("OMP_WAIT_POLICY", "")
    monkeypatch.delenv("OMP_WAIT_POLICY")
    monkeypatch.setattr(program, "main", lambda: os.environ["OMP_WAIT_POLICY"])
    monkeypatch.setattr(program, "collect_rarely", lambda: None)
    monkeypatch.setattr(program.gc, "freeze", lambda: None)
    assert program.run() == "PASSIVE"
    monkeypatch.delenv("OMP_WAIT_POLICY")
    monkeypatch.setattr(models, "_load_one", lambda *_: os.environ["OMP_WAIT_POLICY"])
    settings = load_settings(None, ["embedding.text.device=cpu"]).embedding.text
    assert models.load_encoder("", None, settings) == "PASSIVE"


def test_the_number_of_threads_holds_for_libraries_that_are_loaded_and_those_to_come(
    no_library: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    compute_with(0)
    assert {os.environ[name] for name in NUMBERS} == {""}
    libraries = Libraries()
    monkeypatch.setattr(processors, "_LOADED", libraries)
    compute_with(3)
    assert {os.environ[name] for name in NUMBERS} == {"3"}
    assert libraries.told == [("torch", 3), ("pyarrow", 3)]


def test_each_command_computes_with_the_threads_of_its_settings(no_library: None) -> None:
    parser = command_line_parser("status")
    workspace_of(parser.parse_args(["status", "--set", "embedding.threads=2"]))
    assert os.environ["OMP_NUM_THREADS"] == "2"


def test_niceness_only_grows(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [5]
    monkeypatch.setattr(processors.os, "getpriority", lambda *_: now[0])
    monkeypatch.setattr(processors.os, "setpriority", lambda *given: now.append(given[-1]))
    for niceness in (0, 4, 5, 10):
        be_nice(niceness)
    assert now == [5, 10]


def test_a_run_a_plan_and_a_worker_are_as_nice_as_the_settings_say(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    from flows import ingest, orchestration
    from flows.stages import sources

    class Done(Exception):
        pass

    def nice(niceness: int) -> None:
        raise Done(niceness)

    for module in (ingest, orchestration, pipeline, sources, vectors):
        monkeypatch.setattr(module, "be_nice", nice)
    settings = load_settings(None, ["flow.niceness=7", f"paths.data={tmp_path}"])
    source, workspace = Source(structures=tmp_path / "x.jsonl"), Workspace(settings)
    for run in (
        lambda: ingest.ingest.fn(source, settings),
        lambda: orchestration.run_ingest(source, settings, rebuild=False),
        lambda: pipeline.plan_run(workspace, source),
        lambda: sources.dump_source(workspace, source, tmp_path / "d"),
        lambda: vectors.embed(workspace, None),  # type: ignore[arg-type]  # not looked at
    ):
        with pytest.raises(Done, match="^7$"):
            run()


@pytest.mark.parametrize(
    "override",
    ["flow.niceness=20", "flow.niceness=-1", "embedding.threads=-1", "embedding.threads=1025"],
)
def test_what_no_system_takes_is_refused(override: str) -> None:
    with pytest.raises(ConfigError, match=override.partition("=")[0]):
        load_settings(None, [override])
