"""The encoder in numpy against sentence-transformers: the packaged model, and tiny ones."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import orjson
import pytest
from numpy.typing import NDArray

from configs.settings import ModelSettings, load_settings
from embedding.encoders.numpy_bert import NumpyBert, load_query_encoder
from embedding.errors import VectorError
from embedding.models import load_encoder, resolve_model, shared_query_encoder

from conftest import PROJECT_ROOT, SAMPLE
from tiny_bert import LETTERS, save_tokeniser, vocabulary

TEXTS = [
    "evict expired entries of the cache",
    "retry",
    "How do I wait longer after each failed attempt, with some jitter?",
    (
        "fn main() {\n    let x: Vec<Option<&'static str>> = vec![None; 3];\n"
        '    println!("{:?}", x);\n}'
    ),
    'HTTPServer::from_str::<u8>(b"\\x00\\xff") && a[1..=2] != !b // TODO',
    ".",
    "?!",
    "  spaces\taround \r\n lines  ",
    "a",
    "Ein Größenvergleich: naïve façade, ﬁn — “quoted” …",
    "並べ替え アルゴリズム 정렬 сортировка ترتيب",
    "🦀🔥 emoji and a zero\u200bwidth space, e\u0301 and é",
    "\x00\x01 control \x7f characters",
    "\ud7ff\ue000\ufffd\U0010ffff",
    "[CLS] [SEP] [MASK] [PAD] special tokens as text",
    "word" * 60,
    " ".join(f"word{number}" for number in range(500)),
    (SAMPLE / "src" / "cache.rs").read_text(),
    "1234567890 3.14159 0xdeadbeef 1e-9",
]


def settings(**changes: object) -> ModelSettings:
    packaged = load_settings().embedding.text
    return ModelSettings.model_validate(
        {**packaged.model_dump(), "device": "cpu", "precision": "fp32", **changes}
    )


def real(**changes: object) -> Any:
    """Return the encoder of sentence-transformers."""
    found = resolve_model(settings(**changes))
    return load_encoder(found.source, found.revision, found.settings)


def light(folder: Path, **changes: object) -> NumpyBert:
    encoder = load_query_encoder(folder, settings(model=str(folder), **changes))
    assert encoder is not None
    return encoder


def cosines(first: NDArray[np.float32], second: NDArray[np.float32]) -> NDArray[np.float64]:
    a, b = first.astype(np.float64), second.astype(np.float64)
    product: NDArray[np.float64] = (
        (a * b).sum(axis=1) / np.linalg.norm(a, axis=1) / np.linalg.norm(b, axis=1)
    )
    return product


@pytest.fixture(scope="module")
def packaged_folder() -> Path:
    return Path(resolve_model(settings()).source)


# ---- The packaged model


def test_vectors_of_the_packaged_model_are_those_of_sentence_transformers(
    packaged_folder: Path,
) -> None:
    expected = real().encode_queries(TEXTS)
    vectors = load_query_encoder(packaged_folder, settings())
    assert vectors is not None
    found = vectors.encode_queries(TEXTS)
    assert (found.shape, found.dtype) == ((len(TEXTS), 384), np.float32)
    assert found.flags.c_contiguous
    np.testing.assert_allclose(np.linalg.norm(found, axis=1), 1, atol=1e-6)
    assert cosines(found, expected).min() > 0.99999
    np.testing.assert_allclose(found, expected, atol=2e-4)
    some = expected[:9]
    assert (some @ some.T - 2 * np.eye(9)).max() < 0.9  # otherwise any vector would pass


def test_a_text_does_not_depend_on_those_beside_it(packaged_folder: Path) -> None:
    encoder = light(packaged_folder)
    together = encoder.encode_queries(TEXTS[:4])
    np.testing.assert_array_equal(
        together, np.concatenate([encoder.encode_queries([text]) for text in TEXTS[:4]])
    )
    np.testing.assert_array_equal(together[::-1], encoder.encode_queries(TEXTS[3::-1]))


def test_what_is_behind_the_256th_token_is_cut_off(packaged_folder: Path) -> None:
    encoder, words = light(packaged_folder), "word " * 254
    assert encoder.max_tokens == 256
    first, same, other = encoder.encode_queries([words, words + "more of it", "word " * 253])
    np.testing.assert_allclose(first, same, atol=1e-6)
    assert not np.allclose(first, other, atol=1e-6)
    short = light(packaged_folder, max_tokens=8)
    assert short.max_tokens == 8
    assert (
        cosines(short.encode_queries(TEXTS), real(max_tokens=8).encode_queries(TEXTS)).min()
        > 0.99999
    )


@pytest.mark.parametrize(
    "changes",
    [
        {"query_prompt": "search_query: "},
        {"dimension": 64},
        {"query_prompt": "auto"},
        {"document_prompt": "passage: "},
    ],
)
def test_settings_do_to_the_vectors_what_they_do_to_the_models_own(
    changes: dict[str, object], packaged_folder: Path
) -> None:
    found, expected = (
        light(packaged_folder, **changes).encode_queries(TEXTS),
        real(**changes).encode_queries(TEXTS),
    )
    assert found.shape == expected.shape
    assert cosines(found, expected).min() > 0.99999
    np.testing.assert_allclose(np.linalg.norm(found, axis=1), 1, atol=1e-6)


def test_a_vector_that_is_not_normalised_has_the_models_own_length(packaged_folder: Path) -> None:
    """The packaged model's last module normalises."""
    encoder = load_query_encoder(packaged_folder, settings(normalise=False))
    if encoder is not None:
        np.testing.assert_allclose(
            encoder.encode_queries(TEXTS), real(normalise=False).encode_queries(TEXTS), atol=2e-4
        )


