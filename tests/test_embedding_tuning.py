"""What a model learns from, and a training of a tiny one: it goes on after a kill."""

from __future__ import annotations

import signal
import subprocess
from collections import Counter
from collections.abc import Callable, Iterator
from copy import deepcopy
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import orjson
import pytest
from numpy.typing import NDArray

from configs.settings import load_settings
from configs.workspace import ProjectFolder
from embedding.encoders.numpy_bert import load_query_encoder
from embedding.errors import ModelError
from embedding.tuning.asking import as_asked
from embedding.tuning.batches import Row, rows_of
from embedding.tuning.card import About, card, notice
from embedding.tuning.corpus import Corpus, body_hash, make_corpus
from embedding.tuning.history import subjects_of
from embedding.tuning.pairs import Pair, pairs_of, without_name
from embedding.tuning.plan import Plan, last_checkpoint, read_plan, write_plan
from embedding.tuning.scores import Score
from embedding.tuning.settings import ModelSource, Tuned, TuneSettings
from flows.cli import main as cli
from flows.cli import tune as command
from flows.errors import FlowError
from flows.stages import material as stage
from flows.stages.material import Material
from flows.stages.tune import TuneReport, model_source, tune
from lsif.jsonl import write_records
from lsif.structure import Structure
from search.sources import remember_root

from reports import made_report
from tunable import (
    BODY,
    arguments,
    chance,
    function,
    kill_training,
    project,
    run_training,
    tiny_encoder,
    weights,
    write_projects,
)

SOURCE = ModelSource("tiny", "/tiny", None, "d1")
SETTINGS = TuneSettings(base=SOURCE, steps=4)


def pairs(*structures: Structure, hidden: float = 0, seed: int = 0) -> list[Pair]:
    return list(pairs_of(structures, chance(seed), hidden=hidden))


def reasons(*structures: Structure) -> dict[str, int]:
    left_out = Counter[str]()
    list(pairs_of(structures, chance(), left_out=left_out))
    return dict(left_out)


@pytest.mark.parametrize(
    ("told", "asked"),
    [
        ("Returns the first match.", "return the first match"),
        ("Matches a pattern.", "match a pattern"),
        ("A cache of answers.", "cache of answers"),
        ("This is a cache.", "this is a cache"),
    ],
)
def test_documentation_becomes_a_question(told: str, asked: str) -> None:
    found = {as_asked(told, chance(seed)) for seed in range(40)}
    assert told in found
    assert all(text == told or text.endswith(asked) for text in found)
    assert len(found) > 1


def test_an_item_is_shown_without_what_its_question_was_taken_from() -> None:
    by_kind = {pair.kind: pair for seed in range(9) for pair in pairs(function(), seed=seed)}
    assert set(by_kind) == {"docs", "more docs", "comment", "name", "code"}
    assert "next attempt" in by_kind["docs"].question
    assert "///" not in by_kind["docs"].code
    assert "attempt" not in by_kind["docs"].text.replace("after each failed attempt", "")
    assert "exceed" in by_kind["more docs"].question
    assert "next attempt" in by_kind["more docs"].text
    assert "exceeds" not in by_kind["more docs"].text
    assert by_kind["comment"].question == "doubles the pause after each failed attempt"
    assert "doubles" not in by_kind["comment"].code
    assert by_kind["name"].question == "wait longer"
    assert "wait_longer" not in by_kind["name"].code
    assert "wait longer" not in by_kind["name"].text


def test_a_judged_query_is_asked_of_its_answer_in_both_forms() -> None:
    found = [
        pair
        for seed in range(6)
        for pair in pairs_of(
            [function()], chance(seed), questions={"query": {"wait_longer": ["back off"]}}, hidden=0
        )
        if pair.kind == "query"
    ]
    assert {(pair.question, pair.item) for pair in found} == {("back off", "wait_longer")}
    assert {"///" in pair.code for pair in found} == {True, False}
    (rows,) = rows_of({"retry": found[:1]}, batch=1, seed=0).values()
    assert [row.item for row in rows] == [found[0].text, found[0].code]


