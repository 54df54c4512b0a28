from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from kills import KILLS
from numpy.typing import NDArray

from embedding.checkpoint import Checkpoint
from embedding.compaction import compact
from embedding.embed import EmbedReport
from embedding.encoder import Fingerprint, validate
from embedding.errors import CheckpointError, VectorError
from lsif.extract import parse_dump
from lsif.jsonl import read_blocks, read_structures, write_records
from lsif.structure import Structure

from conftest import PROJECT_ROOT, SAMPLE, SAMPLE_DUMP, FakeEncoder, embed_all, vectors_of


def embed(
    structures: Path,
    root: Path,
    fingerprint: Fingerprint,
    load: Callable[[], FakeEncoder],
    rows_per_file: int = 10,
) -> EmbedReport:
    """Embed the structures' texts of one fingerprint; return what that took."""
    plan = embed_all(structures, root, load, {"code": fingerprint}, rows_per_file=rows_per_file)
    return plan.reports()[0]


def test_each_text_is_embedded_once_and_the_second_run_loads_no_model(
    sample_structures: Path,
    structures: list[Structure],
    tmp_path: Path,
    fingerprint: Fingerprint,
    encoder: FakeEncoder,
) -> None:
    first = embed(sample_structures, tmp_path, fingerprint, lambda: encoder)
    texts = [text for batch in encoder.batches for text in batch]
    assert (
        len(texts)
        == len(set(texts))
        == first.embedded
        == len({structure.context.snippet for structure in structures})
    )
    assert first.texts == 77 == first.embedded + first.duplicates
    assert first.from_checkpoint == 0

    def fail() -> FakeEncoder:
        raise AssertionError("nothing is missing, so no model is needed")

    second = embed(sample_structures, tmp_path, fingerprint, fail)
    assert (second.embedded, second.from_checkpoint, second.duplicates, second.dimension) == (
        0,
        77,
        0,
        8,
    )


def test_texts_of_similar_length_share_a_batch_the_longest_first(
    sample_structures: Path, tmp_path: Path, fingerprint: Fingerprint, encoder: FakeEncoder
) -> None:
    embed(sample_structures, tmp_path, fingerprint, lambda: encoder, rows_per_file=100)
    lengths = [len(text) for batch in encoder.batches for text in batch]
    assert lengths == sorted(lengths, reverse=True)
    assert max(len(batch) for batch in encoder.batches) == 4


def test_every_structure_gets_the_vector_of_its_own_text(
    sample_structures: Path,
    structures: list[Structure],
    tmp_path: Path,
    fingerprint: Fingerprint,
    encoder: FakeEncoder,
) -> None:
    embed(sample_structures, tmp_path, fingerprint, lambda: encoder)
    table = vectors_of(sample_structures, tmp_path, fingerprint, tmp_path / "scratch")
    expected = np.stack([encoder.vector(one.context.snippet) for one in structures])
    np.testing.assert_array_equal(table[0 : len(table)], expected)
    table.close()


def test_only_what_changed_is_embedded_again(
    sample_structures: Path,
    structures: list[Structure],
    tmp_path: Path,
    fingerprint: Fingerprint,
    encoder: FakeEncoder,
) -> None:
    embed(sample_structures, tmp_path, fingerprint, lambda: encoder)
    changed = replace(
        structures[5], context=replace(structures[5].context, snippet="fn changed() {}\n")
    )
    write_records(tmp_path / "changed.jsonl", [*structures[:5], changed, *structures[6:]])
    encoder.batches.clear()
    report = embed(tmp_path / "changed.jsonl", tmp_path, fingerprint, lambda: encoder)
    assert report.embedded == 1
    assert encoder.batches == [["fn changed() {}\n"]]


