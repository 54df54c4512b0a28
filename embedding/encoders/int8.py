"""Quantises a transformer to int8 after training, by NNCF, and keeps the result in a folder.

SmoothQuant (Xiao et al. 2022, arXiv:2211.10438) for weights and activations. It is calibrated on
texts that come with this package (renderings of the sample repository by both default recipes, one
JSON string a line), so the vectors depend on the model alone.
"""

from __future__ import annotations

import hashlib
import io
import logging
import shutil
from contextlib import redirect_stdout
from pathlib import Path
from typing import TYPE_CHECKING, Any

import orjson

from embedding.errors import ModelError, first_line
from machine.files import temporary_beside

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy as np
    from numpy.typing import NDArray

logger = logging.getLogger(__name__)

CALIBRATION = Path(__file__).with_name("calibration.jsonl")

INT8 = f"int8-{hashlib.sha256(b'1' + CALIBRATION.read_bytes()).hexdigest()[:8]}"
"""The class of precision in a fingerprint.

Other calibration texts, or another rule of what is quantised, give other vectors. The rule's
version is the byte before the texts.
"""
_KEPT_AS_THEY_ARE = 2
"""Narrowing products, from the first layer on, that stay as they are: int8 loses most there."""


def quantised(
    model: Any, inputs: Callable[[str], list[NDArray[np.int64]]], cache: Path | None
) -> Any:
    """Return OpenVINO's `model` in int8, from the folder `cache` if it was kept there.

    `inputs` turns a text into the model's inputs. Raises ModelError if NNCF is not installed.
    """
    import openvino as ov  # noqa: PLC0415 - an extra

    try:
        import nncf  # noqa: PLC0415 - an extra
    except ImportError as exc:
        raise ModelError(
            "precision \"int8\" needs NNCF: pip install -c constraints.txt -e '.[openvino]'."
        ) from exc
    versions = f"openvino-{ov.__version__.partition('-')[0]}-nncf-{nncf.__version__}"
    kept = cache / f"{INT8}-{versions}" if cache is not None else None
    if kept is not None and kept.is_dir():
        try:
            return ov.Core().read_model(kept / "model.xml")
        except RuntimeError as exc:
            why = first_line(exc)
            logger.warning("%s can't be read (%s): the model is quantised again", kept, why)
    logger.info("quantising the model to int8; this is done once")
    nncf.set_log_level(logging.ERROR)
    texts = [orjson.loads(line) for line in CALIBRATION.read_bytes().splitlines()]
    skipped = nncf.IgnoredScope(names=_narrowing_products(model)[:_KEPT_AS_THEY_ARE])
    with redirect_stdout(io.StringIO()):  # progress bars would spoil the output of --json
        small = nncf.quantize(
            model,
            nncf.Dataset([inputs(text) for text in texts]),
            model_type=nncf.ModelType.TRANSFORMER,
            subset_size=len(texts),
            ignored_scope=skipped,
        )
    if kept is not None:
        _keep(small, kept)
    return small


def _narrowing_products(model: Any) -> list[str]:
    """Return the names of products whose weight has more inputs than outputs, in their order."""
    found = []
    for operation in model.get_ordered_ops():
        if operation.get_type_name() != "MatMul":
            continue
        weight = operation.input_value(1).get_node().get_type_name()
        wide = operation.input_value(0).get_partial_shape()[-1]
        narrow = operation.output(0).get_partial_shape()[-1]
        static = wide.is_static and narrow.is_static
        if weight in ("Constant", "Convert") and static and wide.get_length() > narrow.get_length():
            found.append(str(operation.get_friendly_name()))
    return found


def _keep(model: Any, folder: Path) -> None:
    """Save the model; after a failure it is quantised again the next time."""
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