def test_it_is_for_queries_only(packaged_folder: Path) -> None:
    encoder = light(packaged_folder)
    assert (encoder.device, encoder.precision, encoder.dimension, encoder.texts_at_once) == (
        "cpu",
        "fp32",
        384,
        1,
    )
    with pytest.raises(NotImplementedError, match="2 texts are for embedding.models to encode"):
        encoder.encode_documents(["a", "b"])
    with pytest.raises(NotImplementedError, match="1 texts are for embedding.models to count"):
        encoder.count_tokens(["a"])


def test_a_process_has_one_for_all_vectors_of_a_model() -> None:
    text, code = (resolve_model(settings(recipe=recipe)) for recipe in ("words-2", "snippet-1"))
    encoder = shared_query_encoder(text)
    assert isinstance(encoder, NumpyBert)
    assert shared_query_encoder(code) is encoder
    assert shared_query_encoder(resolve_model(settings(max_tokens=8))) is not encoder


def test_neither_torch_nor_transformers_is_imported() -> None:
    """They take seconds: to do without them is what it is for."""
    script = """
import sys
from configs.settings import load_settings
from embedding.models import resolve_model, shared_query_encoder
encoder = shared_query_encoder(resolve_model(load_settings().embedding.text))
slow = ("torch", "transformers", "sentence_transformers")
imported = [name for name in slow if name in sys.modules]
print(encoder.encode_queries(["a query"]).shape, imported)
"""
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True, cwd=PROJECT_ROOT
    )
    assert done.stdout == "(1, 384) []\n"


# ---- Tiny models

WORDS = vocabulary(LETTERS)
SHORT = ["a", "a b c d", "query abc", "zzz y x", "Upper CASE", "?", "h " * 20]


@pytest.fixture(scope="module")
def make(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Path]:
    """Save a BERT of two layers with random weights, as sentence-transformers does."""
    import torch
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.sentence_transformer.modules import Normalize, Pooling, Transformer
    from transformers import BertConfig, BertModel

    def run(
        pooling: str = "mean",
        *,
        normalise: bool = True,
        include_prompt: bool = True,
        dtype: str = "float32",
        lower: bool = True,
        max_tokens: int | None = 32,
        prompts: dict[str, str] | None = None,
        **config: Any,
    ) -> Path:
        torch.manual_seed(0)
        folder = tmp_path_factory.mktemp("tiny")
        save_tokeniser(WORDS, folder / "bert", do_lower_case=lower)
        shape = {
            "hidden_size": 12,
            "num_hidden_layers": 2,
            "num_attention_heads": 2,
            "intermediate_size": 24,
        }
        bert = BertConfig(
            **{
                "vocab_size": len(WORDS),
                "max_position_embeddings": 64,
                "initializer_range": 0.7,
                **shape,
                **config,
            }
        )
        BertModel(bert).to(getattr(torch, dtype)).save_pretrained(folder / "bert")
        modules: list[Any] = [
            Transformer(str(folder / "bert"), max_seq_length=max_tokens),
            Pooling(12, pooling, include_prompt=include_prompt),
        ]
        model = SentenceTransformer(
            modules=[*modules, *([Normalize()] if normalise else [])], device="cpu", prompts=prompts
        )
        model.to(getattr(torch, dtype)).save(str(folder / "model"))
        return folder / "model"

    return run