def test_blocks_are_embedded_by_their_snippets_and_kept_by_a_compaction(
    tmp_path: Path, fingerprint: Fingerprint, encoder: FakeEncoder
) -> None:
    structures, blocks, root = (
        tmp_path / "structures.jsonl",
        tmp_path / "blocks.jsonl",
        tmp_path / "c",
    )
    parse_dump(
        SAMPLE_DUMP,
        SAMPLE,
        structures,
        project="sample",
        max_bad_lines=0,
        max_stale_share=0,
        blocks=blocks,
    )
    found = list(read_blocks(blocks))
    fingerprints = {"code": fingerprint, "blocks": fingerprint}
    plan = embed_all(
        structures, root, lambda: encoder, fingerprints, rows_per_file=5, blocks=blocks
    )
    report = plan.reports()[1]
    assert report.texts == len(found) > 5
    table = plan.tables(structures)["blocks"]
    np.testing.assert_array_equal(
        table[0 : len(table)], np.stack([encoder.vector(one.snippet) for one in found])
    )
    table.close()
    assert compact(root, [structures], rows_per_file=5, scratch=tmp_path, age_s=0).dropped == 0
    blocks.unlink()
    assert (
        compact(root, [structures], rows_per_file=5, scratch=tmp_path, age_s=0).dropped
        == report.embedded
    )


@pytest.mark.parametrize("failure", [KeyboardInterrupt(), VectorError("NaN")])
def test_what_is_embedded_before_a_failure_is_kept(
    sample_structures: Path, tmp_path: Path, fingerprint: Fingerprint, failure: BaseException
) -> None:
    class Failing(FakeEncoder):
        def encode_documents(self, texts: Sequence[str]) -> NDArray[np.float32]:
            if len(self.batches) == 7:
                raise failure
            return super().encode_documents(texts)

    with pytest.raises(type(failure)):
        embed(sample_structures, tmp_path, fingerprint, Failing)
    assert (
        len(Checkpoint(tmp_path, fingerprint).keys()) == 24
    )  # files of 10, batches of 4: 4 + 4 + 2, 4 + 4 + 2, 4, failure


def test_a_file_that_changes_while_it_is_embedded_poisons_nothing(
    sample_structures: Path, tmp_path: Path, fingerprint: Fingerprint, encoder: FakeEncoder
) -> None:
    path = tmp_path / "structures.jsonl"
    original = sample_structures.read_bytes()
    path.write_bytes(original)

    def load() -> FakeEncoder:
        path.write_bytes(original.replace(b"fn ", b"FN "))
        return encoder

    embed(path, tmp_path, fingerprint, load)
    with pytest.raises(CheckpointError, match="lacks"):
        vectors_of(path, tmp_path, fingerprint, tmp_path / "scratch")
    path.write_bytes(original)
    embed(
        path, tmp_path, fingerprint, lambda: encoder
    )  # what it read too late is missing, nothing is wrong
    table = vectors_of(path, tmp_path, fingerprint, tmp_path / "scratch")
    expected = np.stack([encoder.vector(one.context.snippet) for one in read_structures(path)])
    np.testing.assert_array_equal(table[0 : len(table)], expected)
    table.close()


def test_the_report_counts_tokens_and_texts_that_were_cut_off(
    sample_structures: Path, structures: list[Structure], tmp_path: Path, fingerprint: Fingerprint
) -> None:
    report = embed(sample_structures, tmp_path, fingerprint, lambda: FakeEncoder(max_tokens=500))
    lengths = [len(text) for text in {structure.context.snippet for structure in structures}]
    assert report.cut_off == sum(length > 500 for length in lengths) > 0
    assert report.tokens == sum(min(length, 500) for length in lengths)
    assert (report.device, report.precision) == ("cpu", "fp32")
    again = embed(sample_structures, tmp_path, fingerprint, lambda: FakeEncoder(max_tokens=500))
    assert (again.cut_off, again.tokens, again.device) == (0, 0, "")


