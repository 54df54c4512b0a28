"""The commands that search, as people use them: what they print, open and serve; how they end."""

from __future__ import annotations

import io
import os
import pty
import re
import shutil
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import orjson
import pytest
import uvicorn
from searchable import (
    Models,
    fake_models,
    index_sample,
    index_tutorial,
    model_digests,
    settings_of,
    until,
)

from flows.cli import main as cli
from flows.cli.answers import clean, print_answer
from search import published
from search.answer import Answer
from search.hit import Hit
from storage.embedded.index import EmbeddedIndex
from storage.index import Generation

from conftest import PROJECT_ROOT, SAMPLE, cli_environment, copied, run, run_cli
from made_up import made

CONTROLS = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")
"""What a terminal acts upon, or what turns the direction of text; lines are ended by \\n."""
HOSTILE = "\x1b[31m\x07\x9b2J\x1b]0;title\x07\u202ehidden\u2066\r\x7f"
EVERYWHERE = "0.0.0.0"  # noqa: S104 - all addresses, on purpose
SCORES = re.compile(r"\((?:(?:text|code|bm25|blocks) -?\d+\.\d\d ?)+\)")
"""Scores of a hit as they are printed."""


A_HIT = Hit(made("made", lines=(1, 1), crate="made").structure, 0.5, {"text": 0.5})
AN_ANSWER = Answer(
    "x",
    "text",
    "words",
    "made",
    "",
    None,
    dirty=False,
    generation="made--1",
    confidence=None,
    has_answer=True,
    latency_ms={},
    hits=[A_HIT],
)


@pytest.fixture(scope="module")
def fake() -> Iterator[Models]:
    with fake_models() as models:
        yield models


class KeptIndex(EmbeddedIndex):
    """Stays open from command to command: opening it is what takes the time."""

    def __init__(self, root: Path) -> None:
        super().__init__(root)
        self._kept: dict[str, Generation | None] = {}

    def live(self, collection: str) -> Generation | None:
        if collection not in self._kept:
            self._kept[collection] = super().live(collection)
        return self._kept[collection]

    def close(self) -> None:
        pass


@contextmanager
def kept_open(data: Path) -> Iterator[None]:
    """Let commands of this process keep the index open."""
    kept, connect = KeptIndex(data / "qdrant"), published.connect
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(
            published,
            "connect",
            lambda workspace: kept if workspace.data == data else connect(workspace),
        )
        yield
    EmbeddedIndex.close(kept)


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The sample's sources in a folder with an unusual name."""
    return Path(
        shutil.copytree(SAMPLE, tmp_path_factory.mktemp("sources") / "my $(repo) {1} 'x' %s")
    )


