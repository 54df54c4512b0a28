"""An encoder that runs the transformer of a sentence-transformers model by OpenVINO, on processors; an extra.

The transformer is converted in memory; pooling and whatever follows it stay torch's. https://docs.openvino.ai/

In int8 weights and activations are quantised after training by NNCF (SmoothQuant, Xiao et al. 2022, arXiv:2211.10438) on texts that
come with this package (calibration.jsonl), so that the vectors depend on the model alone. The result is kept in a folder.
"""

from __future__ import annotations

import io
import logging
import shutil
import sys
import warnings
from contextlib import nullcontext, redirect_stdout
from typing import TYPE_CHECKING, Any, cast

import numpy as np
import orjson

from embedding.encoders.int8 import CALIBRATION, INT8
from embedding.encoders.torch import TorchEncoder, choose_precision, cpu_has_bf16
from embedding.errors import ModelError, first_line
from machine.files import temporary_beside

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractContextManager
    from pathlib import Path

    from numpy.typing import NDArray
    from sentence_transformers import SentenceTransformer
    from torch import Tensor

    from configs.settings import ModelSettings

logger = logging.getLogger(__name__)

_KEPT_AS_THEY_ARE = 2
"""Products whose second factor narrows the numbers, from the first layer on, that int8 leaves alone: there it loses most."""


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
        passed = {
            **features,
            "token_embeddings": torch.from_numpy(np.asarray(hidden, dtype=np.float32)),
        }
        with torch.inference_mode():
            for module in list(self._model)[1:]:
                passed = module(passed)
        vectors: Tensor = passed["sentence_embedding"]
        return vectors.float()


def _compile(
    model: SentenceTransformer, settings: ModelSettings, precision: str, cache: Path | None
) -> tuple[Any, list[str]]:
    """Return the compiled transformer and the names of its inputs. Raises ModelError where it can't be had.

    What is quantised is kept in the folder `cache`, or taken from it.
    """
    sys.modules.setdefault(
        "openvino_telemetry", cast("Any", None)
    )  # can't be imported: nothing is reported home
    try:
        import openvino as ov  # noqa: PLC0415 - an extra
    except ImportError as exc:
        raise ModelError(
            "backend \"openvino\" is not installed: pip install -c constraints.txt -e '.[openvino]'."
        ) from exc
    transformer = getattr(model[0], "auto_model", None)
    if transformer is None:
        raise ModelError(
            f'model {settings.model} has no transformer that OpenVINO could run; use backend = "torch".'
        )
    features = model.preprocess(["an example", "another one"])
    names: list[str] = [
        name for name in ("input_ids", "attention_mask", "token_type_ids") if name in features
    ]
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # tracing warns of each constant
            converted = ov.convert_model(
                transformer.cpu().eval(), example_input={name: features[name] for name in names}
            )
        if precision == "int8":
            converted = _quantised(
                converted,
                lambda text: [model.preprocess([text])[name].numpy() for name in names],
                cache,
            )
        compiled = ov.Core().compile_model(
            converted,
            "CPU",
            {
                "INFERENCE_PRECISION_HINT": {
                    "bf16": "bf16",
                    "fp32": "f32",
                    "int8": "bf16" if cpu_has_bf16() else "f32",
                }[precision],
                "PERFORMANCE_HINT": "LATENCY",
                "NUM_STREAMS": 1,
                "ENABLE_CPU_PINNING": False,
            },
        )
    except Exception as exc:  # what its frontends raise differs by model
        raise ModelError(
            f'OpenVINO can\'t convert model {settings.model}: {first_line(exc)}. Use backend = "torch".'
        ) from exc
    return compiled, names


def _quantised(
    converted: Any, inputs: Callable[[str], list[NDArray[np.int64]]], cache: Path | None
) -> Any:
    """Return the model in int8, from the folder `cache` where it is there. Raises ModelError without NNCF."""
    import openvino as ov  # noqa: PLC0415 - an extra

    try:
        import nncf  # noqa: PLC0415 - an extra
    except ImportError as exc:
        raise ModelError(
            "precision \"int8\" needs NNCF: pip install -c constraints.txt -e '.[openvino]'."
        ) from exc
    kept = (
        cache / f"{INT8}-openvino-{ov.__version__.partition('-')[0]}-nncf-{nncf.__version__}"
        if cache is not None
        else None
    )
    if kept is not None and kept.is_dir():
        try:
            return ov.Core().read_model(kept / "model.xml")
        except RuntimeError as exc:
            logger.warning(
                "%s can't be read (%s): the model is quantised again", kept, first_line(exc)
            )
    logger.info("quantising the model to int8; this is done once")
    nncf.set_log_level(logging.ERROR)
    texts = [orjson.loads(line) for line in CALIBRATION.read_bytes().splitlines()]
    with redirect_stdout(io.StringIO()):  # progress bars have no place in what --json prints
        model = nncf.quantize(
            converted,
            nncf.Dataset([inputs(text) for text in texts]),
            model_type=nncf.ModelType.TRANSFORMER,
            subset_size=len(texts),
            ignored_scope=nncf.IgnoredScope(
                names=_narrowing_products(converted)[:_KEPT_AS_THEY_ARE]
            ),
        )
    if kept is not None:
        _keep(model, kept)
    return model


def _narrowing_products(model: Any) -> list[str]:
    """Return the names of the products with a weight of more inputs than outputs, in the order in which they are computed."""
    found = []
    for operation in model.get_ordered_ops():
        if operation.get_type_name() == "MatMul":
            weight, numbers = operation.input_value(1), operation.input_value(0)
            constant = weight.get_node().get_type_name() in ("Constant", "Convert")
            wide, narrow = (
                numbers.get_partial_shape()[-1],
                operation.output(0).get_partial_shape()[-1],
            )
            if (
                constant
                and wide.is_static
                and narrow.is_static
                and wide.get_length() > narrow.get_length()
            ):
                found.append(str(operation.get_friendly_name()))
    return found


def _keep(model: Any, folder: Path) -> None:
    """Save the model; where that fails it is quantised again the next time."""
    import openvino as ov  # noqa: PLC0415 - an extra

    temporary = temporary_beside(folder)
    try:
        temporary.mkdir(parents=True)
        ov.save_model(model, temporary / "model.xml", compress_to_fp16=False)
        shutil.rmtree(folder, ignore_errors=True)
        temporary.replace(folder)
    except (OSError, RuntimeError) as exc:
        logger.warning("can't keep the quantised model in %s: %s", folder, first_line(exc))
        shutil.rmtree(temporary, ignore_errors=True)
