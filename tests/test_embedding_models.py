"""The packaged model, and tiny ones made here in place of those that can't be downloaded."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from pydantic import ValidationError

from configs.settings import DEFAULT_CONFIG, ModelSettings, load_settings
from embedding import models
from embedding.encoders import torch as torch_encoder
from embedding.encoders.int8 import INT8
from embedding.encoders.parallel import ParallelEncoder
from embedding.encoders.torch import TorchEncoder
from embedding.errors import ModelError
from embedding.models import load_encoder, resolve_model
from embedding.text import RECIPES
from lsif.structure import Structure

from conftest import FakeEncoder
from tiny_bert import LETTERS, save_tokeniser, vocabulary


def settings(**changes: object) -> ModelSettings:
    packaged = load_settings().embedding.text
    return ModelSettings.model_validate({**packaged.model_dump(), "device": "cpu", **changes})


@pytest.fixture(scope="module")
def tiny_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A BERT of two layers with random weights, saved as sentence-transformers does."""
    import torch
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.sentence_transformer.modules import Pooling, Transformer
    from transformers import BertConfig, BertModel

    torch.manual_seed(0)
    folder = tmp_path_factory.mktemp("tiny")
    words = vocabulary(LETTERS)
    save_tokeniser(words, folder / "bert")
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
    model = SentenceTransformer(
        modules=[transformer, Pooling(12)],
        device="cpu",
        prompts={"query": "query ", "document": ""},
    )
    model.save(str(folder / "model"))
    return folder / "model"


@pytest.mark.parametrize("name", models.PACKAGED_MODELS)
def test_a_packaged_model_is_the_published_one(name: str) -> None:
    found = resolve_model(settings(model=f"packaged:{name}"))
    assert found.fingerprint.revision == models.PACKAGED_MODELS[name].weights_sha256
    encoder = load_encoder(found.source, found.revision, found.settings)
    assert encoder.dimension == 384
    vectors = encoder.encode_documents(
        ["count the points in a collection", "number of points stored", "parse a toml file"]
    )
    assert (vectors.shape, vectors.dtype) == ((3, 384), np.float32)
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-6)
    assert vectors[0] @ vectors[1] > 0.5 > vectors[0] @ vectors[2]


def test_the_order_and_company_of_texts_does_not_change_their_vectors() -> None:
    found = resolve_model(settings(precision="fp32"))
    encoder = load_encoder(found.source, found.revision, found.settings)
    texts = ["a short one", "a much longer text " * 20, "fn main() {}"]
    together = encoder.encode_documents(texts)
    alone = np.concatenate([encoder.encode_documents([text]) for text in texts])
    np.testing.assert_allclose(together, alone, atol=1e-5)