def test_a_hidden_name_stands_nowhere() -> None:
    hidden = without_name(function(docstring="Calls wait_longer, not wait_longer_still."))
    assert hidden.docstring == "Calls it, not wait_longer_still."
    assert hidden.signature == "fn it(tries: u32) -> Duration"
    assert "fn it(tries" in hidden.context.snippet
    assert all("wait_longer(" not in pair.code for pair in pairs(function(), hidden=1))


@pytest.mark.parametrize(
    ("docs", "reason"),
    [
        ("See the other one for details.", "docs that point elsewhere"),
        ("Too short.", "docs too short or too long"),
        ("The wait longer function.", "docs that only say the name"),
        ("Liefert die nächste Pause für später zurück.", "docs not in English"),
        ("let pause = next_pause(1, 2);", "code in place of words"),
    ],
)
def test_documentation_that_asks_nothing_is_counted(docs: str, reason: str) -> None:
    structure = function(docstring=docs)
    assert reasons(structure) == {reason: 1}
    assert "docs" not in {pair.kind for pair in pairs(structure)}


def test_what_is_no_item_has_no_pairs() -> None:
    assert pairs(function(is_test=True), function(generated=True)) == []
    assert reasons(function(code="fn wait_longer(tries: u32);\n")) == {"function without a body": 1}
    assert reasons(function(docs_inherited=True)) == {"docs of a trait's member": 1}
    twice = [function("one_more"), function("another")]
    assert reasons(*twice) == {"docs of several items": 2}


RENAMED = """
pub(crate) fn back_off(
    tries: u32,
) -> Duration {
    let pause = FIRST * 2u32.pow(tries); // not the first time
    pause
        .min(LONGEST)
}
"""


def test_a_copy_of_an_excluded_function_is_left_out_whatever_its_name_and_format() -> None:
    copy = function("back_off", RENAMED, docstring="Computes how long the caller should wait.")
    own = function("own", BODY.replace("wait_longer", "own").replace("2u32", "3u32"))
    assert body_hash(copy) == body_hash(function()) != body_hash(own)
    corpus = make_corpus({"copier": [copy, own]}, [function()], held_back=0)
    assert {pair.item for pair in corpus.learned["copier"]} == {"own"}
    assert corpus.left_out["excluded"] == len(pairs(copy))
    assert make_corpus({"copier": [copy]}, held_back=0).count() > 0


def test_the_same_body_is_learned_once_within_a_project_too() -> None:
    again = function(
        "again", BODY.replace("wait_longer", "again"), docstring="It waits a while, too."
    )
    corpus = make_corpus({"one": [function(), again]}, held_back=0)
    assert {pair.item for pair in corpus.learned["one"]} == {"wait_longer"}
    short = [function(name, f"struct {name};\n") for name in ("unit", "other")]
    assert body_hash(short[0]) != body_hash(short[1])


def test_projects_are_held_back_whole_and_known_bodies_are_learned_once() -> None:
    projects = {f"p{number}": project(number) for number in range(10)}
    corpus = make_corpus({**projects, "p_copy": project(3)}, held_back=0.3, kinds=["docs"])
    assert len(corpus.held_back) >= 2
    assert not corpus.of_one_project()
    assert "p_copy" not in {*corpus.learned, *corpus.held_back}
    assert corpus.left_out["known body"] == 4
    again = make_corpus({**projects, "p_copy": project(3)}, held_back=0.3, kinds=["docs"])
    assert (again.learned, again.held_back) == (corpus.learned, corpus.held_back)


