"""Packed linear layers and attention of short texts give the same results as torch's own."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch.nn import functional
from torch.nn.utils.parametrizations import weight_norm

from embedding.encoders import kernels as cpu_kernels
from embedding.encoders.kernels import FastKernels, fast_kernels

TOLERANCE = {torch.float32: 1e-4, torch.bfloat16: 0.05}


def packs_bf16() -> bool:
    """Return whether the processor has what oneDNN needs to pack weights in bf16.

    Not found out by packing some: that is what the tests are about.
    """
    try:
        text = Path("/proc/cpuinfo").read_text(encoding="ascii", errors="replace")
    except OSError:  # not Linux, which nobody has tried
        return False
    flags = set(text.split())
    return "avx_ne_convert" in flags or {"avx512bw", "avx512vl", "avx512dq"} <= flags


needs_bf16 = pytest.mark.skipif(not packs_bf16(), reason="this processor packs no bf16 weights")


@pytest.mark.parametrize("dtype", [torch.float32, pytest.param(torch.bfloat16, marks=needs_bf16)])
@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("shape", [(48,), (1, 48), (3, 7, 48), (0, 48)])
def test_a_linear_layer_gives_the_same_result(
    dtype: torch.dtype, bias: bool, shape: tuple[int, ...]
) -> None:
    layer, activations = torch.nn.Linear(48, 24, bias=bias), torch.randn(shape)
    with torch.inference_mode():
        expected = layer(activations)
        with FastKernels(layer, dtype):
            found = layer(activations)
    assert found.dtype is dtype
    torch.testing.assert_close(found.float(), expected, atol=TOLERANCE[dtype], rtol=0.05)


@needs_bf16
def test_other_weights_than_the_models_are_left_alone() -> None:
    torch.manual_seed(0)
    known, parametrised = torch.nn.Linear(8, 8), weight_norm(torch.nn.Linear(8, 8))
    activations, weight = torch.randn(2, 8), torch.randn(4, 8)
    with torch.inference_mode():
        expected = [
            parametrised(activations),
            functional.linear(activations, weight),
            functional.linear(activations, known.weight),
        ]
        with FastKernels(torch.nn.ModuleList([known, parametrised]), torch.bfloat16):
            found = [
                parametrised(activations),
                functional.linear(activations, weight),
                functional.linear(activations, known.weight),
            ]
    for result, own in zip(found, expected, strict=True):
        assert torch.equal(result, own)  # the last: the layer has a bias, the call has none


@pytest.mark.parametrize("masked", [True, False])
@pytest.mark.parametrize("scale", [None, 0.3])
def test_attention_gives_the_same_result(
    masked: bool, scale: float | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    torch.manual_seed(0)
    query, key, value = (
        torch.randn(3, 5, 4, 16, dtype=torch.bfloat16).transpose(1, 2) for _ in range(3)
    )
    mask = None
    if masked:
        mask = torch.zeros(3, 1, 5, 5, dtype=torch.bfloat16)
        mask[1, :, :, 3:] = torch.finfo(torch.bfloat16).min
    taken = []
    own = cpu_kernels._attention
    monkeypatch.setattr(
        cpu_kernels, "_attention", lambda *args, **options: taken.append(1) or own(*args, **options)
    )
    expected = functional.scaled_dot_product_attention(
        query, key, value, attn_mask=mask, scale=scale
    )
    with (
        torch.inference_mode(),
        torch.autocast("cpu", torch.bfloat16),
        FastKernels(torch.nn.Identity(), torch.bfloat16),
    ):
        found = functional.scaled_dot_product_attention(
            query, key, value, attn_mask=mask, scale=scale
        )
    assert taken
    assert found.dtype is torch.bfloat16
    torch.testing.assert_close(found.float(), expected.float(), atol=0.03, rtol=0.05)


@pytest.mark.parametrize(
    ("options", "tokens", "dtype"),
    [
        ({"is_causal": True}, 5, torch.bfloat16),
        ({"attn_mask": torch.ones(1, 1, 5, 5, dtype=torch.bool)}, 5, torch.bfloat16),
        ({}, 5, torch.float32),
        ({}, 4097, torch.bfloat16),
    ],
)
def test_what_it_is_not_made_for_stays_torchs(
    options: dict[str, object], tokens: int, dtype: torch.dtype, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cpu_kernels, "_attention", None)  # must not be called
    states = torch.randn(1, 1, tokens, 8, dtype=dtype)
    with torch.inference_mode(), FastKernels(torch.nn.Identity(), torch.bfloat16):
        assert (
            functional.scaled_dot_product_attention(states, states, states, **options).shape
            == states.shape
        )


@pytest.mark.parametrize(
    "failure", [RuntimeError("no such operator\nlong trace"), AttributeError("mkldnn")]
)
def test_a_torch_without_the_operations_goes_without(
    failure: Exception, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise failure

    monkeypatch.setattr(cpu_kernels, "_pack", fail)
    assert fast_kernels(torch.nn.Linear(4, 4), torch.float32) is None


def test_operations_whose_results_differ_are_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    own = cpu_kernels._linear
    monkeypatch.setattr(cpu_kernels, "_linear", lambda *args: own(*args) * 1.5)
    assert fast_kernels(torch.nn.Linear(4, 4), torch.float32) is None