def test_weights_that_are_not_the_published_ones_are_rejected(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    packaged = replace(models.PACKAGED_MODELS["rust-code"], weights_sha256="0" * 64)
    monkeypatch.setitem(models.PACKAGED_MODELS, "rust-code", packaged)
    with pytest.raises(ModelError, match=r"has SHA-256 \w+; the published weights have 0000"):
        resolve_model(settings())


def test_a_model_in_a_folder_is_fingerprinted_by_its_content(
    tiny_model: Path, tmp_path: Path
) -> None:
    import shutil

    found = resolve_model(settings(model=str(tiny_model)))
    copy = Path(shutil.copytree(tiny_model, tmp_path / "copy"))
    assert (
        resolve_model(settings(model=str(copy))).fingerprint.revision == found.fingerprint.revision
    )
    (copy / "config_sentence_transformers.json").write_text("{}")
    assert (
        resolve_model(settings(model=str(copy))).fingerprint.revision != found.fingerprint.revision
    )


def test_the_dimension_is_read_from_the_model_and_its_query_prompt_is_used(
    tiny_model: Path,
) -> None:
    found = resolve_model(settings(model=str(tiny_model)))
    encoder = load_encoder(found.source, found.revision, found.settings)
    assert encoder.dimension == 12
    np.testing.assert_allclose(
        encoder.encode_queries(["abc"]), encoder.encode_documents(["query abc"]), atol=1e-6
    )


def test_a_token_limit_cuts_off_and_may_not_exceed_the_models_positions(tiny_model: Path) -> None:
    found = resolve_model(settings(model=str(tiny_model), max_tokens=8))
    encoder = load_encoder(found.source, found.revision, found.settings)
    cut = encoder.encode_documents(["a b c d e f g h i j k", "a b c d e f"])
    np.testing.assert_allclose(cut[0], cut[1], atol=1e-6)  # six words and two special tokens
    too_many = settings(model=str(tiny_model), max_tokens=65)
    with pytest.raises(ModelError, match="takes at most 64 tokens; max_tokens is 65"):
        load_encoder(found.source, found.revision, too_many)


def test_a_model_that_is_not_available_is_named(tmp_path: Path) -> None:
    with pytest.raises(
        ModelError, match="model nobody/nothing is not a local folder and could not be downloaded"
    ):
        resolve_model(settings(model="nobody/nothing"))
    with pytest.raises(
        ModelError, match="no packaged model 'other'; available: all-MiniLM-L6-v2, rust-code"
    ):
        resolve_model(settings(model="packaged:other"))
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken" / "config.json").write_text("not JSON")
    found = resolve_model(settings(model=str(tmp_path / "broken")))
    with pytest.raises(ModelError, match="can't be loaded"):
        load_encoder(found.source, found.revision, found.settings)


def test_a_hub_that_does_not_answer_is_asked_once(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    import huggingface_hub
    from huggingface_hub.utils import reset_sessions

    download, from_cache = huggingface_hub.hf_hub_download, list[bool]()

    def from_cache_only(*names: str, local_files_only: bool, **options: Any) -> str:
        from_cache.append(local_files_only)
        return str(download(*names, local_files_only=local_files_only, **options))

    with socket.socket() as nobody_listens:
        nobody_listens.bind(("127.0.0.1", 0))
        port = nobody_listens.getsockname()[1]
        monkeypatch.setenv("HF_ENDPOINT", f"http://127.0.0.1:{port}")
        monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", False)
        monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(tmp_path))
        reset_sessions()
        monkeypatch.setattr(huggingface_hub, "hf_hub_download", from_cache_only)
        with pytest.raises(ModelError) as failed:
            resolve_model(settings(model="nobody/nothing"))
    reset_sessions()
    assert str(failed.value) == (
        "model nobody/nothing is not a local folder and could not be downloaded from the Hugging "
        "Face Hub: 127.0.0.1 can't be reached (ConnectionError). Check its name "
        "(embedding.<vector>.model, or --base of tune); "
        '"packaged:rust-code" needs no download.'
    )
    assert from_cache == [True]  # else the library would ask again and again
    assert not [record for record in caplog.records if record.name.startswith("huggingface_hub")]


def test_threads_that_ask_at_once_get_the_one_encoder(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    made: list[int] = []

    def slow(*_: object) -> object:
        made.append(threading.get_ident())
        time.sleep(0.1)
        return object()

    monkeypatch.setattr(models, "load_encoder", slow)
    found = resolve_model(settings(max_tokens=17))  # no other test's
    with ThreadPoolExecutor(4) as threads:
        encoders = list(threads.map(lambda _: models.shared_encoder(found, tmp_path), range(4)))
    assert len(made) == 1
    assert len({id(encoder) for encoder in encoders}) == 1


def load(tiny: Path, **changes: object) -> TorchEncoder:
    found = resolve_model(settings(model=str(tiny), **changes))
    encoder = load_encoder(found.source, found.revision, found.settings)
    assert isinstance(encoder, TorchEncoder)
    return encoder


def test_prompts_are_the_models_own_or_named_or_spelled_out(tiny_model: Path) -> None:
    plain = load(tiny_model, query_prompt="")
    for prompt, text in (
        ("auto", "query abc"),
        ("name:query", "query abc"),
        ("x y ", "x y abc"),
        ("", "abc"),
        ("name:document", "abc"),
    ):
        encoder = load(tiny_model, query_prompt=prompt)
        np.testing.assert_allclose(
            encoder.encode_queries(["abc"]), plain.encode_queries([text]), atol=1e-6
        )
    documents = load(tiny_model, document_prompt="x y ")
    np.testing.assert_allclose(
        documents.encode_documents(["abc"]), plain.encode_queries(["x y abc"]), atol=1e-6
    )
    assert documents.count_tokens(["abc"]) - plain.count_tokens(["abc"]) == 2
    with pytest.raises(ModelError, match="has no prompt 'other'; it has document, query"):
        load(tiny_model, query_prompt="name:other")


def test_a_prompt_and_a_dimension_make_other_vectors(tiny_model: Path) -> None:
    model = str(tiny_model)
    same = resolve_model(settings(model=model)).fingerprint.digest
    for changes in (
        {"precision": "bf16"},
        {"query_prompt": "q "},
        {"batch_tokens": 7},
        {"backend": "openvino"},
    ):
        assert resolve_model(settings(model=model, **changes)).fingerprint.digest == same
    others: list[dict[str, object]] = [
        {"document_prompt": "d "},
        {"dimension": 4},
        {"normalise": False},
    ]
    digests = {
        resolve_model(settings(model=model, **changes)).fingerprint.digest for changes in others
    }
    assert len({same, *digests}) == 4


def test_the_models_own_length_is_kept_on_request(tiny_model: Path) -> None:
    texts = ["a b c", "d"]
    unit, own = (
        load(tiny_model).encode_documents(texts),
        load(tiny_model, normalise=False).encode_documents(texts),
    )
    lengths = np.linalg.norm(own, axis=1, keepdims=True)
    assert not np.allclose(lengths, 1, atol=0.01)
    np.testing.assert_allclose(own / lengths, unit, atol=1e-4)


def test_a_shorter_vector_is_the_beginning_of_the_whole_one_normalised(tiny_model: Path) -> None:
    whole, short = load(tiny_model), load(tiny_model, dimension=4)
    vectors = short.encode_documents(["abc", "d"])
    expected = whole.encode_documents(["abc", "d"])[:, :4]
    np.testing.assert_allclose(
        vectors, expected / np.linalg.norm(expected, axis=1, keepdims=True), atol=1e-5
    )
    with pytest.raises(ModelError, match="dimension 12; the configured dimension is 13"):
        load(tiny_model, dimension=13)


def test_tokens_are_counted_before_anything_is_cut_off(tiny_model: Path) -> None:
    encoder = load(tiny_model, max_tokens=8)
    assert encoder.max_tokens == 8
    assert encoder.count_tokens(["a b c", " ".join("a" * 50)]).tolist() == [5, 52]


def test_batches_of_any_size_give_the_same_vectors(tiny_model: Path) -> None:
    texts = ["a", "b c d e", "f g", "h " * 20, "", "a"]
    expected = load(tiny_model).encode_documents(texts)
    for tokens in (1, 16, 100_000):
        np.testing.assert_allclose(
            load(tiny_model, batch_tokens=tokens).encode_documents(texts), expected, atol=1e-5
        )


def test_a_batch_that_does_not_fit_into_memory_is_halved(
    tiny_model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    encoder = load(tiny_model, batch_tokens=1000)
    texts = [f"{letter} b" for letter in "abcdefghij"]
    expected, forward, sizes = encoder.encode_documents(texts), encoder._forward, []

    def small_memory(features: dict[str, Any]) -> Any:
        sizes.append(len(features["input_ids"]))
        if sizes[-1] > 3:
            raise RuntimeError(
                "DefaultCPUAllocator: not enough memory: you tried to allocate 1 bytes."
            )
        return forward(features)

    monkeypatch.setattr(encoder, "_forward", small_memory)
    np.testing.assert_allclose(encoder.encode_documents(texts), expected, atol=1e-5)
    assert sizes == [10, 5, 2, 3, 5, 2, 3]

    def no_memory(features: dict[str, Any]) -> Any:
        raise MemoryError

    monkeypatch.setattr(encoder, "_forward", no_memory)
    with pytest.raises(MemoryError):
        encoder.encode_documents(texts)


def test_bf16_keeps_the_vectors() -> None:
    texts = [
        "count the points in a collection",
        "parse a toml file",
        "fn main() { println!(); }" * 9,
    ]
    vectors = []
    for precision in ("fp32", "bf16"):
        found = resolve_model(settings(precision=precision))
        encoder = load_encoder(found.source, found.revision, found.settings)
        assert encoder.precision == precision
        vectors.append(encoder.encode_documents(texts))
    assert ((vectors[0] * vectors[1]).sum(axis=1) > 0.9998).all()


def test_the_processor_decides_the_precision(
    monkeypatch: pytest.MonkeyPatch, tiny_model: Path
) -> None:
    for has, precision in ((True, "bf16"), (False, "fp32")):
        monkeypatch.setattr(torch_encoder, "cpu_has_bf16", lambda has=has: has)
        assert load(tiny_model).precision == precision


def test_openvino_gives_torchs_vectors(tiny_model: Path) -> None:
    pytest.importorskip("openvino", reason="an extra: pip install -e '.[openvino]'")
    texts = ["a", "b c d e", "h " * 20]
    encoder = load(tiny_model, backend="openvino", precision="fp32")
    np.testing.assert_allclose(
        encoder.encode_documents(texts),
        load(tiny_model, precision="fp32").encode_documents(texts),
        atol=1e-4,
    )
    assert (encoder.device, encoder.precision) == ("cpu, openvino", "fp32")


def test_int8_stays_near_and_is_made_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, structures: list[Structure]
) -> None:
    pytest.importorskip("nncf", reason="an extra: pip install -e '.[openvino]'")
    texts = [
        RECIPES[recipe](structure)
        for structure in structures
        for recipe in ("tutorial-1", "snippet-1")
    ]
    found = resolve_model(settings(precision="int8", backend="openvino"))
    assert found.fingerprint.precision == INT8  # never mixed with the others
    vectors, quantised = [], []
    for damage in (False, False, True):
        if damage:
            next(tmp_path.glob("*/model.xml")).write_text("<net")
        caplog.clear()
        with caplog.at_level("INFO"):
            encoder = load_encoder(found.source, found.revision, found.settings, tmp_path)
        quantised.append("quantising" in caplog.text)
        assert encoder.precision == "int8"
        vectors.append(encoder.encode_documents(texts))
    assert quantised == [True, False, True]
    np.testing.assert_allclose(vectors[0], vectors[1], atol=1e-6)
    np.testing.assert_allclose(vectors[0], vectors[2], atol=1e-6)
    assert len(list(tmp_path.iterdir())) == 1
    exact = resolve_model(settings(precision="fp32"))
    expected = load_encoder(exact.source, exact.revision, exact.settings).encode_documents(texts)
    cosine = (vectors[0] * expected).sum(axis=1)
    assert 0.995 < cosine.mean() < 0.99999


def test_what_a_thread_prepares_comes_in_order_and_its_errors_are_raised() -> None:
    batches = [np.array([number]) for number in range(20)]
    ready = list(torch_encoder._ahead(lambda places: (places, {"n": places}), batches))
    assert [int(places[0]) for places, _ in ready] == list(range(20))

    def fail(places: np.ndarray) -> Any:
        raise ValueError("broken tokenizer")

    with pytest.raises(ValueError, match="broken tokenizer"):
        list(torch_encoder._ahead(fail, batches))
    early = torch_encoder._ahead(lambda places: (places, {}), batches)
    next(early)
    early.close()  # ends the thread
    assert not [thread for thread in threading.enumerate() if thread.name == "tokenise"]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"precision": "int8"}, 'precision "int8" requires backend "openvino"'),
        ({"backend": "openvino", "device": "cuda"}, 'runs only on device "cpu"'),
    ],
)
def test_settings_that_cant_go_together_are_rejected(
    changes: dict[str, object], message: str
) -> None:
    with pytest.raises(ValidationError, match=message):
        settings(**changes)