def test_of_a_single_project_a_tenth_of_the_items_is_held_back() -> None:
    corpus = make_corpus({"only": project(1, 40)})
    learned, tested = (
        {pair.item for pair in part["only"]} for part in (corpus.learned, corpus.held_back)
    )
    assert (len(learned), len(tested)) == (36, 4)
    assert not learned & tested
    assert corpus.of_one_project()


def test_a_batch_is_of_one_project_and_small_projects_share() -> None:
    learned = make_corpus({f"p{at}": project(at, at) for at in (2, 3, 9)}, held_back=0).learned
    rows = rows_of(learned, batch=4, seed=0)
    assert {name: len(own) for name, own in rows.items()} == {"p9": 9, "small projects": 5}
    assert rows_of(learned, batch=15, seed=0) == {}


TUNED = Tuned(
    steps=4,
    minutes=1.5,
    loss=0.5,
    before={"code": Score(0.25, 0.1, 20)},
    after={"code": Score(0.5, 0.3, 20)},
)


def test_the_card_says_what_a_model_was_made_of() -> None:
    projects = {f"p{number}-1.0": project(number) for number in range(3)}
    corpus = make_corpus(projects, kinds=["docs"])
    known, _ = sorted(corpus.learned)
    about = {known: About(name="p", version="1.0", licence="MIT", repository="https://p.org")}
    text = card(corpus, SETTINGS, TUNED, about)
    assert "# An encoder of Rust code, from tiny" in text
    assert "| code | 0.250 | 0.500 | 0.100 | 0.300 | 20 |" in text
    (tested,) = corpus.held_back
    assert f"each searched alone:\n{tested}." in text
    assert f"| {known} | 1.0 | MIT | https://p.org | 4 |" in text
    assert "| unknown | unknown | unknown | 4 |" in text
    assert "- steps: 4" in text
    assert f"{known}: MIT https://p.org" in notice(SETTINGS, corpus.learned, about)


def test_the_card_says_if_the_score_is_of_a_known_project() -> None:
    corpus = make_corpus({"only": project(1, 40)})
    assert "of projects that it does not know it finds less" in card(corpus, SETTINGS, TUNED, {})
    unscored = replace(TUNED, before={}, after={})
    assert "It was not scored" in card(Corpus(), SETTINGS, unscored, {})


def test_a_plan_is_that_of_the_same_arguments_only(tmp_path: Path) -> None:
    asked = {"layers": "3", "seed": "0"}
    assert read_plan(tmp_path, asked) is None
    write_plan(tmp_path, Plan(asked, 4, TUNED.before))
    assert read_plan(tmp_path, asked) == Plan(asked, 4, TUNED.before)
    with pytest.raises(ModelError, match=r"of other arguments \(seed\)"):
        read_plan(tmp_path, {**asked, "seed": "1"})
    (tmp_path / "plan.json").write_text("{")
    with pytest.raises(ModelError, match="is no plan of a training"):
        read_plan(tmp_path, asked)


def test_a_state_that_was_not_saved_whole_is_passed_over(tmp_path: Path) -> None:
    for step, content in (("9", "{}"), ("10", "{}"), ("11", '{"st')):
        (tmp_path / f"checkpoint-{step}").mkdir()
        (tmp_path / f"checkpoint-{step}/trainer_state.json").write_text(content)
    (tmp_path / "checkpoint-12").mkdir()
    assert last_checkpoint(tmp_path) == str(tmp_path / "checkpoint-10")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--minutes", "0"], "expected a number from 0.017 to 100000, found '0'"),
        (["--minutes", "nan"], "found 'nan'"),
        (["--steps", "-1"], "expected a number from 1"),
        (["--layers", "0"], "expected a number from 1"),
        (["--mix", "1.5"], "expected a number from 0 to 1"),
        (["--rate", "0"], "expected a number from 1e-09 to 1"),
        (["--steps", "5", "--minutes", "5"], "not allowed with"),
        (["--base", ""], "expected the name of a model, found nothing"),
    ],
)
def test_bad_numbers_are_wrong_usage(
    arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        cli.main(["tune", "structures.jsonl", "-o", "model", *arguments])
    assert ended.value.code == 2
    assert message in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--kind", "query"], "--kind query needs --queries FILE."),
        (["--kind", "docs", "--kind", "commit"], "--kind commit needs --history."),
        (["--queries", "q.jsonl", "--kind", "docs"], "--queries FILE has no use without"),
        (["--history", "--kind", "docs"], "--history has no use without --kind commit"),
    ],
)
def test_kinds_and_what_they_are_made_of_are_given_together(
    arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["tune", "structures.jsonl", "-o", "model", *arguments]) == 2
    assert message in capsys.readouterr().err