@pytest.fixture(scope="module")
def tiny(make: Callable[..., Path]) -> Path:
    return make(prompts={"query": "q ", "document": "", "other": "o o "})


def agree(folder: Path, texts: list[str] = SHORT, **changes: object) -> None:
    """Assert that there is an encoder, and that it gives the model's own vectors."""
    expected = real(model=str(folder), **changes).encode_queries(texts)
    found = light(folder, **changes).encode_queries(texts)
    assert cosines(found, expected).min() > 0.99999
    np.testing.assert_allclose(
        np.linalg.norm(found, axis=1), np.linalg.norm(expected, axis=1), rtol=1e-3
    )
    assert (
        len(texts) == 1 or cosines(expected, np.roll(expected, 1, axis=0)).min() < 0.99
    )  # otherwise any vector would pass


def agree_or_none(folder: Path, texts: list[str] = SHORT, **changes: object) -> None:
    """Assert that it returns the model's own vectors, or leaves it to sentence-transformers."""
    if load_query_encoder(folder, settings(model=str(folder), **changes)) is not None:
        agree(folder, texts, **changes)


def test_a_tiny_model_is_read_too(tiny: Path) -> None:
    agree(tiny)
    assert light(tiny).dimension == 12


def test_prompts_are_the_models_own_or_named_or_spelled_out(tiny: Path) -> None:
    plain = light(tiny, query_prompt="").encode_queries(["q abc", "o o abc", "x abc"])
    for prompt, place in (("auto", 0), ("name:query", 0), ("name:other", 1), ("x ", 2)):
        np.testing.assert_allclose(
            light(tiny, query_prompt=prompt).encode_queries(["abc"])[0], plain[place], atol=1e-6
        )
        agree(tiny, query_prompt=prompt)
    agree(tiny, query_prompt="name:document")
    assert load_query_encoder(tiny, settings(model=str(tiny), query_prompt="name:absent")) is None


def test_a_prompt_that_is_left_out_of_the_mean_is(make: Callable[..., Path]) -> None:
    agree_or_none(make(include_prompt=False, prompts={"query": "q q q q "}))


LONG = [*(f"{letter} " * 50 for letter in "abc"), " ".join(LETTERS) * 3]


def test_a_models_limit_of_tokens_is_kept_if_it_is_noted_with_the_tokenizer(
    make: Callable[..., Path],
) -> None:
    """As sentence-transformers 5 does it."""
    agree_or_none(make(max_tokens=16), LONG)


def test_a_models_limit_of_tokens_is_kept_if_it_is_noted_in_the_models_own_file(
    make: Callable[..., Path],
) -> None:
    """As sentence-transformers did it before."""
    folder = make(max_tokens=16)
    (folder / "sentence_bert_config.json").write_text(
        '{"max_seq_length": 16, "do_lower_case": false}'
    )
    agree(folder, LONG)
    assert light(folder).max_tokens == 16


def test_a_model_without_a_limit_of_tokens_reads_as_many_as_it_has_positions(
    make: Callable[..., Path],
) -> None:
    agree_or_none(make(max_tokens=None), LONG)


def test_a_token_limit_of_the_settings_never_passes_the_models_positions(tiny: Path) -> None:
    assert light(tiny, max_tokens=7).max_tokens == 7
    agree(tiny, ["a b c d e f g h i j k"], max_tokens=7)
    assert light(tiny, max_tokens=500).max_tokens == 64


def test_weights_in_float16_are_computed_in_float32(make: Callable[..., Path]) -> None:
    agree(make(dtype="float16"))


def test_weights_in_bfloat16_give_the_models_vectors_too(make: Callable[..., Path]) -> None:
    agree_or_none(make(dtype="bfloat16"))