@pytest.fixture(scope="module")
def sample(fake: Models, root: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A data folder with an index of the sample; not to be changed."""
    data = tmp_path_factory.mktemp("searchable") / "data"
    index_sample(data, root)
    calibration = {
        "version": 2,
        "models": model_digests(settings_of(data)),
        "modes": {"bm25": {"": 2.0, "bm25": 0.0}},
    }
    (data / "sure.json").write_bytes(orjson.dumps(calibration))
    (data / "unknown.json").write_bytes(orjson.dumps({"version": 2, "models": {}, "modes": {}}))
    with kept_open(data):
        yield data


@pytest.fixture(autouse=True)
def plain_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in (
        "VISUAL",
        "EDITOR",
        "NO_COLOR",
        "FORCE_COLOR",
        "CLICOLOR_FORCE",
        "TTY_COMPATIBLE",
        "COLORTERM",
        "QDRANT_URL",
    ):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("TERM", "xterm-256color")


@pytest.fixture
def ask(sample: Path, capsys: pytest.CaptureFixture[str]) -> Callable[..., tuple[int, str, str]]:
    """Run a command on the sample's index.

    Return the exit code, standard output, and its own last line on standard error.
    """

    def asked(*arguments: str) -> tuple[int, str, str]:
        where = ("--set", f"paths.data={sample}", "--set", f"search.calibration={sample}/sure.json")
        return run(arguments[0], *where, *arguments[1:], capsys=capsys)

    return asked


Ask = Callable[..., tuple[int, str, str]]


def answer(ask: Ask, *arguments: str) -> dict[str, Any]:
    code, out, _ = ask(*arguments, "--json")
    assert code == 0
    document: dict[str, Any] = orjson.loads(out)
    return document


def shown(out: str) -> list[str]:
    """Return the lines that were printed, without scores."""
    return [SCORES.sub("(scores)", line) for line in out.splitlines()]


# search ------------------------------------------------------------------------------------------


def test_a_hit_is_shown_by_place_name_signature_summary_and_first_lines_of_code(ask: Ask) -> None:
    code, out, err = ask(
        "search", "evict the oldest entries", "--mode", "bm25", "--limit", "2", "--tests", "exclude"
    )
    assert (code, err) == (0, "")
    assert shown(out) == [
        "2 hits in sample at 0123abc, mode bm25, confidence 88%",
        "",
        "  1. src/cache.rs:57-69  Function Cache::insert  (scores)",
        "     fn insert(&mut self, key: K, value: V) -> Option<V>",
        "     Stores a value, evicts the oldest entries that no longer fit, and returns the",
        "     used in 2 places",
        "       59      pub fn insert(&mut self, key: K, value: V) -> Option<V> {",
        "       60          self.touch(&key);",
        "       61          let before = self.entries.insert(key, value);",
        "       62          while self.entries.len() > self.capacity {",
        "       63              match self.order.pop_front() {",
        "       64                  Some(oldest) => self.entries.remove(&oldest),",
        "",
        "  2. src/cache.rs:9-33  Struct Cache  (scores)",
        (
            "     struct Cache<K, V> where K: Eq + Hash + Clone, "
            "{ capacity: usize, entries: HashMap<K, V>, order: VecDeque<K>, }"
        ),
        "     A least-recently-used cache of fixed size.",
        "     used in 4 places",
        "       26  pub struct Cache<K, V>",
        "       27  where",
        "       28      K: Eq + Hash + Clone,",
        "       29  {",
        "       30      capacity: usize,",
        "       31      entries: HashMap<K, V>,",
    ]


def test_lines_that_match_are_marked_and_shown_in_their_order(ask: Ask) -> None:
    code, out, _ = ask(
        "search",
        "evict the oldest entries",
        "--mode",
        "bm25",
        "--limit",
        "1",
        "--tests",
        "exclude",
        "--lines",
    )
    assert code == 0
    assert shown(out)[6:] == [
        (
            "     > 57      /// Stores a value, evicts the oldest entries that no longer fit, "
            "and returns the"
        ),
        "     > 61          let before = self.entries.insert(key, value);",
        "     > 64                  Some(oldest) => self.entries.remove(&oldest),",
    ]


@pytest.mark.parametrize(
    ("lines", "printed"), [(0, []), (1, [59]), (3, [59, 60, 61]), (1000, list(range(59, 70)))]
)
def test_as_many_lines_of_a_hit_are_shown_as_are_wanted(
    lines: int, printed: list[int], ask: Ask
) -> None:
    _, out, _ = ask(
        "search",
        "evict oldest",
        "--mode",
        "bm25",
        "--limit",
        "1",
        "--tests",
        "exclude",
        "--snippet",
        str(lines),
    )
    assert [int(line.split()[0]) for line in shown(out)[6:]] == printed


def test_a_hit_that_was_found_by_a_block_shows_the_block(ask: Ask) -> None:
    _, out, _ = ask(
        "search", "x", "--mode", "blocks", "--filter", "path=src/retry.rs", "--snippet", "20"
    )
    marked = [line.split()[1] for line in shown(out) if line.startswith("     > ")]
    assert marked == [str(number) for number in range(54, 63)]
    assert "mode blocks" in out


def test_with_json_one_document_is_printed_and_nothing_else(ask: Ask, sample: Path) -> None:
    code, out, err = ask(
        "search",
        "evict oldest",
        "--mode",
        "bm25",
        "--limit",
        "2",
        "--lines",
        "--json",
        "--snippet",
        "0",
    )
    document = orjson.loads(out)
    assert (code, err, out[0], out[-2:]) == (0, "", "{", "}\n")
    assert (document["query"], document["mode"], document["project"], document["commit"]) == (
        "evict oldest",
        "bm25",
        "sample",
        "0123abc",
    )
    assert (document["confidence"], document["good"], document["groups"]) == (0.8808, True, None)
    assert list(document["latency_ms"]) == ["encode", "qdrant", "fuse", "total"]
    assert [hit["name"] for hit in document["hits"]] == ["oldest_entry_is_evicted", "insert"]
    assert document["hits"][1]["lines"][0]["line"] == 57
    assert (
        document["hits"][1]["snippet"].splitlines()
        == (SAMPLE / "src/cache.rs").read_text().splitlines()[56:69]
    )


def test_groups_are_headed_by_what_they_share(ask: Ask) -> None:
    words = (
        "search",
        "oldest entry area",
        "--mode",
        "bm25",
        "--group-by",
        "file",
        "--group-size",
        "2",
        "--limit",
        "2",
    )
    code, out, _ = ask(*words, "--snippet", "0")
    heads = [line for line in shown(out)[1:] if line and not line.startswith(" ")]
    places = [
        line.split()[1].partition(":")[0] for line in shown(out) if re.match(r" +\d+\. ", line)
    ]
    assert (code, heads) == (0, list(dict.fromkeys(places)))
    assert len(heads) == 2
    assert max(places.count(head) for head in heads) == 2
    document = answer(ask, *words)
    assert [group["value"] for group in document["groups"]] == heads
    assert [hit_id for group in document["groups"] for hit_id in group["ids"]] == [
        hit["id"] for hit in document["hits"]
    ]


@pytest.mark.parametrize(
    ("by", "key"), [("module", "module"), ("crate", "crate"), ("kind", "code_type")]
)
def test_hits_are_grouped_by_what_was_said(by: str, key: str, ask: Ask) -> None:
    document = answer(ask, "search", "area of a shape", "--group-by", by)
    assert len({group["value"] for group in document["groups"]}) == len(document["groups"]) > 1
    values = [group["value"] for group in document["groups"] for _ in group["ids"]]
    assert [hit[key] for hit in document["hits"]] == values
    assert max(map(values.count, values)) <= 3


@pytest.mark.parametrize(
    ("filters", "fits"),
    [
        (["crate=area"], lambda hit: hit["crate"] == "area"),
        (["kind=Struct", "kind=Trait"], lambda hit: hit["code_type"] in ("Struct", "Trait")),
        (["path=src/geometry"], lambda hit: hit["file_path"].startswith("src/geometry/")),
        (["path=./src/c*.rs"], lambda hit: hit["file_path"] == "src/cache.rs"),
        (
            ["path=**/shape.rs", "path=tests"],
            lambda hit: hit["file_path"] in ("src/geometry/shape.rs", "tests/area.rs"),
        ),
        (
            ["owner=Point", "trait=Add"],
            lambda hit: (hit["struct_name"], hit["trait_name"]) == ("Point", "Add"),
        ),
        (
            ["visibility=pub", "module=geometry"],
            lambda hit: (hit["visibility"], hit["module"]) == ("pub", "geometry"),
        ),
        (["tests=only"], lambda hit: hit["is_test"]),
    ],
)
def test_a_filter_confines_a_search(
    filters: list[str], fits: Callable[[dict[str, Any]], bool], ask: Ask
) -> None:
    chosen = [word for given in filters for word in ("--filter", given)]
    everything = answer(ask, "search", "area of a shape", "--mode", "text", "--limit", "100")[
        "hits"
    ]
    found = answer(ask, "search", "area of a shape", "--mode", "text", "--limit", "100", *chosen)[
        "hits"
    ]
    assert sorted(hit["id"] for hit in found) == sorted(
        hit["id"] for hit in everything if fits(hit)
    )
    assert 0 < len(found) < len(everything) == 77


def test_tests_are_searched_or_not_as_is_said(ask: Ask) -> None:
    count = {
        choice: len(
            answer(ask, "search", "x", "--mode", "text", "--limit", "100", "--tests", choice)[
                "hits"
            ]
        )
        for choice in ("include", "exclude", "only")
    }
    assert count == {"include": 77, "exclude": 68, "only": 9}


def test_nothing_found_is_said(ask: Ask) -> None:
    code, out, _ = ask("search", "evict", "--mode", "bm25", "--filter", "crate=absent")
    assert (code, out.splitlines()[0].partition(",")[0], len(out.splitlines())) == (
        0,
        "0 hits in sample at 0123abc",
        1,
    )


def test_above_weak_hits_it_says_that_there_is_no_good_match(ask: Ask) -> None:
    words = ("search", "evict", "--mode", "bm25", "--limit", "1", "--snippet", "0")
    code, out, _ = ask(*words, "--set", "search.no_answer_below=0.9")
    assert code == 0
    assert shown(out)[:4] == [
        "1 hit in sample at 0123abc, mode bm25, confidence 88%",
        "No good match: this is what comes nearest.",
        "",
        "  1. src/cache.rs:134-142  Function oldest_entry_is_evicted  test  (scores)",
    ]
    assert answer(ask, *words, "--set", "search.no_answer_below=0.9")["good"] is False
    _, out, _ = ask(*words, "--set", "search.no_answer_below=0.88")
    assert "No good match" not in out


def test_with_other_models_an_answer_has_no_confidence(ask: Ask, sample: Path) -> None:
    words = (
        "search",
        "evict",
        "--mode",
        "bm25",
        "--limit",
        "1",
        "--set",
        f"search.calibration={sample}/unknown.json",
    )
    document = answer(ask, *words)
    assert (document["confidence"], document["good"]) == (None, True)
    assert ask(*words)[1].splitlines()[0] == "1 hit in sample at 0123abc, mode bm25"


@pytest.mark.parametrize(
    ("commit", "dirty", "said"),
    [("0123456789abcdef", True, " at 0123456789ab with changes"), (None, False, "")],
)
def test_which_state_of_the_repository_was_searched_is_said(
    commit: str | None, dirty: bool, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    print_answer(replace(AN_ANSWER, commit=commit, dirty=dirty), lines_shown=1)
    assert capsys.readouterr().out.splitlines()[0] == f"1 hit in made{said}, mode text"


# similar -----------------------------------------------------------------------------------------


def test_what_is_like_a_structure_is_found_by_its_place_its_id_and_its_name(ask: Ask) -> None:
    by_place = answer(ask, "similar", "src/retry.rs:54")
    assert (by_place["query"], by_place["mode"], len(by_place["hits"])) == (
        "sample::retry::retry",
        "hybrid",
        10,
    )
    wanted = "7df213ab-1a66-5e93-8fdc-269ceb92b724"
    assert wanted not in [hit["id"] for hit in by_place["hits"]]
    ids = [hit["id"] for hit in by_place["hits"]]
    for place in (wanted, "sample::retry::retry", "./src/retry.rs:49"):
        assert [hit["id"] for hit in answer(ask, "similar", place)["hits"]] == ids
    code, out, _ = ask(
        "similar",
        "Doubling",
        "--limit",
        "1",
        "--snippet",
        "0",
        "--mode",
        "code",
        "--filter",
        "kind=Struct",
    )
    assert (code, out.splitlines()[0]) == (0, "1 hit in sample at 0123abc, mode code")


@pytest.mark.parametrize(
    ("place", "code", "message"),
    [
        (
            "absent",
            1,
            "the index has no structure 'absent'; expected FILE:LINE, an id, a symbol or a name.",
        ),
        (
            "src/cache.rs:100000",
            1,
            "the index has no structure in line 100000 of 'src/cache.rs'.",
        ),
        (
            "00000000-0000-0000-0000-000000000000",
            1,
            "the index has no structure '00000000-0000-0000-0000-000000000000'.",
        ),
        (
            "area",
            2,
            (
                "3 structures are called area: choose one by FILE:LINE, "
                "such as src/geometry/shape.rs:60,"
            ),
        ),
        ("", 2, "the target is empty; expected FILE:LINE"),
    ],
)
def test_a_place_that_names_none_or_several_structures_is_refused(
    place: str, code: int, message: str, ask: Ask
) -> None:
    found, out, said = ask("similar", place)
    assert (found, out) == (code, "")
    assert message in said


# A terminal --------------------------------------------------------------------------------------


class Terminal(io.TextIOWrapper):
    """Standard output that says it is a terminal."""

    def __init__(self) -> None:
        super().__init__(io.BytesIO(), encoding="utf-8", write_through=True)

    def isatty(self) -> bool:
        return True

    def text(self) -> str:
        buffer = self.buffer
        assert isinstance(buffer, io.BytesIO)
        return buffer.getvalue().decode()


def on_terminal(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> str:
    terminal = Terminal()
    with monkeypatch.context() as patch:
        patch.setattr(sys, "stdout", terminal)
        assert cli.main(arguments) == 0
    return terminal.text()


def without_colours(text: str) -> str:
    return re.sub(r"\x1b\[[0-9;]*m", "", text)


def test_on_a_terminal_the_same_is_shown_in_colours(
    sample: Path, ask: Ask, monkeypatch: pytest.MonkeyPatch
) -> None:
    words = ("search", "evict oldest", "--mode", "bm25", "--lines", "--group-by", "kind")
    where = (
        "--set",
        f"paths.data={sample}",
        "--set",
        f"search.calibration={sample}/sure.json",
        "--set",
        "search.no_answer_below=1.0",
    )
    coloured = on_terminal(monkeypatch, *words, *where)
    _, plain, _ = ask(*words, "--set", "search.no_answer_below=1.0")
    assert "\x1b" not in plain
    assert without_colours(coloured) == plain
    for text in (
        "No good match",
        "src/cache.rs:57-69",
        "Cache::insert",
        "Function",
        "64  ",
        "remove",
    ):
        assert re.search(rf"\x1b\[[0-9;]+m[^\x1b]*{re.escape(text)}", coloured), text


@pytest.mark.parametrize(("name", "value"), [("NO_COLOR", "1"), ("TERM", "dumb")])
def test_a_terminal_without_colours_gets_none(
    name: str, value: str, sample: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(name, value)
    out = on_terminal(
        monkeypatch, "search", "evict", "--mode", "bm25", "--lines", "--set", f"paths.data={sample}"
    )
    assert "insert" in out
    assert not re.search(r"\x1b\[[0-9;]*3\d", out)


def test_json_has_no_colours_on_a_terminal_either(
    sample: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = on_terminal(
        monkeypatch, "search", "evict", "--mode", "bm25", "--json", "--set", f"paths.data={sample}"
    )
    assert orjson.loads(out)["hits"]
    assert "\x1b" not in out


def test_a_real_terminal_shows_colours_and_a_pipe_none(sample: Path) -> None:
    words = ("search", "evict", "--mode", "bm25", "--limit", "1", "--set", f"paths.data={sample}")
    leader, follower = pty.openpty()
    environment = cli_environment({"TERM": "xterm-256color"})
    with subprocess.Popen(
        [sys.executable, "-m", "flows", *words], cwd=PROJECT_ROOT, env=environment, stdout=follower
    ) as process:
        os.close(follower)
        seen = b""
        while part := _read(leader):
            seen += part
        os.close(leader)
    assert process.returncode == 0
    assert b"\x1b[36msrc/cache.rs:134-142" in seen
    piped = run_cli(*words).stdout
    assert without_colours(seen.decode().replace("\r\n", "\n")) == piped


def _read(descriptor: int) -> bytes:
    try:
        return os.read(descriptor, 65_536)
    except OSError:  # the other end was closed
        return b""


@pytest.fixture(scope="module")
def hostile(fake: Models, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A data folder with an index of records whose every text would steer a terminal."""
    folder = tmp_path_factory.mktemp("hostile")
    record = {
        "name": f"twice{HOSTILE}",
        "signature": f"fn twice{HOSTILE}()",
        "code_type": f"Function{HOSTILE}",
        "docstring": f"Documents {HOSTILE} the hostile.",
        "context": {
            "module": f"module{HOSTILE}",
            "file_path": f"src/{HOSTILE}.rs",
            "file_name": f"{HOSTILE}.rs",
            "struct_name": f"Type{HOSTILE}",
            "snippet": f"// {HOSTILE}\nfn twice() {{\n    hostile(); {HOSTILE}\n}}\n",
        },
    }
    lines = [
        orjson.dumps({**record, "line": at + 1, "line_from": at, "line_to": at + 3})
        for at in (1, 11)
    ]
    (folder / "hostile.jsonl").write_bytes(b"\n".join(lines))
    index_tutorial(folder / "data", folder / "hostile.jsonl", "hostile")
    with kept_open(folder / "data"):
        yield folder / "data"


@pytest.mark.parametrize(
    "options",
    [
        (),
        ("--lines",),
        ("--group-by", "module"),
        ("--group-by", "file"),
        ("--group-by", "kind"),
        ("--group-by", "crate"),
    ],
)
def test_what_sources_hold_can_not_steer_the_terminal(
    options: tuple[str, ...],
    hostile: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    words = ("search", "hostile", "--mode", "bm25", *options, "--set", f"paths.data={hostile}")
    _, out, _ = run(*words, capsys=capsys)
    assert "Documents" in out
    assert "hostile();" in out
    assert CONTROLS.findall(out) == []
    assert CONTROLS.findall(without_colours(on_terminal(monkeypatch, *words))) == []
    assert len(out.splitlines()) == len(out.split("\n")) - 1


def test_what_sources_hold_can_not_steer_the_terminal_from_a_message(
    hostile: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code, out, message = run(
        "similar", f"twice{HOSTILE}", "--set", f"paths.data={hostile}", capsys=capsys
    )
    assert (code, out) == (2, "")
    assert "2 structures are called" in message
    assert CONTROLS.findall(message) == []


def test_json_has_the_texts_as_they_are_escaped(
    hostile: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    _, out, _ = run(
        "search",
        "hostile",
        "--mode",
        "bm25",
        "--json",
        "--set",
        f"paths.data={hostile}",
        capsys=capsys,
    )
    assert orjson.loads(out)["hits"][0]["name"] == f"twice{HOSTILE}"
    assert "\x1b" not in out
    assert "\x07" not in out


@pytest.mark.parametrize(
    ("text", "printed"),
    [
        ("plain\ttext, häß 🦀 日本", "plain\ttext, häß 🦀 日本"),
        ("\x1b[31mred", "�[31mred"),
        ("a\x9b31mb", "a�31mb"),
        ("over\rwritten", "over�written"),
        ("bell\x07 back\x08 null\0", "bell� back� null�"),
        ("\u202etrojan\u2069", "�trojan�"),
        ("line\nline", "line\nline"),
    ],
)
def test_what_steers_a_terminal_is_replaced_and_all_else_is_kept(text: str, printed: str) -> None:
    assert clean(text) == printed


def test_lines_of_sources_that_end_by_carriage_returns_are_shown_without_them(ask: Ask) -> None:
    words = (
        "search",
        "no width holds no text",
        "--mode",
        "bm25",
        "--filter",
        "path=src/error.rs",
        "--limit",
        "1",
        "--snippet",
        "2",
    )
    assert ask(*words)[1].splitlines()[-2:] == [
        "       11  pub enum Error {",
        "       12      /// A line of no width holds no text.",
    ]
    assert (
        "     > 12      /// A line of no width holds no text."
        in ask(*words, "--lines")[1].splitlines()
    )
    assert "\N{REPLACEMENT CHARACTER}" not in ask(*words, "--lines")[1]


def test_long_lines_are_cut_off(capsys: pytest.CaptureFixture[str]) -> None:
    long = made(
        "made",
        lines=(1, 1),
        snippet="x" * 10_000 + "\n",
        signature="fn " + "s" * 10_000,
        docstring="d" * 10_000,
    )
    hit = replace(A_HIT, structure=long.structure)
    print_answer(replace(AN_ANSWER, hits=[hit]), lines_shown=1)
    assert capsys.readouterr().out.splitlines()[-3:] == [
        "     fn " + "s" * 154 + "...",
        "     " + "d" * 157 + "...",
        "       1  " + "x" * 160,
    ]


def test_the_reader_of_a_pipe_may_leave(sample: Path) -> None:
    words = (
        "search",
        "evict",
        "--mode",
        "bm25",
        "--snippet",
        "1000",
        "--set",
        f"paths.data={sample}",
    )
    with subprocess.Popen(["true"], stdin=subprocess.PIPE) as reader:
        reader.wait()
        command = [sys.executable, "-m", "flows", *words]
        done = subprocess.run(
            command,
            stdout=reader.stdin,
            stderr=subprocess.PIPE,
            cwd=PROJECT_ROOT,
            env=cli_environment({}),
            check=False,
        )
    assert (done.returncode, done.stderr) == (1, b"")


# --open ------------------------------------------------------------------------------------------


@pytest.fixture
def editor(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[[str], Callable[[], list[str]]]:
    """Make an editor of a name that records its arguments; return the file it writes."""

    def make(name: str) -> Callable[[], list[str]]:
        record, program = tmp_path / "arguments", tmp_path / "bin" / name
        program.parent.mkdir(exist_ok=True)
        program.write_text(f"#!/bin/sh\nprintf '%s\\0' \"$@\" > '{record}'\n")
        program.chmod(0o755)
        monkeypatch.setenv("PATH", f"{program.parent}:{os.environ['PATH']}")
        return lambda: record.read_text().split("\0")[:-1]

    return make


Editor = Callable[[str], Callable[[], list[str]]]
TWO_HITS = ("search", "evict oldest", "--mode", "bm25", "--limit", "2")


@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("myeditor", ["+135", "{root}/src/cache.rs"]),
        ("vim", ["+135", "{root}/src/cache.rs"]),
        ("nano", ["+135", "{root}/src/cache.rs"]),
        ("emacs", ["+135", "{root}/src/cache.rs"]),
        ("code", ["-g", "{root}/src/cache.rs:135"]),
        ("codium", ["-g", "{root}/src/cache.rs:135"]),
        ("subl", ["{root}/src/cache.rs:135"]),
        ("zed", ["{root}/src/cache.rs:135"]),
        ("hx", ["{root}/src/cache.rs:135"]),
    ],
)
def test_the_first_hit_is_opened_at_its_line_as_each_editor_wants_it(
    name: str,
    arguments: list[str],
    editor: Editor,
    ask: Ask,
    root: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    given = editor(name)
    monkeypatch.setenv("EDITOR", name)
    code, out, _ = ask(*TWO_HITS, "--open")
    assert (code, out.splitlines()[0].split(",")[0]) == (0, "2 hits in sample at 0123abc")
    assert given() == [argument.replace("{root}", str(root)) for argument in arguments]
    assert Path(given()[-1].removesuffix(":135")).is_file()


def test_another_hit_is_opened_by_its_number_also_with_json_and_of_similar_ones(
    ask: Ask, editor: Editor, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    given = editor("myeditor")
    monkeypatch.setenv("EDITOR", "myeditor")
    code, out, _ = ask(*TWO_HITS, "--json", "--open", "2")
    assert (code, orjson.loads(out)["hits"][1]["line"]) == (0, 59)
    assert given() == ["+59", f"{root}/src/cache.rs"]
    first = answer(ask, "similar", "Doubling", "--open")["hits"][0]
    assert given() == [f"+{first['line']}", f"{root}/{first['file_path']}"]


def test_visual_goes_before_editor_and_may_have_arguments(
    ask: Ask, editor: Editor, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    editor("wrong")
    given = editor("my editor")
    monkeypatch.setenv("EDITOR", "wrong")
    monkeypatch.setenv("VISUAL", "'my editor' --wait 'a b'")
    assert ask(*TWO_HITS, "--open")[0] == 0
    assert given() == ["--wait", "a b", "+135", f"{root}/src/cache.rs"]


def test_without_the_option_no_editor_is_started(
    ask: Ask, editor: Editor, monkeypatch: pytest.MonkeyPatch
) -> None:
    given = editor("myeditor")
    monkeypatch.setenv("EDITOR", "myeditor")
    ask(*TWO_HITS)
    with pytest.raises(FileNotFoundError):
        given()


@pytest.mark.parametrize(
    ("program", "message"),
    [
        ("/absent/editor -w", "can't start /absent/editor: No such file or directory. Set EDITOR."),
        ("'unfinished", "Set EDITOR"),
        ("/tmp", "can't start /tmp: Permission denied. Set EDITOR."),
    ],
)
def test_an_editor_that_can_not_be_started_is_wrong_usage(
    program: str, message: str, ask: Ask, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("EDITOR", program)
    code, out, said = ask(*TWO_HITS, "--open")
    assert out.startswith("2 hits")
    assert message in said
    assert code == 2


def test_a_hit_that_is_not_there_is_not_opened(ask: Ask, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EDITOR", "true")
    assert ask(*TWO_HITS, "--open", "3")[::2] == (
        2,
        "lsif-ingest: there is no hit number 3 to open.",
    )


def test_sources_that_are_not_on_this_machine_are_not_opened(
    hostile: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("EDITOR", "true")
    words = ("search", "hostile", "--mode", "bm25", "--open", "--set", f"paths.data={hostile}")
    code, _, message = run(*words, capsys=capsys)
    assert code == 2
    assert "the sources of hostile can't be found on this machine" in message


def test_without_a_terminal_an_editor_must_be_named(
    ask: Ask, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("EDITOR", "VISUAL"):
        monkeypatch.delenv(name, raising=False)
    code, out, said = ask(*TWO_HITS, "--open")
    assert (code, out) == (2, "")
    assert "set EDITOR" in said


def test_a_filter_without_matches_is_reported_with_the_values_that_exist(
    ask: Ask, caplog: pytest.LogCaptureFixture
) -> None:
    code, out, _ = ask("search", "oldest", "--mode", "bm25", "--filter", "kind=function")
    assert code == 0
    assert out.startswith("0 hits in sample")
    assert "no structure has kind function; existing values: Function, Module, Const" in caplog.text
    ask("search", "oldest", "--mode", "bm25", "--filter", "path=nowhere")
    assert "nothing was found under nowhere" in caplog.text


def test_a_group_size_without_groups_is_wrong_usage(ask: Ask) -> None:
    code, _, said = ask(*TWO_HITS, "--group-size", "2")
    assert code == 2
    assert "--group-size needs --group-by" in said


def test_answers_that_the_index_can_not_find_are_reported(
    ask: Ask, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    judged = tmp_path / "gone.jsonl"
    judged.write_text(
        '{"query": "oldest", "answers": [{"file_path": "src/gone.rs", "name": "gone"}]}\n'
    )
    assert ask("evaluate", str(judged), "--mode", "bm25")[0] == 0
    assert "1 file with answers is not in the index, such as src/gone.rs" in caplog.text


# evaluate ----------------------------------------------------------------------------------------


@pytest.fixture
def queries(tmp_path: Path) -> Path:
    """Four judged queries: two with answers, two without."""
    rows = [
        {
            "query": "evict the oldest entries",
            "kind": "words",
            "answers": [{"file_path": "src/cache.rs", "name": "insert"}],
        },
        {
            "query": "wait longer",
            "kind": "words",
            "answers": [{"file_path": "src/retry.rs", "line": 20}],
            "note": "kept",
        },
        {"query": "bake a cake", "kind": "none", "answers": []},
        {"query": "steer a ship", "kind": "none"},
    ]
    path = tmp_path / "queries.jsonl"
    path.write_bytes(b"\n".join(map(orjson.dumps, rows)))
    return path


def test_answers_are_measured_by_mode_and_kind(ask: Ask, queries: Path) -> None:
    code, out, _ = ask(
        "evaluate", str(queries), "--mode", "bm25", "--mode", "text", "--mode", "bm25"
    )
    assert code == 0
    assert out.splitlines()[:3] == [
        "mode  kind   n  Hit@1  Hit@5  Hit@10    MRR  NDCG@10  loose    R@5   R@10",
        "bm25  all    2  0.500  1.000   1.000  0.750    0.815  0.815  1.000  1.000",
        "bm25  words  2  0.500  1.000   1.000  0.750    0.815  0.815  1.000  1.000",
    ]
    assert [line.split()[:2] for line in out.splitlines()[1:5]] == [
        ["bm25", "all"],
        ["bm25", "words"],
        ["text", "all"],
        ["text", "words"],
    ]
    assert "text against bm25: MRR" in out


def test_answers_are_measured_at_a_level(ask: Ask, queries: Path) -> None:
    document = answer(ask, "evaluate", str(queries), "--mode", "bm25", "--level", "file")
    assert document["level"] == "file"
    assert document["summaries"]["bm25"]["all"]["hit_at_1"] == 1.0  # each first hit's file is right


def test_all_modes_are_measured_unless_some_are_named_and_json_has_every_query(
    ask: Ask, queries: Path
) -> None:
    document = answer(ask, "evaluate", str(queries))
    assert list(document["summaries"]) == ["hybrid", "merged", "text", "code", "bm25", "blocks"]
    rows = [row for row in document["judgements"] if row["mode"] == "bm25"]
    assert [(row["query"], row["rank"]) for row in rows] == [
        ("evict the oldest entries", 2),
        ("wait longer", 1),
        ("bake a cake", None),
        ("steer a ship", None),
    ]
    assert {row["confidence"] for row in rows} == {0.8807970779778823}
    assert document["auroc"]["bm25"] == document["auroc_taken_out"]["bm25"] == 0.5
    assert [row["confidence_taken_out"] is None for row in rows] == [False, False, True, True]


def test_the_confidence_is_fitted_to_queries_with_and_without_answers(
    ask: Ask,
    queries: Path,
    sample: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    caplog: pytest.LogCaptureFixture,
) -> None:
    fitted = tmp_path / "fitted.json"
    with caplog.at_level("INFO", logger="flows.cli.evaluate"):
        code, out, _ = ask(
            "evaluate", str(queries), "--mode", "bm25", "--calibrate", str(fitted), "--json"
        )
    assert (code, list(orjson.loads(out)["summaries"])) == (0, ["bm25"])
    assert (
        f'the confidence was fitted to 4 queries: use it with --set search.calibration="{fitted}"'
        in caplog.text
    )
    calibration = orjson.loads(fitted.read_bytes())
    assert calibration["models"] == model_digests(settings_of(sample))
    assert list(calibration["modes"]) == ["hybrid", "merged", "text", "code", "bm25", "blocks"]
    assert calibration["modes"]["bm25"].keys() > {"", "bm25", "words"}
    assert "text" not in calibration["modes"]["bm25"]
    assert calibration["modes"]["hybrid"].keys() > {"", "text", "code", "bm25", "agreement"}
    use = (
        "--mode",
        "bm25",
        "--limit",
        "1",
        "--set",
        f"paths.data={sample}",
        "--set",
        f'search.calibration="{fitted}"',
    )
    _, known, _ = run("search", "evict the oldest entries", *use, capsys=capsys)
    _, unknown, _ = run("search", "bake a cake", *use, capsys=capsys)
    assert (
        int(re.findall(r"confidence (\d+)%", known)[0])
        > 50
        > int(re.findall(r"confidence (\d+)%", unknown)[0])
    )
    assert "No good match" not in known
    assert "No good match: nothing was found." in unknown


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (None, "can't read .*queries.jsonl: No such file or directory"),
        ("", "contains no query"),
        ("{", "line 1: .*JSON"),
        ('\n{"query": " "}', "line 2: query: .*at least 1 character"),
        ('{"query": "x", "answers": [{"file_path": "a"}]}', "expected a name, a line"),
    ],
)
def test_queries_that_can_not_be_read_are_reported_with_their_line(
    text: str | None, message: str, ask: Ask, tmp_path: Path
) -> None:
    path = tmp_path / "queries.jsonl"
    if text is not None:
        path.write_text(text)
    code, out, said = ask("evaluate", str(path))
    assert (code, out) == (1, "")
    assert re.search(message, said)


def test_a_confidence_is_fitted_to_several_projects(
    ask: Ask, queries: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    fitted = ("--mode", "bm25", "--calibrate", str(tmp_path / "fitted.json"))
    with caplog.at_level("INFO", logger="flows.cli.evaluate"):
        code, _, _ = ask("evaluate", str(queries), *fitted, "--with", f"sample={queries}")
    assert code == 0
    assert "the confidence was fitted to 8 queries" in caplog.text
    assert "bm25, each project by a fit to the others: AUROC" in caplog.text


def test_other_projects_are_of_a_calibration(ask: Ask, queries: Path) -> None:
    code, out, said = ask("evaluate", str(queries), "--with", f"sample={queries}")
    assert (code, out) == (2, "")
    assert "--with has no effect without --calibrate" in said
    with pytest.raises(SystemExit) as wrong:
        ask("evaluate", str(queries), "--calibrate", "x", "--with", "sample")
    assert wrong.value.code == 2


def test_what_can_not_be_calibrated_leaves_no_file(ask: Ask, queries: Path, tmp_path: Path) -> None:
    queries.write_bytes(b"".join(queries.read_bytes().splitlines(keepends=True)[:2]))
    code, out, said = ask("evaluate", str(queries), "--calibrate", str(tmp_path / "fitted.json"))
    assert (code, out) == (1, "")
    assert "a calibration needs queries with answers and queries without." in said
    assert not (tmp_path / "fitted.json").exists()


@pytest.mark.parametrize("place", ["file/fitted.json", "."])
def test_a_calibration_that_can_not_be_written_is_reported(
    place: str, ask: Ask, queries: Path, tmp_path: Path
) -> None:
    (tmp_path / "file").touch()
    code, out, said = ask("evaluate", str(queries), "--calibrate", str(tmp_path / place))
    assert out == ""
    assert code in (1, 2)
    assert str(tmp_path) in said
    assert "Error:" not in said
    assert "--debug shows where" not in said


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{}",
        b"[]",
        b'{"version": 2, "models": {}, "modes": {"text": {"": "x"}}}',
        b'{"version": 2, "models": [], "modes": {}}',
    ],
)
def test_a_damaged_calibration_is_reported(content: bytes, ask: Ask, tmp_path: Path) -> None:
    path = tmp_path / "damaged.json"
    path.write_bytes(content)
    code, out, said = ask("search", "x", "--set", f"search.calibration={path}")
    assert (code, out) == (1, "")
    assert f"{path} can't be read as a calibration" in said
    assert "evaluate --calibrate" in said


# Exit codes --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "command", [("search", "x"), ("similar", "x"), ("refs", "x"), ("evaluate", "QUERIES")]
)
def test_without_an_index_the_exit_code_is_1_and_the_message_names_the_command(
    command: tuple[str, ...], queries: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = (word.replace("QUERIES", str(queries)) for word in command)
    code, out, message = run(*words, "--set", f"paths.data={tmp_path}/absent", capsys=capsys)
    assert (code, out) == (1, "")
    assert f"there is no index at {tmp_path}/absent/qdrant" in message
    assert "lsif-ingest ingest --repo DIR" in message


def test_a_project_that_was_not_indexed_is_reported_with_those_that_were(ask: Ask) -> None:
    code, out, message = ask("search", "x", "--project", "absent")
    assert (code, out) == (1, "")
    assert "no index of 'absent'" in message
    assert "indexed there: sample" in message
    assert ask("search", "x", "--project", "sample", "--mode", "bm25")[0] == 0
    assert ask("search", "x", "--project", "sample", "--branch", "dev")[0] == 1


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("search", " \t"), "the query is empty"),
        (("search", "x" * 20_001), "the query has 20,001 characters; expected at most 20,000."),
        (("search", "\udcff"), r"the argument '\xff' is not UTF-8."),
        (
            ("search", "x", "--filter", "crate"),
            "--filter takes FIELD=VALUE with crate, path, module",
        ),
        (("search", "x", "--filter", "crate="), "found 'crate='"),
        (("search", "x", "--filter", "colour=red"), "found 'colour=red'"),
        (("search", "x", "--filter", "tests=maybe"), "found 'tests=maybe'"),
        (("search", "x", "--branch", "dev"), "also needs the project: add --project NAME"),
        (("serve", "--branch", "dev"), "also needs the project: add --project NAME"),
        (("search", "x", "--set", "search.limt=2"), "unknown key search.limt"),
    ],
)
def test_what_can_not_be_searched_with_has_the_exit_code_2(
    arguments: tuple[str, ...], message: str, ask: Ask
) -> None:
    code, out, said = ask(*arguments)
    assert (code, out) == (2, "")
    assert message in said


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("search",), "required: QUERY"),
        (("similar",), "required: PLACE"),
        (("refs",), "required: TARGET"),
        (("evaluate",), "required: QUERIES"),
        (("search", "x", "y"), "unrecognized arguments: y"),
        (("search", "x", "--limit", "0"), "expected a number from 1 to 1000, found '0'"),
        (("search", "x", "--limit", "1001"), "expected a number from 1 to 1000, found '1001'"),
        (("search", "x", "--limit", "-1"), "expected a number from 1 to 1000, found '-1'"),
        (("search", "x", "--limit", "\u0663x"), "expected a number from 1 to 1000"),
        (("search", "x", "--snippet", "1001"), "expected a number from 0 to 1000"),
        (("search", "x", "--group-size", "0"), "expected a number from 1 to 1000"),
        (("search", "x", "--open", "0"), "expected a number from 1 to 1000"),
        (("search", "x", "--mode", "magic"), "invalid choice: 'magic'"),
        (("search", "x", "--tests", "maybe"), "invalid choice: 'maybe'"),
        (("search", "x", "--group-by", "name"), "invalid choice: 'name'"),
        (("similar", "x", "--mode", "bm25"), "invalid choice: 'bm25'"),
        (("evaluate", "x", "--mode", "magic"), "invalid choice: 'magic'"),
        (("serve", "--port", "65536"), "expected a number from 0 to 65535, found '65536'"),
        (("serve", "--port", "x"), "expected a number from 0 to 65535, found 'x'"),
        (("serve", "--json"), "unrecognized arguments: --json"),
    ],
)
def test_arguments_that_are_none_have_the_exit_code_2(
    arguments: tuple[str, ...], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        cli.main(arguments)
    out, err = capsys.readouterr()
    assert (ended.value.code, out) == (2, "")
    assert message in err
    assert "usage: lsif-ingest" in err


def test_a_damaged_index_has_the_exit_code_1_and_its_way_out(
    sample: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data = copied(sample, tmp_path / "data")
    (live,) = (data / "qdrant/sample").glob("sample--*")
    (live / "metadata.json").write_bytes(b"{}")
    code, out, message = run("search", "x", "--set", f"paths.data={data}", capsys=capsys)
    assert (code, out) == (1, "")
    assert "Replace it: lsif-ingest ingest --rebuild" in message


# serve -------------------------------------------------------------------------------------------


def serve(monkeypatch: pytest.MonkeyPatch, look: Callable[[str], None], *arguments: str) -> int:
    """Run `lsif-ingest serve` in this process; return its exit code.

    While it runs, `look` is called with its address.
    """
    original = uvicorn.Server.run

    def run_while_looked_at(server: uvicorn.Server, sockets: list[socket.socket]) -> None:
        thread = threading.Thread(target=original, args=(server, sockets))
        thread.start()
        try:
            until(lambda: server.started or not thread.is_alive())
            look(f"http://127.0.0.1:{sockets[0].getsockname()[1]}")
        finally:
            server.should_exit = True
            thread.join(20)

    monkeypatch.setattr(uvicorn.Server, "run", run_while_looked_at)
    return cli.main(["serve", *arguments])


def status_of(address: str, host: str, path: str = "/openapi.json") -> int:
    return httpx.get(address + path, headers={"Host": host}, trust_env=False).status_code


def test_an_index_is_served_and_where_is_printed(
    sample: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    seen = []

    def look(address: str) -> None:
        reply = httpx.get(f"{address}/api/search?q=evict&mode=bm25", trust_env=False)
        seen.append(
            (address, [hit["name"] for hit in reply.json()["hits"]], reply.headers.get("server"))
        )

    assert serve(monkeypatch, look, "--port", "0", "--set", f"paths.data={sample}") == 0
    ((address, names, server),) = seen
    assert (names, server) == (["oldest_entry_is_evicted", "insert"], None)
    assert capsys.readouterr().out == f"Serving sample at 0123abc, 77 structures, at {address}\n"


def test_without_an_index_it_serves_and_says_what_is_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    seen: list[int] = []

    def look(address: str) -> None:
        seen.extend(
            status_of(address, "localhost", path)
            for path in ("/healthz", "/api/search?q=x", "/metrics")
        )

    assert serve(monkeypatch, look, "--port", "0", "--set", f"paths.data={tmp_path}/absent") == 0
    assert seen == [503, 503, 200]
    out = capsys.readouterr().out
    assert re.fullmatch(
        r"Serving at http://127\.0\.0\.1:\d+, without an index so far: there is no index at .*\n",
        out,
    )
    assert "lsif-ingest ingest --repo DIR" in out


@pytest.mark.parametrize(
    ("arguments", "statuses"),
    [
        ((), [200, 200, 200, 400, 400]),
        (("--host", "localhost"), [200, 200, 200, 400, 400]),
        (("--allow-host", "search.example"), [200, 200, 200, 200, 400]),
        (("--allow-host", "*.example", "--allow-host", "evil.test"), [200, 200, 200, 200, 200]),
        (("--host", EVERYWHERE), [200, 200, 200, 200, 200]),
        (("--host", EVERYWHERE, "--allow-host", "search.example"), [200, 200, 200, 200, 400]),
    ],
)
def test_it_answers_to_this_machines_names_to_those_allowed_and_where_it_is_bound_to_others_to_all(
    arguments: tuple[str, ...],
    statuses: list[int],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    seen: list[int] = []

    def look(address: str) -> None:
        hosts = ("localhost", "127.0.0.1:1", "[::1]", "search.example", "evil.test")
        seen.extend(status_of(address, host) for host in hosts)

    assert (
        serve(
            monkeypatch, look, *arguments, "--port", "0", "--set", f"paths.data={tmp_path}/absent"
        )
        == 0
    )
    assert seen == statuses


def test_it_binds_to_this_machine_by_default(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    bound: list[str] = []
    monkeypatch.setattr(
        uvicorn.Server, "run", lambda _server, sockets: bound.append(sockets[0].getsockname()[0])
    )
    for arguments in ((), ("--host", "127.0.0.1"), ("--host", EVERYWHERE)):
        assert (
            cli.main(["serve", "--port", "0", *arguments, "--set", f"paths.data={tmp_path}/absent"])
            == 0
        )
    assert bound == ["127.0.0.1", "127.0.0.1", EVERYWHERE]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--host", "name.invalid"), "can't listen on name.invalid:8000: "),
        (
            ("--host", "192.0.2.1"),
            "can't listen on 192.0.2.1:8000: Cannot assign requested address",
        ),
        (("--allow-host", "a*b", "--port", "0"), "a*b"),
        (("--allow-host", "http://search.example", "--port", "0"), "http://search.example"),
    ],
)
def test_an_address_or_a_name_that_is_none_has_the_exit_code_2(
    arguments: tuple[str, ...],
    message: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(uvicorn.Server, "run", lambda *_arguments, **_options: None)
    code, out, said = run(
        "serve", *arguments, "--set", f"paths.data={tmp_path}/absent", capsys=capsys
    )
    assert (code, out) == (2, "")
    assert message in said


@pytest.mark.parametrize("sent", [signal.SIGINT, signal.SIGTERM])
def test_a_server_refuses_a_second_on_its_port_and_ends_by_a_signal_without_a_traceback(
    sent: signal.Signals, sample: Path, tmp_path: Path
) -> None:
    data = sample if sent == signal.SIGINT else tmp_path / "absent"
    process = subprocess.Popen(
        [sys.executable, "-m", "flows", "serve", "--port", "0", "--set", f"paths.data={data}"],
        cwd=PROJECT_ROOT,
        env=cli_environment({}),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),  # noqa: PLW1509 - as a shell starts it
    )
    assert process.stdout is not None
    try:
        line = process.stdout.readline()
        address = re.findall(r"http://127\.0\.0\.1:\d+", line)[0]
        reply = httpx.get(f"{address}/api/search?q=evict&limit=3", trust_env=False)
        if sent == signal.SIGINT:
            assert line == f"Serving sample at 0123abc, 77 structures, at {address}\n"
            assert len(reply.json()["hits"]) == 3
            port = address.rpartition(":")[2]
            second = run_cli("serve", "--port", port, "--set", f"paths.data={tmp_path}")
            assert (second.returncode, second.stdout) == (2, "")
            assert second.stderr.startswith(
                f"lsif-ingest: can't listen on 127.0.0.1:{port}: Address already in use"
            )
            assert "--port N" in second.stderr
        else:
            assert "without an index so far" in line
            assert reply.status_code == 503
    finally:
        process.send_signal(sent)
        out, err = process.communicate(timeout=20)
    assert out == ""
    assert "Traceback" not in err
    assert "embedded" not in err  # it embedded nothing
    assert process.returncode in ({0, 130} if sent == signal.SIGINT else {0, 143, -signal.SIGTERM})