CONFIGS = sorted(path.name for path in DEFAULT_CONFIG.parent.glob("*.toml"))


@pytest.mark.parametrize("name", CONFIGS)
def test_every_configuration_that_is_shipped_loads_its_models(name: str, tiny_model: Path) -> None:
    """A tiny model stands in for downloads, and the processor for a GPU."""
    shipped = load_settings(DEFAULT_CONFIG.parent / name).embedding
    for model in (shipped.text, shipped.code):
        here = ModelSettings.model_validate(
            {
                **model.model_dump(),
                "model": str(tiny_model),
                "device": "cpu",
                "max_tokens": min(model.max_tokens, 64),
            }
        )
        found = resolve_model(here)
        vectors = load_encoder(found.source, found.revision, here).encode_documents(["a b c", "d"])
        assert vectors.shape == (2, 12)


REMOTE_CODE = """
import torch
from transformers import PretrainedConfig, PreTrainedModel
from transformers.modeling_outputs import BaseModelOutput

class AlibiConfig(PretrainedConfig):
    model_type = "tiny-alibi"
    def __init__(self, vocab_size=64, hidden_size=8, max_position_embeddings=8192, **kwargs):
        super().__init__(**kwargs)
        self.vocab_size, self.hidden_size = vocab_size, hidden_size
        self.max_position_embeddings = max_position_embeddings

class AlibiModel(PreTrainedModel):
    config_class = AlibiConfig
    def __init__(self, config):
        super().__init__(config)
        self.embed = torch.nn.Embedding(config.vocab_size, config.hidden_size)
        self.post_init()
    def _init_weights(self, module):
        pass
    def forward(self, input_ids=None, attention_mask=None, **kwargs):
        hidden = self.embed(input_ids)
        places = torch.arange(input_ids.shape[1], device=input_ids.device)
        distance = (places[None, :] - places[:, None]).abs().to(hidden.dtype)
        scores = hidden @ hidden.transpose(1, 2) - 0.1 * distance
        scores = scores.masked_fill(attention_mask[:, None, :] == 0, torch.finfo(scores.dtype).min)
        return BaseModelOutput(last_hidden_state=scores.softmax(-1) @ hidden)
"""