@pytest.mark.parametrize(("after", "is_said"), [(0.4, True), (0.5, False)])
def test_a_model_that_has_become_worse_is_called_so(after: float, is_said: bool) -> None:
    before, now = ({"rerank": Score(rank, 0.3, 9)} for rank in (0.5, after))
    tuned = Tuned(steps=1, minutes=1, loss=1.0, before=before, after=now)
    report = TuneReport(
        folder="m", tuned=tuned, projects=1, held_back=["p"], pairs={"docs": 2}, left_out={}
    )
    text = command._text(report, "search ...")
    assert text.startswith("m: 1 step on 2 pairs of 1 project\n")
    assert ("It is worse than before" in text) is is_said


def test_without_the_extra_the_command_says_how_to_install_it(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(command, "_NEEDED", ("accelerate", "no_such_package"))
    assert cli.main(["tune", "structures.jsonl", "-o", "model"]) == 1
    error = capsys.readouterr().err
    assert "training needs more packages. Install them: " in error
    assert "[tune]" in error


def test_who_interrupts_a_training_is_told_that_it_can_go_on(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def interrupt(_name: str) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(command, "find_spec", interrupt)
    assert cli.main(["tune", "structures.jsonl", "-o", "model"]) == 130
    assert "the state of some minutes ago is saved, run again" in capsys.readouterr().err


# What follows trains, so it needs the extra.


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    with tiny_encoder(tmp_path_factory.mktemp("tiny")) as folder:
        yield folder


@pytest.fixture(scope="module")
def records(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    return write_projects(tmp_path_factory.mktemp("records"))


Run = Callable[..., dict[str, Any]]


@pytest.fixture
def run(tiny: Path, records: list[Path], capsys: pytest.CaptureFixture[str]) -> Run:
    def run_tune(output: Path, *options: str, length: str = "6") -> dict[str, Any]:
        return run_training([*arguments(tiny, records, output, length), *options], capsys)

    return run_tune


@pytest.fixture(scope="module")
def whole(tiny: Path, records: list[Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The model of a training that nothing interrupts."""
    output = tmp_path_factory.mktemp("whole") / "model"
    assert cli.main(arguments(tiny, records, output)) == 0
    return output


def test_a_training_leaves_a_model_with_card_and_notice(whole: Path, tiny: Path) -> None:
    assert weights(whole) != weights(tiny)
    assert (whole / "model.safetensors").stat().st_mode & 0o044
    assert "## Data: " in (whole / "README.md").read_text()
    assert "Weights: " in (whole / "NOTICE").read_text()
    assert [path.name for path in whole.parent.iterdir()] == ["model"]


def test_a_training_that_was_killed_goes_on_to_the_same_model(
    run: Run,
    whole: Path,
    tiny: Path,
    records: list[Path],
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    output = tmp_path / "model"
    done = kill_training(arguments(tiny, records, output))
    assert done.returncode == -signal.SIGKILL
    assert not output.exists()
    assert "of other arguments (layers)" in run(output, "--layers", "1")["err"]
    found = run(output)
    assert (found["code"], found["steps"], found["projects"]) == (0, 6, 2)
    assert found["after"]["code"]["questions"] == 12
    assert "checkpoint-3" in caplog.text
    assert weights(output) == weights(whole)
    assert "exists already" in run(output)["err"]


def test_fewer_layers_learn_the_vectors_of_a_teacher(run: Run, tiny: Path, tmp_path: Path) -> None:
    alone, taught = tmp_path / "alone", tmp_path / "taught"
    assert run(alone, "--layers", "1", length="1")["code"] == 0
    found = run(taught, "--layers", "1", "--teacher", str(tiny), length="10")
    assert (found["code"], found["steps"]) == (0, 10)
    assert orjson.loads((taught / "config.json").read_bytes())["num_hidden_layers"] == 1
    wanted = vector(tiny)
    assert vector(taught) @ wanted > vector(alone) @ wanted


def vector(folder: Path) -> NDArray[np.float32]:
    settings = load_settings().embedding.text.model_copy(update={"device": "cpu"})
    encoder = load_query_encoder(folder, settings)
    assert encoder is not None
    return encoder.encode_queries(["fn item_1_2() { call(2) }"])[0]


def test_float16_halves_the_weights_and_keeps_the_vectors(
    run: Run, whole: Path, tmp_path: Path
) -> None:
    half = tmp_path / "half"
    assert run(half, "--float16")["code"] == 0
    assert len(weights(half)) < 0.6 * len(weights(whole))
    assert vector(half) @ vector(whole) > 0.999


def test_the_vectors_of_texts_do_not_depend_on_the_length_of_others(tiny: Path) -> None:
    from sentence_transformers import SentenceTransformer

    from embedding.tuning.contrast import embed

    model = SentenceTransformer(str(tiny), device="cpu").eval()
    texts = ["fn a() { b(c) } " * (number % 7 + 1) for number in range(40)]
    features = model.tokenize(texts)
    found = embed(model, features).detach().numpy()
    np.testing.assert_allclose(found, model.encode(texts), atol=1e-5)


def test_the_first_layer_and_the_last_ones_are_kept(tiny: Path) -> None:
    from sentence_transformers import SentenceTransformer

    from embedding.tuning.student import keep_layers

    model = SentenceTransformer(str(tiny), device="cpu")
    layers = model[0].auto_model.encoder.layer
    layers.extend(deepcopy(layer) for layer in [*layers])
    every = [*layers]
    keep_layers(model, 3, "tiny")
    kept = [*model[0].auto_model.encoder.layer]
    assert [every.index(layer) for layer in kept] == [0, 2, 3]


def test_excluded_records_are_learned_from_nowhere(
    run: Run, records: list[Path], tmp_path: Path
) -> None:
    found = run(tmp_path / "model", "--exclude", str(records[0]), length="1")
    assert (found["projects"], found["left_out"]["excluded"]) == (1, 12)
    assert "p0" not in (tmp_path / "model/README.md").read_text()


def test_the_card_has_the_commit_of_a_run_s_report(tiny: Path, tmp_path: Path) -> None:
    folder = tmp_path / "projects/mine"
    write_records(folder / "structures.jsonl", project(1, 12))
    report = made_report(commit="c0ffee")
    (folder / "report.json").write_bytes(orjson.dumps(report.to_dict()))
    base = model_source(load_settings().embedding.text, str(tiny))
    settings = TuneSettings(base=base, steps=1, batch=4, device="cpu")
    found = tune(Material(records=[folder / "structures.jsonl"]), settings, tmp_path / "model")
    assert (found.projects, found.held_back) == (1, ["mine"])
    assert "| mine | c0ffee | unknown | unknown |" in (tmp_path / "model/README.md").read_text()


def test_a_time_becomes_a_number_of_steps(run: Run, tmp_path: Path) -> None:
    found = run(tmp_path / "model", length="0.017")  # a second
    assert (found["code"], found["steps"] >= 1) == (0, True)


def test_what_can_not_be_trained_is_refused(run: Run, tiny: Path, tmp_path: Path) -> None:
    output = tmp_path / "model"
    assert "2 layers; --layers can't keep 3" in run(output, "--layers", "3")["err"]
    assert "Give more records, or a smaller --batch" in run(output, "--batch", "96")["err"]
    assert "have nothing to learn from. Give others, or" in run(output, "--kind", "comment")["err"]
    assert "can't read" in run(output, "--exclude", str(tmp_path / "none.jsonl"))["err"]
    assert "can't read" in run(output, "--about", str(tmp_path / "none.json"))["err"]
    (tmp_path / "about.json").write_text('{"name": 1}')
    refused = run(output, "--about", str(tmp_path / "about.json"))
    assert "is no JSON list of objects with a name" in refused["err"]
    assert [path.name for path in tmp_path.iterdir()] == ["about.json"]  # nothing is left behind


@pytest.mark.usefixtures("tiny")
def test_only_the_layers_of_a_bert_can_be_left_out() -> None:
    from embedding.tuning.student import keep_layers

    other: Any = [SimpleNamespace(auto_model=SimpleNamespace(layers=[1, 2]))]
    with pytest.raises(ModelError, match="--layers needs a BERT; other is a SimpleNamespace"):
        keep_layers(other, 1, "other")


def test_without_a_gpu_none_is_used(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import torch

    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert "torch finds no GPU" in run(tmp_path / "model", "--device", "cuda")["err"]


@pytest.mark.usefixtures("tiny")
def test_the_vectors_of_a_teacher_are_computed_once(tmp_path: Path) -> None:
    from embedding.tuning.distilling import TeacherVectors

    asked: list[str] = []

    def encode(texts: list[str], **_: object) -> NDArray[np.float32]:
        asked.extend(texts)
        return np.eye(4, dtype=np.float32)[[len(text) for text in texts]]

    teacher: Any = SimpleNamespace(encode=encode, get_embedding_dimension=lambda: 4)
    rows, path = [Row("a", "bb"), Row("ccc", ""), Row("x", "yy")], tmp_path / "vectors"
    vectors = TeacherVectors(teacher, rows, path, 4)
    np.testing.assert_array_equal(vectors.of([1, 0])[1], np.eye(4)[[1, 2]])
    assert asked == ["ccc", "", "a", "bb"]
    vectors.of([0, 1])
    again = TeacherVectors(teacher, rows, path, 4)
    np.testing.assert_array_equal(again.of([2, 1])[1], np.eye(4)[[3, 0]])
    assert asked[4:] == ["x", "yy"]
    with pytest.raises(ModelError, match="dimension 4, the model to train 8"):
        TeacherVectors(teacher, rows, path, 8)


def test_a_full_disk_is_refused_before_the_training(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from embedding.tuning import training

    monkeypatch.setattr(training, "is_short_of", lambda *_: True)
    assert "a training needs 0.0 GB on the disk of" in run(tmp_path / "model")["err"]


def test_two_files_of_one_project_are_refused(tmp_path: Path, tiny: Path) -> None:
    files = [tmp_path / "serdes/structures.jsonl", tmp_path / "serdes.jsonl"]
    for path in files:
        write_records(path, project(1))
    base = model_source(load_settings().embedding.text, str(tiny))
    with pytest.raises(FlowError, match="are both of serdes; give each project once"):
        tune(Material(records=files), TuneSettings(base=base), tmp_path / "model")


def queries(path: Path, *lines: dict[str, Any]) -> Path:
    path.write_bytes(b"".join(orjson.dumps(line) + b"\n" for line in lines))
    return path


def test_judged_queries_are_those_of_their_best_answers(tmp_path: Path) -> None:
    records = {name: tmp_path / f"{name}.jsonl" for name in ("a", "b")}
    write_records(records["a"], [function(), function("other")])
    write_records(records["b"], [function()])
    best = {"file_path": "src/retry.rs", "name": "wait_longer", "line": 3}
    asked = queries(
        tmp_path / "queries.jsonl",
        {
            "project": "a",
            "query": "back off",
            "answers": [{**best, "relevance": 3}, {**best, "name": "other", "relevance": 1}],
        },
        {"project": "b", "query": "pause", "answers": [best]},
        {"project": "b", "query": "nothing", "answers": []},
    )
    assert stage._queries([asked], records) == {
        "a": {"wait_longer": ["back off"]},
        "b": {"wait_longer": ["pause"]},
    }


def test_a_query_needs_its_project_unless_there_is_only_one(tmp_path: Path) -> None:
    records = {name: tmp_path / f"{name}.jsonl" for name in ("a", "b")}
    for path in records.values():
        write_records(path, [function()])
    answer = {"file_path": "src/retry.rs", "name": "wait_longer"}
    asked = queries(tmp_path / "q.jsonl", {"query": "pause", "answers": [answer]})
    assert stage._queries([asked], {"a": records["a"]}) == {"a": {"wait_longer": ["pause"]}}
    with pytest.raises(FlowError, match='has a query of no project; expected "project": one of a'):
        stage._queries([asked], records)


def git(folder: Path, *arguments: str) -> str:
    identity = ["-c", "user.name=a", "-c", "user.email=a@example.org"]
    command = ["git", "-C", str(folder), *identity, *arguments]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """Two functions of one file: a commit made both, another changed three lines of the first."""
    folder = tmp_path / "repository"
    (folder / "src").mkdir(parents=True)
    git(folder, "init", "--quiet")
    other = BODY.replace("wait_longer", "wait_less")
    for body, subject in (
        (BODY.replace("    ", "\t"), "fix: wait after a failed attempt (#7)"),
        (BODY, "Wait twice as long after each failed attempt"),
    ):
        (folder / "src/retry.rs").write_text(f"{body}\n{other}")
        git(folder, "add", ".")
        git(folder, "commit", "--quiet", "--message", subject)
    return folder


def test_a_function_has_the_subjects_of_the_commits_that_last_changed_it(repository: Path) -> None:
    found = [function(line_to=5, line=1), function("wait_less", line_to=11, line=7)]
    latest, first = "Wait twice as long after each failed attempt", "wait after a failed attempt"
    expected = {"wait_longer": [latest], "wait_less": [first]}
    assert subjects_of(found, repository) == expected
    before = subjects_of(found, repository, git(repository, "rev-parse", "HEAD~1"))
    assert before == {"wait_longer": [first], "wait_less": [first]}
    moved = function("wait_less", line_to=11, line=6)
    assert subjects_of([moved], repository) == {}
    assert subjects_of(found, repository.parent) == {}


def test_the_history_is_that_of_the_repository_that_was_indexed(
    repository: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    folder = ProjectFolder(tmp_path / "projects/mine")
    write_records(folder.structures, [function(line_to=5, line=1)])
    write_records(tmp_path / "alone.jsonl", project(1))
    remember_root(folder, repository)
    report = made_report(commit=git(repository, "rev-parse", "HEAD"))
    folder.report.write_bytes(orjson.dumps(report.to_dict()))
    records = {"mine": folder.structures, "alone": tmp_path / "alone.jsonl"}
    corpus = stage.corpus_of(Material(records=(), history=True), records, seed=0)
    pairs = [pair for part in (corpus.learned, corpus.held_back) for pair in part.get("mine", ())]
    assert [pair.question for pair in pairs if pair.kind == "commit"] == [
        "Wait twice as long after each failed attempt"
    ]
    assert "alone: its repository is not known" in caplog.text


def test_only_the_kinds_asked_for_are_learned() -> None:
    projects = {"a": [function()], "b": [function("other", BODY + "// b\n")]}
    found = make_corpus(projects, held_back=0, kinds=["docs"])
    assert set(found.kinds()) == {"docs"}
