"""What a reranker learns from, and the training of a tiny one."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import orjson
import pytest
from numpy.typing import NDArray

from configs.settings import load_settings
from embedding.reranker import load_reranker
from embedding.text import passage
from embedding.tuning import mining
from embedding.tuning.card import card
from embedding.tuning.corpus import Corpus, body_hash, make_corpus
from embedding.tuning.mining import OTHERS, Lesson, Mine, choose, mine_all
from embedding.tuning.pairs import Pair, pairs_of, shown_like
from embedding.tuning.retrieval import ProjectIndex, SparseVectors
from embedding.tuning.scores import Score
from embedding.tuning.settings import ModelSource, Tuned, TuneSettings
from flows.cli import main as cli
from lsif.structure import Structure
from storage.sparse import document_vector, query_vector

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

SPARSE = SparseVectors(document_vector, query_vector)


class Letters:
    """An encoder whose vectors count letters."""

    def encode(self, texts: list[str], **_: object) -> NDArray[np.float32]:
        letters = "abcdefghijklmnopqrstu"
        counts = [[text.lower().count(letter) for letter in letters] for text in texts]
        vectors = np.array(counts, dtype=np.float32) + 0.01
        return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def mine(corpus: Corpus, *structures: Structure) -> Mine:
    encoder: Any = Letters()
    return Mine(records=lambda _: structures, encoder=encoder, sparse=SPARSE, corpus=corpus, seed=0)


def pair_of(structures: list[Structure], item: str, kind: str = "docs") -> Pair:
    return next(
        pair
        for seed in range(20)
        for pair in pairs_of(structures, chance(seed), hidden=0)
        if pair.item == item and pair.kind == kind
    )


def test_a_project_is_searched_by_words_and_vectors() -> None:
    items = [function("open_lock"), function("close_door"), function("send_mail")]
    encoder: Any = Letters()
    index = ProjectIndex(items, encoder, SPARSE)
    (found,) = index.find(["send the mail"])
    assert found.order[0] == 2
    assert sorted(found.order) == [0, 1, 2]
    assert found.similar.shape == (3,)
    assert index.find(["xyz"])[0].order.shape == (3,)  # no item has the word


def test_an_other_item_is_shown_as_the_answer_is() -> None:
    one, other = (
        function("first_one"),
        function("second_one", BODY.replace("wait_longer", "second_one")),
    )
    asked = pair_of([one, other], "first_one", "comment")
    for documented in (True, False):
        shown = shown_like(asked._replace(documented=documented), other)
        assert ("next attempt" in shown) == documented
        assert "retry::second_one" in shown
    first = shown_like(asked._replace(documented=True, kind="more docs"), other)
    assert "next attempt" in first
    assert "exceeds" not in first
    hidden = shown_like(asked._replace(hidden=True), other)
    assert "second_one" not in hidden
    assert hidden.startswith("retry::it\n")


def others(count: int) -> list[Structure]:
    return [
        function(f"other_{at}", f"fn other_{at}() {{\n    x({at});\n    y();\n}}\n", docstring=None)
        for at in range(count)
    ]


def test_a_lesson_has_an_answer_and_items_that_are_none() -> None:
    answer = function("wait_longer")
    copy = function("a_copy", BODY.replace("wait_longer", "a_copy"), docstring=None)
    twin = function("wait_longer", "fn wait_longer() {\n    t();\n}\n", id="twin", docstring=None)
    same_docs = function("same_docs", "fn same_docs() {\n    s();\n}\n")
    excluded = function("secret", "fn secret() {\n    z();\n}\n", docstring=None)
    structures = [answer, copy, twin, same_docs, excluded, *others(OTHERS)]
    corpus = Corpus(excluded={body_hash(excluded)})
    pair = pair_of([answer], "wait_longer")
    (lesson,) = mine(corpus, *structures).lessons("p", [pair._replace(question="fuh nmi sg pwa")])
    assert lesson.answer == pair.passage
    assert len(lesson.others) == OTHERS
    assert {text.split("\n")[0] for text in lesson.others} == {
        f"retry::other_{at}" for at in range(OTHERS)
    }


def test_members_of_one_family_are_no_others() -> None:
    def member(owner: str, **changes: Any) -> Structure:
        made = function("next", f"fn next() {{\n    {owner}();\n}}\n", id=owner, **changes)
        context = replace(made.context, struct_name=owner)
        return replace(made, context=context, symbol=f"{owner}::next", digest="")

    own = [member("A", trait_name="Iterator"), member("B", trait_name="Iterator", docstring=None)]
    structures = [*own, member("A", docstring=None, trait_name="Other"), *others(OTHERS)]
    pair = pair_of(own, "A")._replace(question="fuh nmi sg pwa")
    (lesson,) = mine(Corpus(), *structures).lessons("p", [pair])
    assert not any("next" in text.split("\n")[0] for text in lesson.others)


def test_what_is_as_similar_as_the_answer_is_no_other() -> None:
    structures = [function("wait_longer"), *others(OTHERS + 3)]
    pair = pair_of(structures[:1], "wait_longer")
    assert mine(Corpus(), *structures).lessons("p", [pair._replace(question="o t h e r")]) == []


def test_what_is_held_back_is_no_other() -> None:
    structures = [function("wait_longer"), *others(OTHERS)]
    pair = pair_of(structures[:1], "wait_longer")._replace(question="fuh nmi sg pwa")
    held_back = {"p": [pair._replace(item="other_3")]}
    assert mine(Corpus(held_back=held_back), *structures).lessons("p", [pair]) == []
    assert len(mine(Corpus(), *structures).lessons("p", [pair])) == 1


def test_a_search_shows_the_answer_somewhere_among_the_first() -> None:
    structures = project(1, 40)
    pairs = list(pairs_of(structures, chance(), hidden=0))
    searches = mine(Corpus(), *structures).searches("p", pairs)
    assert len(searches) == 30
    assert {len(found.passages) for found in searches} == {30}
    assert any(found.answer >= 0 for found in searches)
    assert all("Counts the points" not in text for found in searches for text in found.passages)
    assert mine(Corpus(), *structures).searches("p", []) == []


def test_many_pairs_of_few_projects_are_chosen() -> None:
    corpus = make_corpus({f"p{at}": project(at, 40) for at in range(9)}, held_back=0)
    chosen = choose(corpus, 70, seed=1)
    assert len(chosen) == 2
    assert all(chosen.values())
    assert choose(corpus, 70, seed=1) == chosen
    assert sum(map(len, choose(corpus, 10_000, seed=1).values())) == corpus.count()


def test_what_was_mined_is_kept(tmp_path: Path) -> None:
    asked = list[str]()

    def lessons(name: str, _: list[Pair]) -> list[Lesson]:
        asked.append(name)
        return [Lesson(name, "answer", ["other"])]

    first = mine_all({"a": []}, lessons, Lesson, tmp_path / "kept")
    every = mine_all({"a": [], "b": []}, lessons, Lesson, tmp_path / "kept")
    assert asked == ["a", "b"]
    assert first == [Lesson("a", "answer", ["other"])] == every[:1]


def test_the_card_of_a_reranker_says_how_to_use_it() -> None:
    settings = TuneSettings(base=ModelSource("tiny", "/tiny", None, "d1"), reranker=True)
    scores = {"rerank": Score(0.5, 0.3, 20)}
    tuned = Tuned(steps=4, minutes=1.5, loss=0.5, before=scores, after=scores)
    text = card(make_corpus({"only": project(1, 40)}), settings, tuned, {})
    assert "# A reranker of Rust code, from tiny" in text
    assert "search.rerank.model=THIS_FOLDER" in text
    assert "Before: the order of a hybrid search" in text


@pytest.mark.parametrize("option", [["--teacher", "x"], ["--mix", "0.5"]])
def test_what_only_encoders_take_is_wrong_usage(
    option: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["tune", "x.jsonl", "-o", "model", "--reranker", *option]) == 2
    assert "--teacher and --mix are for encoders" in capsys.readouterr().err


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
def run(
    tiny: Path,
    records: list[Path],
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> Run:
    # To an encoder of random weights, all items are similar.
    monkeypatch.setattr(mining, "_TOO_SIMILAR", 9.0)

    def run_tune(output: Path, *options: str, length: str = "6") -> dict[str, Any]:
        words = [*arguments(tiny, records, output, length), "--reranker", *options]
        return run_training(words, capsys)

    return run_tune


def test_a_training_that_was_killed_goes_on_to_the_same_reranker(
    run: Run,
    tiny: Path,
    records: list[Path],
    tmp_path: Path,
) -> None:
    whole, output = tmp_path / "whole", tmp_path / "model"
    assert run(whole, "--layers", "1")["code"] == 0
    assert [path.name for path in tmp_path.iterdir()] == ["whole"]
    command = [*arguments(tiny, records, output), "--reranker", "--layers", "1"]
    prepare = "from embedding.tuning import mining; mining._TOO_SIMILAR = 9.0"
    done = kill_training(command, prepare)
    assert done.returncode == -signal.SIGKILL, done.stderr
    assert "of other arguments (layers)" in run(output)["err"]
    found = run(output, "--layers", "1")
    assert (found["code"], found["steps"], found["projects"]) == (0, 6, 2)
    assert found["before"].keys() == found["after"].keys() == {"rerank"}
    assert found["after"]["rerank"]["questions"] == 12
    assert weights(output) == weights(whole)
    assert "A reranker of Rust code" in (output / "README.md").read_text()
    assert orjson.loads((output / "config.json").read_bytes())["num_hidden_layers"] == 1
    usual = load_settings().search.rerank.model_copy(update={"model": str(output)})
    scores = load_reranker(usual).score("a query", [passage(item) for item in project(1, 9)])
    assert len(set(scores)) > 1
    assert all(0 < score < 1 for score in scores)


def test_the_loss_is_the_cross_entropy_of_the_answer_among_its_own_others(tiny: Path) -> None:
    import torch
    from torch.nn.functional import cross_entropy

    from embedding.tuning.reranker_training import RankingLoss
    from embedding.tuning.student import load_cross_encoder

    source = ModelSource("tiny", str(tiny), None, "d1")
    settings = TuneSettings(base=source, reranker=True, device="cpu", tokens=40)
    model, again = load_cross_encoder(settings), load_cross_encoder(settings)
    assert model.max_seq_length == 40
    assert torch.equal(model.model.classifier.weight, again.model.classifier.weight)
    questions, *candidates = columns = [["a", "bb"], ["a", "b " * 30], ["xyz", "no"], ["c", "d"]]
    logits = [
        model.predict(list(zip(questions, texts, strict=True)), activation_fn=torch.nn.Identity())
        for texts in candidates
    ]
    expected = cross_entropy(torch.tensor(np.array(logits).T), torch.tensor([0, 0]))
    found = RankingLoss(model).eval()(columns, None)
    assert found.item() == pytest.approx(expected.item(), abs=1e-5)


def test_a_time_becomes_a_number_of_steps(run: Run, tmp_path: Path) -> None:
    found = run(tmp_path / "model", length="0.017")  # a second
    assert (found["code"], found["steps"] >= 1) == (0, True)


def test_too_few_pairs_are_refused(run: Run, tmp_path: Path) -> None:
    refused = run(tmp_path / "model", "--batch", "96")["err"]
    assert "pairs to learn from; a batch takes 96. Give more" in refused