def test_a_model_that_lowers_the_case_itself_does_so(make: Callable[..., Path]) -> None:
    folder = make(lower=False)
    path = folder / "sentence_bert_config.json"
    path.write_bytes(orjson.dumps({**orjson.loads(path.read_bytes()), "do_lower_case": True}))
    agree_or_none(folder)


def test_a_model_that_does_not_normalise_is_left_alone_if_its_length_is_wanted(
    make: Callable[..., Path],
) -> None:
    folder = make(normalise=False)
    agree(folder)
    assert load_query_encoder(folder, settings(model=str(folder), normalise=False)) is None


@pytest.mark.parametrize(
    "other",
    [
        {"pooling": "cls"},
        {"pooling": "max"},
        {"pooling": ("mean", "max")},
        {"pooling": "weightedmean"},
        {"hidden_act": "relu"},
        {"hidden_act": "gelu_new"},
        {"position_embedding_type": "relative_key"},
    ],
)
def test_a_model_of_another_kind_is_left_to_sentence_transformers(
    other: dict[str, Any], make: Callable[..., Path]
) -> None:
    folder = make(**other)
    assert load_query_encoder(folder, settings(model=str(folder))) is None


def test_a_model_with_another_module_behind_is_left_to_sentence_transformers(
    tiny: Path, tmp_path: Path
) -> None:
    folder = Path(shutil.copytree(tiny, tmp_path / "model"))
    path = folder / "modules.json"
    modules = orjson.loads(path.read_bytes())
    for changed in (
        [
            *modules,
            {
                "idx": 3,
                "name": "3",
                "path": "3_Dense",
                "type": "sentence_transformers.models.Dense",
            },
        ],
        modules[:1],
        modules[::-1],
        [{**modules[0], "type": "sentence_transformers.models.WordEmbeddings"}, *modules[1:]],
    ):
        path.write_bytes(orjson.dumps(changed))
        assert load_query_encoder(folder, settings(model=str(folder))) is None


@pytest.mark.parametrize(
    "name",
    [
        "config.json",
        "modules.json",
        "1_Pooling/config.json",
        "sentence_bert_config.json",
        "model.safetensors",
        "tokenizer.json",
    ],
)
def test_a_model_that_lacks_a_file_is_left_to_sentence_transformers(
    name: str, tiny: Path, tmp_path: Path
) -> None:
    folder = Path(shutil.copytree(tiny, tmp_path / "model"))
    (folder / name).unlink()
    assert load_query_encoder(folder, settings(model=str(folder))) is None
    if name.endswith(".json") and name != "tokenizer.json":
        (folder / name).write_text("{")
        assert load_query_encoder(folder, settings(model=str(folder))) is None


@pytest.mark.parametrize("content", ["[]", "null", "7", '"x"'])
def test_json_that_is_not_a_configuration_is_left_to_sentence_transformers(
    content: str, tiny: Path, tmp_path: Path
) -> None:
    for name in (
        "config.json",
        "modules.json",
        "1_Pooling/config.json",
        "sentence_bert_config.json",
    ):
        folder = Path(shutil.copytree(tiny, tmp_path / name.replace("/", "-")))
        (folder / name).write_text(content)
        assert load_query_encoder(folder, settings(model=str(folder))) is None, name


@pytest.mark.parametrize(
    "changes",
    [{"device": "cuda"}, {"device": "cuda:1"}, {"device": "mps"}, {"backend": "openvino"}],
)
def test_settings_for_another_device_or_backend_are_left_to_it(
    changes: dict[str, object], tiny: Path
) -> None:
    assert load_query_encoder(tiny, settings(model=str(tiny), **changes)) is None
    assert load_query_encoder(tiny, settings(model=str(tiny), device="auto")) is not None


def test_a_model_on_the_hub_is_left_to_sentence_transformers() -> None:
    assert load_query_encoder(Path("sentence-transformers/all-MiniLM-L6-v2"), settings()) is None


def test_what_is_not_a_vector_is_rejected(tiny: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    encoder = light(tiny)
    monkeypatch.setitem(
        encoder._weights, "embeddings.LayerNorm.bias", np.full(12, np.nan, dtype=np.float32)
    )
    with pytest.raises(VectorError, match="NaN, infinity or zero"):
        encoder.encode_queries(["a"])
