"""A cross-encoder made on the spot: what it scores, and what a search does with it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from pydantic import ValidationError

from configs.errors import ConfigError
from configs.settings import RerankSettings, load_settings
from embedding.errors import ModelError
from embedding.reranker import load_reranker
from embedding.text import passage
from search.engine import Searcher
from storage.embedded.index import EmbeddedIndex
from storage.index import Generation
from storage.metadata import Metadata

from made_up import Compass, made, publish, search_settings
from tiny_bert import LETTERS, save_tokeniser, vocabulary

TEXTS = ["a b c", "x y z", "q", "fn f() {\n    g(h);\n}\n", ""]


@pytest.fixture(scope="module")
def make(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., str]:
    """Make a cross-encoder of two layers with random weights; return its folder."""
    import torch
    from transformers import BertConfig, BertForSequenceClassification, BertModel

    def run(*, labels: int = 1, positions: int = 600, scores: bool = True) -> str:
        torch.manual_seed(0)
        folder = tmp_path_factory.mktemp("cross-encoder")
        words = vocabulary(LETTERS)
        save_tokeniser(words, folder)
        config = BertConfig(
            vocab_size=len(words),
            hidden_size=12,
            num_hidden_layers=2,
            num_attention_heads=2,
            intermediate_size=24,
            max_position_embeddings=positions,
            num_labels=labels,
            initializer_range=0.7,
        )
        model = BertForSequenceClassification if scores else BertModel
        model(config).save_pretrained(folder)
        return str(folder)

    return run


@pytest.fixture(scope="module")
def tiny(make: Callable[..., str]) -> str:
    return make()


def settings(model: str, **changes: object) -> RerankSettings:
    usual = load_settings().search.rerank.model_dump()
    return RerankSettings.model_validate({**usual, "model": model, **changes})


def test_each_text_gets_the_score_of_the_model_itself_in_the_order_of_the_texts(tiny: str) -> None:
    from sentence_transformers import CrossEncoder

    reranker, model = load_reranker(settings(tiny)), CrossEncoder(tiny)
    scores = reranker.score("a query", TEXTS)
    assert scores == pytest.approx(
        [float(model.predict([("a query", text)])[0]) for text in TEXTS], abs=1e-5
    )
    assert [type(score) for score in scores] == [float] * 5
    assert len({round(score, 3) for score in scores}) > 2  # otherwise any score would pass
    assert reranker.score("a query", TEXTS[::-1]) == pytest.approx(scores[::-1], abs=1e-5)
    assert reranker.score("another q", TEXTS) != pytest.approx(scores, abs=1e-3)


def test_the_last_layer_is_computed_for_the_first_token_alone(
    tiny: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    from sentence_transformers import CrossEncoder

    from embedding import first_token

    model, other = CrossEncoder(tiny), CrossEncoder(tiny)
    expected, names = model.predict([("a query", "x y z")]), set(model.state_dict())
    assert first_token.read_first_token_only(model.model)
    hidden = model.model.bert(**model.tokenizer("a query", "x y z", return_tensors="pt"))[0]
    assert hidden.shape[:2] == (1, 1)
    assert model.predict([("a query", "x y z")]) == pytest.approx(expected, abs=1e-5)
    assert set(model.state_dict()) == names
    monkeypatch.setattr(first_token, "_first_token", lambda _, hidden, *__, **___: (2 * hidden,))
    assert not first_token.read_first_token_only(other.model)
    assert other.predict([("a query", "x y z")]) == pytest.approx(expected, abs=1e-6)
    assert not first_token.read_first_token_only(object())


def test_no_texts_have_no_scores(tiny: str) -> None:
    assert load_reranker(settings(tiny)).score("a query", []) == []


def test_texts_are_cut_off_at_512_tokens(tiny: str) -> None:
    reranker = load_reranker(settings(tiny))
    long = "a b c d " * 300
    first, same = reranker.score("x", [long, long + "z z z"])
    assert first == pytest.approx(same, abs=1e-6)
    first, other = reranker.score("x", ["a b " * 240, "a b " * 240 + "z " * 20])
    assert first != pytest.approx(other, abs=1e-5)


def test_texts_are_cut_off_if_the_model_has_fewer_positions(make: Callable[..., str]) -> None:
    reranker = load_reranker(settings(make(positions=64)))
    long = "a b c d " * 300
    first, same = reranker.score("x", [long, long + "z z z"])
    assert first == pytest.approx(same, abs=1e-6)


def test_a_model_with_several_numbers_per_text_is_rejected(make: Callable[..., str]) -> None:
    """A model of entailment is one: which of its numbers is the score is unknown."""
    with pytest.raises(ModelError, match="search.rerank.model"):
        load_reranker(settings(make(labels=3))).score("x", TEXTS)


def test_an_encoder_is_no_reranker(make: Callable[..., str]) -> None:
    """Loaded as one, it would order the hits by random weights."""
    with pytest.raises(ModelError, match="is no reranker but a BertModel, which gives no scores"):
        load_reranker(settings(make(scores=False)))


def test_a_reranker_that_cant_be_loaded_is_named_with_the_setting(tmp_path: Path) -> None:
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken" / "config.json").write_text("not JSON")
    for model in ("nobody/nothing", str(tmp_path / "absent"), str(tmp_path / "broken")):
        with pytest.raises(ModelError) as caught:
            load_reranker(settings(model))
        assert str(caught.value).startswith(f"reranker {model} can't be loaded: ")
        assert str(caught.value).endswith("Check search.rerank.model; leave it empty to use none.")
        assert "\n" not in str(caught.value)


def test_code_of_the_hub_is_run_of_a_pinned_commit_only(tmp_path: Path) -> None:
    with pytest.raises(
        ValidationError, match="trust_remote_code runs the code of some/model: pin it with revision"
    ):
        settings("some/model", trust_remote_code=True)
    assert settings("some/model", trust_remote_code=True, revision="abc").trust_remote_code
    assert settings(str(tmp_path), trust_remote_code=True).trust_remote_code
    with pytest.raises(ConfigError, match=r"search\.rerank.*top"):
        load_settings(None, ["search.rerank.top=1"])


# ---- In a search


def test_a_hit_is_read_with_its_documentation_once() -> None:
    documented = made("a", docstring="Says how far.", snippet="/// Says how far.\nfn a() {}\n")
    assert passage(documented.structure) == "made_up::a\nSays how far.\nfn a() {}\n"
    assert passage(made("b", snippet="fn b() {}\n").structure) == "made_up::b\nfn b() {}\n"


@pytest.fixture
def generation(tmp_path: Path, metadata: Metadata) -> Iterator[Generation]:
    index = EmbeddedIndex(tmp_path / "qdrant")
    structures = [
        made(name, 5 * place, 5 * place, docstring=docs)
        for place, (name, docs) in enumerate(
            {"a": "q x", "b": None, "c": "z y", "d": "g h i", "e": "m"}.items()
        )
    ]
    yield publish(index, metadata, structures)
    index.close()


def test_a_search_shows_its_first_hits_in_the_order_of_the_model(
    tiny: str, generation: Generation
) -> None:
    reranker, changes = load_reranker(settings(tiny)), (f"rerank.model={tiny}", "rerank.top=4")
    plain = (
        Searcher(generation, lambda _: Compass(), search_settings(), lambda: reranker)
        .search("x y", "text")
        .hits
    )
    assert [hit.name for hit in plain] == list("abcde")
    texts = [passage(hit.structure) for hit in plain[:4]]
    scores = dict(zip("abcd", reranker.score("x y", texts), strict=True))
    expected = sorted("abcd", key=lambda name: -scores[name])
    assert expected != list("abcd")  # otherwise any order would pass

    chosen = search_settings(*changes)
    searcher = Searcher(
        generation, lambda _: Compass(), chosen, lambda: load_reranker(chosen.rerank)
    )
    for mode in ("text", "code", "hybrid"):
        hits = searcher.search("x y", mode).hits
        assert [hit.name for hit in hits] == [*expected, "e"], mode
        assert [hit.score for hit in hits[:4]] == pytest.approx(
            [scores[name] for name in expected], abs=1e-5
        )
    assert [hit.name for hit in searcher.search("x y", "text", limit=1).hits] == expected[:1]
    assert searcher.search("x y", "text").latency_ms["encode"] > 0
