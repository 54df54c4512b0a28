"""An encoder that runs the transformer of a sentence-transformers model by OpenVINO; an extra.

For processors only. The transformer is converted in memory; pooling and what follows it stay
torch's. https://docs.openvino.ai/
"""

from __future__ import annotations

import sys
import warnings
from contextlib import nullcontext
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from embedding.encoders.int8 import quantised
from embedding.encoders.torch import TorchEncoder, choose_precision, cpu_has_bf16
from embedding.errors import ModelError, first_line

if TYPE_CHECKING:
    from contextlib import AbstractContextManager
    from pathlib import Path

    from sentence_transformers import SentenceTransformer
    from torch import Tensor

    from configs.settings import ModelSettings

_INPUTS = ("input_ids", "attention_mask", "token_type_ids")
"""Inputs of a transformer; a model may lack the last."""


class OpenVinoEncoder(TorchEncoder):
    """See the module's header. Texts, tokens and batches are those of TorchEncoder."""

    def __init__(
        self, model: SentenceTransformer, settings: ModelSettings, cache: Path | None = None
    ) -> None:
        self._compiled, self._names = _compile(
            model, settings, choose_precision("cpu", settings), cache
        )
        super().__init__(model.to("cpu"), settings)
        self.device = "cpu, openvino"

    def _choose_kernels(self) -> AbstractContextManager[object]:
        """Return nothing to enter: torch computes next to nothing here."""
        return nullcontext()

    def _forward(self, features: dict[str, Any]) -> Tensor:
        """Return the batch's vectors, not normalised."""
        torch = self._torch
        hidden = self._compiled([features[name].numpy() for name in self._names])[0]
        embeddings = torch.from_numpy(np.asarray(hidden, dtype=np.float32))
        passed = {**features, "token_embeddings": embeddings}
        with torch.inference_mode():
            for module in list(self._model)[1:]:
                passed = module(passed)
        vectors: Tensor = passed["sentence_embedding"]
        return vectors.float()


def _compile(
    model: SentenceTransformer, settings: ModelSettings, precision: str, cache: Path | None
) -> tuple[Any, list[str]]:
    """Return the compiled transformer and the names of its inputs.

    A quantised model is kept in the folder `cache`, or taken from it. Raises ModelError.
    """
    ov = _openvino()
    transformer = getattr(model[0], "auto_model", None)
    if transformer is None:
        raise ModelError(
            f"model {settings.model} has no transformer that OpenVINO could run; "
            'use backend = "torch".'
        )
    features = model.preprocess(["an example", "another one"])
    names = [name for name in _INPUTS if name in features]
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # tracing warns of each constant
            converted = ov.convert_model(
                transformer.cpu().eval(), example_input={name: features[name] for name in names}
            )
        if precision == "int8":
            converted = quantised(
                converted,
                lambda text: [model.preprocess([text])[name].numpy() for name in names],
                cache,
            )
        compiled = ov.Core().compile_model(converted, "CPU", _options(precision))
    except Exception as exc:  # what its frontends raise differs by model
        raise ModelError(
            f"OpenVINO can't convert model {settings.model}: {first_line(exc)}. "
            'Use backend = "torch".'
        ) from exc
    return compiled, names


def _openvino() -> Any:
    """Return the module, without telemetry. Raises ModelError if it is not installed."""
    # Its telemetry can't be imported then, so nothing is reported home.
    sys.modules.setdefault("openvino_telemetry", cast("Any", None))
    try:
        import openvino as ov  # noqa: PLC0415 - an extra
    except ImportError as exc:
        raise ModelError(
            'backend "openvino" is not installed: '
            "pip install -c constraints.txt -e '.[openvino]'."
        ) from exc
    return ov


def _options(precision: str) -> dict[str, object]:
    """Return OpenVINO's settings; what int8 leaves alone is computed in the fastest float."""
    low = precision == "bf16" or (precision == "int8" and cpu_has_bf16())
    return {
        "INFERENCE_PRECISION_HINT": "bf16" if low else "f32",
        "PERFORMANCE_HINT": "LATENCY",
        "NUM_STREAMS": 1,
        "ENABLE_CPU_PINNING": False,
    }
