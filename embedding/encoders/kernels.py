"""Faster ways on processors through the same operations of torch: linear layers with packed weights, attention of short texts.

In fp32 torch multiplies by MKL, which leaves half of an AMD processor idle, in bf16 it packs a weight anew at each call; oneDNN,
which torch has too, takes weights packed once. Torch's attention is made for long sequences; that of texts of a few hundred tokens
is two batched products. Measured in benchmarks/results/embed.md. The model's own code runs, whatever it is: only the two functions
are exchanged meanwhile.
"""

from __future__ import annotations

import logging
import math
from typing import TYPE_CHECKING, Any, NamedTuple

import torch
from torch.nn import functional
from torch.overrides import TorchFunctionMode

from embedding.errors import first_line

if TYPE_CHECKING:
    from collections.abc import Callable

    from torch import Tensor

logger = logging.getLogger(__name__)

_ROWS = 1024
"""Tokens that weights are packed for; others are taken as well."""
_SCORES = 1 << 24
"""Attention scores (texts x heads x tokens x tokens) up to which they are held in memory: 32 MB in bf16."""


class _Packed(NamedTuple):
    """A linear layer's weights: as the model has them, and as they are computed with."""

    weight: Tensor
    bias: Tensor | None
    packed: Tensor
    low_bias: Tensor | None


class FastKernels(TorchFunctionMode):
    """While it is entered, linear layers of the model and attention run as the module's header says.

    Linear layers compute in `dtype`: bfloat16 or float32.
    """

    def __init__(self, model: torch.nn.Module, dtype: torch.dtype) -> None:
        super().__init__()
        self._dtype = dtype
        self._packed: dict[int, _Packed] = {}
        """By id of the weight."""
        for module in model.modules():
            own = module._parameters if isinstance(module, torch.nn.Linear) else {}  # noqa: SLF001 - `.weight` may be computed
            weight, bias = own.get("weight"), own.get("bias")
            if weight is not None and weight.is_floating_point() and weight.device.type == "cpu":
                self._packed[id(weight)] = _Packed(
                    weight,
                    bias,
                    _pack(weight.detach().to(dtype)),
                    None if bias is None else bias.detach().to(dtype),
                )

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Any,
        args: tuple[Any, ...] = (),
        kwargs: dict[str, Any] | None = None,
    ) -> Any:
        """Run the function, or what replaces it."""
        kwargs = kwargs or {}
        if func is functional.linear:
            numbers, weight, bias = (*args, None, None)[:3]
            packed = self._packed.get(id(weight))
            if (
                packed is not None
                and packed.weight is weight
                and packed.bias is bias
                and not kwargs
            ):
                return _linear(numbers.to(self._dtype), packed)
        elif func is functional.scaled_dot_product_attention and _is_short(*args, **kwargs):
            return _attention(*args, **kwargs)
        return func(*args, **kwargs)


def fast_kernels(model: torch.nn.Module, dtype: torch.dtype) -> FastKernels | None:
    """Return the faster ways for the model, None where this torch or this processor has not got them.

    They are operations that torch keeps for its own compiler: each process tries them on numbers before it relies on them.
    """
    layer, numbers = torch.nn.Linear(32, 16), torch.linspace(-1, 1, 5 * 32).reshape(5, 32)
    try:
        with torch.inference_mode():
            expected = layer(numbers)
            with FastKernels(layer, dtype):
                found = layer(numbers).float()
        if torch.allclose(found, expected, atol=0.05 if dtype is torch.bfloat16 else 1e-4):
            return FastKernels(model, dtype)
        problem = "they give other numbers"
    except (RuntimeError, AttributeError, TypeError) as exc:
        problem = first_line(exc)
    logger.info("without packed weights: %s", problem)
    return None


def _pack(weight: Tensor) -> Tensor:
    packed: Tensor = torch.ops.mkldnn._reorder_linear_weight(weight, _ROWS)  # noqa: SLF001 - torch has no public name for it
    return packed


def _linear(numbers: Tensor, layer: _Packed) -> Tensor:
    operation = torch.ops.mkldnn._linear_pointwise  # noqa: SLF001
    product: Tensor = operation(numbers, layer.packed, layer.low_bias, "none", [], None)
    return product


def _is_short(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attn_mask: Tensor | None = None,
    *rest: Any,
    **options: Any,
) -> bool:
    """Return whether `_attention` can do it, and does it faster: not fp32, no option but a mask and a scale, few scores."""
    batch, heads, tokens, _ = query.shape if query.dim() == 4 else (0, 0, 0, 0)  # noqa: PLR2004 - as transformers has them
    return (
        value.dtype is torch.bfloat16
        and 0 < batch * heads * tokens * key.shape[-2] <= _SCORES
        and key.shape == value.shape
        and key.shape[:2] == query.shape[:2]
        and not rest
        and not options.get("is_causal")
        and not options.get("dropout_p")
        and (attn_mask is None or attn_mask.dtype is not torch.bool)
    )


def _attention(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attn_mask: Tensor | None = None,
    *,
    scale: float | None = None,
    **_: Any,
) -> Tensor:
    """Return what torch's scaled_dot_product_attention returns: softmax(query · key' · scale + mask) · value."""
    batch, heads, tokens, width = query.shape
    groups, keys = batch * heads, key.shape[2]
    flat = [numbers.to(value.dtype).reshape(groups, -1, width) for numbers in (query, key, value)]
    with torch.autocast(
        "cpu", enabled=False
    ):  # it would compute the softmax in fp32 and convert twice; within, that is fp32 anyway
        if attn_mask is None:
            mask, beta = value.new_zeros(()), 0
        else:
            mask, beta = (
                attn_mask.to(value.dtype)
                .expand(batch, heads, tokens, keys)
                .reshape(groups, tokens, keys),
                1,
            )
        scores = torch.baddbmm(
            mask, flat[0], flat[1].transpose(1, 2), beta=beta, alpha=scale or 1 / math.sqrt(width)
        )
        return torch.bmm(scores.softmax(-1), flat[2]).view(batch, heads, tokens, width)
