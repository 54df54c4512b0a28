"""What tests of trainings learn from, and the tiny encoder that they begin with."""

from __future__ import annotations

import os
import random
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import orjson
import pytest

from flows.cli import main as cli
from lsif.jsonl import write_records
from lsif.structure import Context, Structure

from conftest import PROJECT_ROOT
from tiny_bert import LETTERS, save_tokeniser, vocabulary

BODY = """fn wait_longer(tries: u32) -> Duration {
    // doubles the pause after each failed attempt
    let pause = FIRST * 2u32.pow(tries);
    pause.min(LONGEST)
}
"""
DOCS = "Returns the pause before the next attempt.\n\nIt never exceeds the limit of the policy."


def function(name: str = "wait_longer", code: str = BODY, **changes: Any) -> Structure:
    docs: str | None = changes.pop("docstring", DOCS)
    comment = "".join(f"/// {line}\n" for line in (docs or "").splitlines())
    return Structure(
        name=name,
        signature=f"fn {name}(tries: u32) -> Duration",
        code_type="Function",
        docstring=docs,
        line=changes.pop("line", 3),
        line_from=1,
        line_to=changes.pop("line_to", 8),
        context=Context(module="src", file_path="src/retry.rs", snippet=comment + code),
        id=changes.pop("id", name),
        symbol=f"retry::{name}",
        module_path="retry",
        **changes,
    )


def chance(seed: int = 0) -> random.Random:
    return random.Random(seed)  # noqa: S311 - no secret


def project(number: int, count: int = 4) -> list[Structure]:
    """Return functions that differ in body and documentation from those of other projects."""
    return [
        function(
            f"item_{number}_{at}",
            f"fn item_{number}_{at}() {{\n    let x = {number};\n    call({at});\n}}\n",
            docstring=f"Counts the points of shard {number} after step {at} of a sync.",
        )
        for at in range(count)
    ]


def write_projects(folder: Path) -> list[Path]:
    """Write the records of three projects; return their files."""
    for number in range(3):
        write_records(folder / f"p{number}.jsonl", project(number, 12))
    return sorted(folder.iterdir())


@contextmanager
def tiny_encoder(folder: Path) -> Iterator[Path]:
    """Make a BERT of two layers with random weights; one thread is enough for it.

    Skips the test without the extra `tune`.
    """
    for package in ("accelerate", "datasets"):
        pytest.importorskip(package, reason="the extra tune is not installed")
    import torch
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.sentence_transformer.modules import Pooling, Transformer
    from transformers import BertConfig, BertModel

    torch.manual_seed(0)
    words = vocabulary(f"{LETTERS}0123456789_")
    save_tokeniser(words, folder / "bert")
    config = BertConfig(
        vocab_size=len(words),
        hidden_size=32,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=64,
        max_position_embeddings=64,
        initializer_range=0.3,  # else a layer changes next to nothing
    )
    BertModel(config).save_pretrained(folder / "bert")
    transformer = Transformer(str(folder / "bert"), max_seq_length=64)
    SentenceTransformer(modules=[transformer, Pooling(32)], device="cpu").save(
        str(folder / "model")
    )
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield folder / "model"
    finally:
        torch.set_num_threads(threads)


def arguments(base: Path, records: list[Path], output: Path, length: str = "6") -> list[str]:
    files, how_long = map(str, records), "--minutes" if "." in length else "--steps"
    where = ["-o", str(output), "--base", str(base), "--device", "cpu"]
    return ["tune", *files, *where, "--batch", "4", how_long, length]


def run_training(words: list[str], capsys: pytest.CaptureFixture[str]) -> dict[str, Any]:
    """Run the command; return what it prints as JSON, with its exit code and its messages."""
    code = cli.main([*words, "--json"])
    captured = capsys.readouterr()
    document = orjson.loads(captured.out) if code == 0 else {}
    return {**document, "code": code, "err": captured.err}


_KILLED = """
import os, signal, sys
from embedding.tuning import progress
from flows.cli.main import main

def stop(self, args, state, *_, **__):
    if state.global_step == 4:
        os.kill(os.getpid(), signal.SIGKILL)

progress.SAVED_EVERY_S = 0.0
progress.Progress.on_log = stop
main(sys.argv[1:])
"""


def kill_training(words: list[str], prepare: str = "") -> subprocess.CompletedProcess[bytes]:
    """Run `prepare`, then the command, in a process that kills itself in the fourth step."""
    return subprocess.run(
        [sys.executable, "-c", f"{prepare}\n{_KILLED}", *words],
        cwd=PROJECT_ROOT,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        check=False,
        capture_output=True,
    )


def weights(folder: Path) -> bytes:
    return (folder / "model.safetensors").read_bytes()