@pytest.fixture
def remote_model(tiny_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A model with Python code of its own: attention with linear biases, 8,192 tokens."""
    import json
    import shutil
    import sys

    import torch
    import transformers.dynamic_module_utils
    from safetensors.torch import save_file

    monkeypatch.setattr(
        transformers.dynamic_module_utils, "HF_MODULES_CACHE", str(tmp_path / "modules")
    )
    monkeypatch.setattr(sys, "path", [*sys.path])
    folder = Path(shutil.copytree(tiny_model, tmp_path / "remote"))
    (folder / "alibi.py").write_text(REMOTE_CODE)
    config = {
        "model_type": "tiny-alibi",
        "architectures": ["AlibiModel"],
        "vocab_size": 64,
        "hidden_size": 8,
        "torch_dtype": "float32",
        "max_position_embeddings": 8192,
        "auto_map": {"AutoConfig": "alibi.AlibiConfig", "AutoModel": "alibi.AlibiModel"},
    }
    (folder / "config.json").write_text(json.dumps(config))
    torch.manual_seed(0)
    save_file(
        {"embed.weight": torch.randn(64, 8)},
        folder / "model.safetensors",
        metadata={"format": "pt"},
    )
    pooling = next(folder.glob("*_Pooling/config.json"))
    pooling.write_text(pooling.read_text().replace("12", "8"))
    return folder


def test_a_models_own_code_runs_only_if_the_settings_say_so(remote_model: Path) -> None:
    with pytest.raises(ModelError, match="can't be loaded"):
        load(remote_model, trust_remote_code=False)
    encoder = load(remote_model, trust_remote_code=True, max_tokens=8192, precision="fp32")
    assert (encoder.dimension, encoder.max_tokens) == (8, 8192)
    long = "a b c d " * 1500
    assert encoder.count_tokens([long]).tolist() == [6002]
    vectors = encoder.encode_documents([long, long + "e " * 100, "x"])
    assert vectors[0] @ vectors[1] < 1 - 1e-6  # the end is not cut off


def test_several_gpus_share_the_texts(monkeypatch: pytest.MonkeyPatch, tiny_model: Path) -> None:
    """Processors stand in for GPUs."""
    loaded: list[str] = []
    load_one = models._load_one

    def on_cpu(source: str, revision: str | None, model: ModelSettings, cache: Path | None) -> Any:
        loaded.append(model.device)
        return load_one(source, revision, model.model_copy(update={"device": "cpu"}))

    monkeypatch.setattr(torch_encoder, "gpu_count", lambda: 3)
    monkeypatch.setattr(models, "_load_one", on_cpu)
    found = resolve_model(settings(model=str(tiny_model), device="auto"))
    encoder = load_encoder(found.source, found.revision, found.settings)
    assert loaded == ["cuda:0", "cuda:1", "cuda:2"]
    texts = [f"{letter} {letter} b" for letter in "acdefgh"]
    alone = load(tiny_model)
    for some in (texts, texts[:2], texts[:1], []):
        np.testing.assert_allclose(
            encoder.encode_documents(some), alone.encode_documents(some), atol=1e-5
        )
    np.testing.assert_allclose(
        encoder.encode_queries(texts), alone.encode_queries(texts), atol=1e-5
    )
    assert (encoder.texts_at_once, encoder.device, encoder.dimension) == (768, "cpu, cpu, cpu", 12)
    assert encoder.count_tokens(["a b"]).tolist() == [4]
    found = resolve_model(settings(model=str(tiny_model), device="cuda:1"))
    load_encoder(found.source, found.revision, found.settings)
    assert loaded[-2:] == ["cpu", "cuda:1"]


def test_what_one_of_several_encoders_raises_is_raised() -> None:
    class Failing(FakeEncoder):
        def encode_documents(self, texts: Sequence[str]) -> NDArray[np.float32]:
            raise ModelError(f"broken at {texts}")

    with pytest.raises(ModelError, match="broken at"):
        ParallelEncoder([FakeEncoder(), Failing()]).encode_documents(["a", "b"])