def test_a_folder_that_cant_be_written_is_reported(
    sample_structures: Path, tmp_path: Path, fingerprint: Fingerprint
) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(CheckpointError, match=r"can't write .*file"):
        embed(sample_structures, tmp_path / "file", fingerprint, FakeEncoder)
    if os.path.exists("/dev/full") and os.geteuid() == 0:  # noqa: PTH110
        with pytest.raises(CheckpointError, match="can't write"):
            embed(sample_structures, Path("/proc/none"), fingerprint, FakeEncoder)


@pytest.mark.parametrize(
    ("vectors", "message"),
    [
        (np.full((2, 3), np.nan), "NaN, infinity or zero for 2 of 2 texts"),
        (np.array([[1, 0, 0], [0, 0, 0]]), "for 1 of 2 texts; the first is number 2"),
        (np.array([[1, 0, 0], [np.inf, 0, 0]]), "the first is number 2"),
        (np.ones((2, 4)), r"shape \(2, 4\); expected \(2, 3\)"),
        (np.ones((1, 3)), r"shape \(1, 3\)"),
    ],
)
def test_what_is_not_a_vector_is_rejected(vectors: np.ndarray, message: str) -> None:
    with pytest.raises(VectorError, match=message):
        validate(vectors, count=2, dimension=3, model="m")


def test_vectors_are_normalised_float32() -> None:
    result = validate(np.array([[3.0, 4.0]]), count=1, dimension=2, model="m")
    assert result.dtype == np.float32
    np.testing.assert_allclose(result, [[0.6, 0.8]], rtol=1e-6)


SLOW_RUN = """
    import sys, time
    from pathlib import Path
    from fakes import FakeEncoder, embed_all
    from embedding.encoder import Fingerprint

    class SlowEncoder(FakeEncoder):
        def encode_documents(self, texts):
            print("at work", flush=True)
            time.sleep(0.02)
            return super().encode_documents(texts)

    fingerprints = {"code": Fingerprint("fake", "1", "snippet-1", 0)}
    structures, store = map(Path, sys.argv[1:])
    plan = embed_all(structures, store, SlowEncoder, fingerprints, rows_per_file=5)
    print(plan.reports()[0].embedded)
"""


def content(root: Path, fingerprint: Fingerprint) -> dict[bytes, tuple[float, ...]]:
    tables = [pq.read_table(path) for path in (root / fingerprint.digest).glob("*.parquet")]
    return {
        key: tuple(vector)
        for table in tables
        for key, vector in zip(table["key"].to_pylist(), table["vector"].to_pylist(), strict=True)
    }


def test_runs_that_are_killed_at_random_moments_end_with_what_an_undisturbed_one_gives(
    sample_structures: Path, tmp_path: Path, fingerprint: Fingerprint, encoder: FakeEncoder
) -> None:
    script = tmp_path / "run.py"
    script.write_text(textwrap.dedent(SLOW_RUN))
    environment = {"PYTHONPATH": f"{PROJECT_ROOT}:{PROJECT_ROOT / 'tests'}", "PATH": ""}
    arguments = [sys.executable, str(script), str(sample_structures), str(tmp_path / "killed")]
    moments = random.Random(7)  # noqa: S311 - moments, not secrets
    kept, progress = 0, 0
    for _ in range(KILLS):
        process = subprocess.Popen(
            arguments, env=environment, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
        )
        assert process.stdout is not None
        process.stdout.readline()  # it embeds the first texts, or all are embedded
        time.sleep(moments.uniform(0, 0.3))
        process.send_signal(signal.SIGKILL)
        process.communicate()
        now = len(Checkpoint(tmp_path / "killed", fingerprint).keys())
        assert now >= kept
        progress += now > kept
        kept = now
    assert progress > 0
    done = subprocess.run(arguments, env=environment, capture_output=True, text=True, check=True)
    undisturbed = embed(
        sample_structures, tmp_path / "undisturbed", fingerprint, lambda: encoder, rows_per_file=5
    )
    assert int(done.stdout.split()[-1]) == undisturbed.embedded - kept
    assert content(tmp_path / "killed", fingerprint) == content(
        tmp_path / "undisturbed", fingerprint
    )
