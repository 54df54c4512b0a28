"""Measures the share of a GPU's bfloat16 matrix rate that embedding reaches.

    python benchmarks/bench_gpu.py [--texts N] [--layers N] [--width N] [--records structures.jsonl]

It downloads nothing: the encoder has random weights, and speed does not depend on them. Without
a GPU it runs on the processor, and says so.

A text of n tokens needs two FLOPs for each weight of the layers and each token, and 4 n^2 x
width for each layer's attention. Padding, embeddings, norms and pooling do not count. The matrix
rate is measured in the same run, with a large product. Lengths are those of the records'
snippets, or drawn from a log-normal distribution with the same median and spread (114 tokens on
average).
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
from sentence_transformers import SentenceTransformer
from sentence_transformers.sentence_transformer.modules import Pooling, Transformer
from transformers import BertConfig, BertModel

from configs.settings import ModelSettings, load_settings
from embedding.encoders.torch import TorchEncoder
from embedding.models import resolve_model
from lsif.jsonl import read_structures

MATRIX = 8192


def matrix_rate(device: torch.device) -> float:
    """Return the FLOPs a second of a bfloat16 matrix product."""
    size = MATRIX if device.type == "cuda" else 1024
    left, right = (torch.randn(size, size, device=device, dtype=torch.bfloat16) for _ in range(2))
    times = []
    for _ in range(12):
        _wait(device)
        began = time.perf_counter()
        left @ right
        _wait(device)
        times.append(time.perf_counter() - began)
    return float(2 * size**3 / min(times))


def random_encoder(layers: int, width: int, max_tokens: int, device: str) -> SentenceTransformer:
    """Return a BERT of random weights with the packaged model's tokenizer."""
    source = resolve_model(load_settings().embedding.text).source
    transformer = Transformer(source, max_seq_length=max_tokens)
    config = BertConfig(  # type: ignore[no-untyped-call]
        num_hidden_layers=layers,
        hidden_size=width,
        num_attention_heads=max(1, width // 64),
        intermediate_size=4 * width,
        max_position_embeddings=max_tokens,
        attn_implementation="sdpa",
    )
    torch.manual_seed(0)
    transformer.model = BertModel(config)  # type: ignore[no-untyped-call]
    model: SentenceTransformer = SentenceTransformer(
        modules=[transformer, Pooling(width)], device=device
    )
    return model


def texts_of(records: Path | None, count: int) -> list[str]:
    """Return texts with the corpus's own mix of lengths."""
    if records is not None:
        snippets = [one.context.snippet for one in read_structures(records)]
        return [snippets[number % len(snippets)] for number in range(count)]
    lengths = np.random.default_rng(0).lognormal(4.3, 0.9, count).clip(8, 2000).astype(int)
    return ["let value = call ( a ) ; " * (length // 8 + 1) for length in lengths]


def _wait(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--texts", type=int, default=20_000)
    parser.add_argument("--layers", type=int, default=12)
    parser.add_argument("--width", type=int, default=768)
    parser.add_argument("--max-tokens", type=int, default=1024)
    parser.add_argument("--records", type=Path)
    options = parser.parse_args()
    device = "cuda" if torch.cuda.is_available() else "cpu"
    if device == "cpu":
        print("no GPU here: this run tests the script on the processor")
    model = random_encoder(options.layers, options.width, options.max_tokens, device)
    settings = ModelSettings.model_validate(
        {**load_settings().embedding.text.model_dump(), "device": device, "precision": "bf16"}
    )
    encoder = TorchEncoder(model, settings)
    texts = texts_of(options.records, options.texts)
    tokens = np.minimum(encoder.count_tokens(texts), options.max_tokens).astype(np.float64)
    layers: Any = model[0]
    weights = sum(parameter.numel() for parameter in layers.auto_model.encoder.parameters())
    flops = float((2 * weights * tokens + 4 * options.layers * tokens**2 * options.width).sum())
    encoder.encode_documents(texts[: min(len(texts), 512)])  # warm
    rate = matrix_rate(torch.device(device))
    _wait(torch.device(device))
    began = time.perf_counter()
    encoder.encode_documents(texts)
    ours = time.perf_counter() - began
    part = texts[: max(64, len(texts) // 10)]
    began = time.perf_counter()
    model.encode(part, batch_size=4)
    theirs = (time.perf_counter() - began) * len(texts) / len(part)
    name = torch.cuda.get_device_name() if device == "cuda" else "processor"
    layers = f"{options.layers} layers of width {options.width}"
    lengths = f"{tokens.mean():.0f} tokens on average, {tokens.max():.0f} at most"
    print(f"device            {name}, {encoder.precision}")
    print(f"encoder           {weights / 1e6:.1f}M weights in {layers}")
    print(f"texts             {len(texts)}, {lengths}")
    print(f"matrix rate       {rate / 1e12:.2f} TFLOP/s")
    print(
        f"embedding         {flops / ours / 1e12:.2f} TFLOP/s, {flops / ours / rate:.1%} of it; "
        f"{len(texts) / ours:.0f} texts/s"
    )
    print(f"the tutorial's    {theirs / ours:.1f} times as long (batches of 4)")


if __name__ == "__main__":
    main()
