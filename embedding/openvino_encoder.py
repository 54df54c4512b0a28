"""An encoder that runs the transformer of a sentence-transformers model by OpenVINO, on processors; an extra.

The transformer is converted in memory; pooling and whatever follows it stay torch's. https://docs.openvino.ai/
"""

from __future__ import annotations

import sys
import warnings
from contextlib import nullcontext
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from embedding.errors import ModelError, first_line
from embedding.torch_encoder import TorchEncoder, choose_precision

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    from sentence_transformers import SentenceTransformer
    from torch import Tensor

    from configs.settings import ModelSettings


class OpenVinoEncoder(TorchEncoder):
    """See the module's header. Texts, tokens and batches are those of TorchEncoder."""

    def __init__(self, model: SentenceTransformer, settings: ModelSettings) -> None:
        self._compiled, self._names = _compile(model, settings, choose_precision("cpu", settings))
        super().__init__(model.to("cpu"), settings)
        self.device = "cpu, openvino"

    def _choose_kernels(self) -> AbstractContextManager[object]:
        """Return nothing to enter: torch computes next to nothing here."""
        return nullcontext()

    def _forward(self, features: dict[str, Any]) -> Tensor:
        """Return the batch's vectors, not normalised."""
        torch = self._torch
        hidden = self._compiled([features[name].numpy() for name in self._names])[0]
        passed = {**features, "token_embeddings": torch.from_numpy(np.asarray(hidden, dtype=np.float32))}
        with torch.inference_mode():
            for module in list(self._model)[1:]:
                passed = module(passed)
        vectors: Tensor = passed["sentence_embedding"]
        return vectors.float()


def _compile(model: SentenceTransformer, settings: ModelSettings, precision: str) -> tuple[Any, list[str]]:
    """Return the compiled transformer and the names of its inputs. Raises ModelError where it can't be had."""
    sys.modules.setdefault("openvino_telemetry", cast("Any", None))  # can't be imported: nothing is reported home
    try:
        import openvino as ov  # noqa: PLC0415 - an extra
    except ImportError as exc:
        raise ModelError("backend \"openvino\" is not installed: pip install -c constraints.txt -e '.[openvino]'.") from exc
    transformer = getattr(model[0], "auto_model", None)
    if transformer is None:
        raise ModelError(f'model {settings.model} has no transformer that OpenVINO could run; use backend = "torch".')
    features = model.preprocess(["an example", "another one"])
    names: list[str] = [name for name in ("input_ids", "attention_mask", "token_type_ids") if name in features]
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # tracing warns of each constant
            converted = ov.convert_model(transformer.cpu().eval(), example_input={name: features[name] for name in names})
        compiled = ov.Core().compile_model(
            converted,
            "CPU",
            {
                "INFERENCE_PRECISION_HINT": {"bf16": "bf16", "fp32": "f32"}[precision],
                "PERFORMANCE_HINT": "LATENCY",
                "NUM_STREAMS": 1,
                "ENABLE_CPU_PINNING": False,
            },
        )
    except Exception as exc:  # what its frontends raise differs by model
        raise ModelError(f'OpenVINO can\'t convert model {settings.model}: {first_line(exc)}. Use backend = "torch".') from exc
    return compiled, names
