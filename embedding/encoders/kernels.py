"""Faster linear layers and attention for torch on processors.

In fp32 torch multiplies by MKL, which leaves half of an AMD processor idle; in bf16 it packs a
weight again at each call. oneDNN, which is part of torch, too, takes weights that are packed once.
Torch's attention is made for long sequences; for texts of a few hundred tokens two batched products
are faster. Measured in benchmarks/results/embed.md.

The model's own code runs, whatever it is: only these two functions are replaced while it does.
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
"""The number of tokens that weights are packed for; others work, too."""
_SCORES = 1 << 24
"""Most attention scores (texts x heads x tokens x tokens) at once: 32 MB in bf16."""


class _Packed(NamedTuple):
    """The weights of a linear layer, as the model has them and packed."""

    weight: Tensor
    bias: Tensor | None
    packed: Tensor
    low_bias: Tensor | None


class FastKernels(TorchFunctionMode):
    """The context in which the model's linear layers and attention are the faster ones.

    Linear layers compute in `dtype`: bfloat16 or float32.
    """

    def __init__(self, model: torch.nn.Module, dtype: torch.dtype) -> None:
        super().__init__()
        self._dtype = dtype
        self._packed: dict[int, _Packed] = {}
        """By the id() of the weight."""
        for module in model.modules():
            # Not `.weight`, which may be computed.
            own = module._parameters if isinstance(module, torch.nn.Linear) else {}  # noqa: SLF001
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
        """Run the function or its replacement."""
        kwargs = kwargs or {}
        if func is functional.linear:
            activations, weight, bias = (*args, None, None)[:3]
            packed = self._packed.get(id(weight))
            if (
                packed is not None
                and packed.weight is weight
                and packed.bias is bias
                and not kwargs
            ):
                return _linear(activations.to(self._dtype), packed)
        elif func is functional.scaled_dot_product_attention and _is_short(*args, **kwargs):
            return _attention(*args, **kwargs)
        return func(*args, **kwargs)


def fast_kernels(model: torch.nn.Module, dtype: torch.dtype) -> FastKernels | None:
    """Return the context for the model, or None if torch or the processor lacks the operations.

    Torch keeps them for its own compiler, so each process tries them before it relies on them.
    """
    layer, activations = torch.nn.Linear(32, 16), torch.linspace(-1, 1, 5 * 32).reshape(5, 32)
    try:
        with torch.inference_mode():
            expected = layer(activations)
            with FastKernels(layer, dtype):
                found = layer(activations).float()
        if torch.allclose(found, expected, atol=0.05 if dtype is torch.bfloat16 else 1e-4):
            return FastKernels(model, dtype)
        problem = "their results differ"
    except (RuntimeError, AttributeError, TypeError) as exc:
        problem = first_line(exc)
    logger.info("without packed weights: %s", problem)
    return None


def _pack(weight: Tensor) -> Tensor:
    # Torch has no public name for it.
    packed: Tensor = torch.ops.mkldnn._reorder_linear_weight(weight, _ROWS)  # noqa: SLF001
    return packed


def _linear(activations: Tensor, layer: _Packed) -> Tensor:
    operation = torch.ops.mkldnn._linear_pointwise  # noqa: SLF001
    product: Tensor = operation(activations, layer.packed, layer.low_bias, "none", [], None)
    return product


def _is_short(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attn_mask: Tensor | None = None,
    *rest: Any,
    **options: Any,
) -> bool:
    """Return whether `_attention` is right and faster: bf16, few scores, only mask and scale."""
    usual = query.dim() == 4  # noqa: PLR2004 - (batch, heads, tokens, width)
    batch, heads, tokens, _ = query.shape if usual else (0, 0, 0, 0)
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
    """Return softmax(query · key' · scale + mask) · value: torch's scaled_dot_product_attention."""
    batch, heads, tokens, width = query.shape
    groups, keys = batch * heads, key.shape[2]
    flat = [part.to(value.dtype).reshape(groups, -1, width) for part in (query, key, value)]
    # Autocast would convert twice for a softmax in fp32, which it computes inside anyway.
    with torch.autocast("cpu", enabled=False):
        if attn_mask is None:
            mask, beta = value.new_zeros(()), 0
        else:
            mask = attn_mask.to(value.dtype).expand(batch, heads, tokens, keys)
            mask, beta = mask.reshape(groups, tokens, keys), 1
        scores = torch.baddbmm(
            mask, flat[0], flat[1].transpose(1, 2), beta=beta, alpha=scale or 1 / math.sqrt(width)
        )
        return torch.bmm(scores.softmax(-1), flat[2]).view(batch, heads, tokens, width)
