"""An encoder that runs a sentence-transformers model by torch, on processors and GPUs.

bfloat16 is used in matrix products only (autocast), if the hardware has it: vectors keep a cosine
of 0.9999 to those of float32. On a GPU the next batch is tokenised while the last one is computed,
and vectors are copied one batch late.
"""

from __future__ import annotations

import logging
import queue
import threading
from collections import deque
from contextlib import nullcontext
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from embedding.batching import longest_first, token_batches
from embedding.encoder import QUERY_PROMPTS, resolve_prompt, validate
from embedding.errors import ModelError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from contextlib import AbstractContextManager

    from numpy.typing import NDArray
    from sentence_transformers import SentenceTransformer
    from torch import Tensor

    from configs.settings import ModelSettings

logger = logging.getLogger(__name__)

_CPU_TOKENS, _GPU_TOKENS = 2048, 131_072
"""Tokens in a forward pass if the settings say 0.

On processors 1,000 to 4,000 are equally fast and more are slower.
"""
_BF16_FLAGS = frozenset({"avx512_bf16", "amx_bf16", "bf16"})
_AHEAD = 4
"""Batches that are tokenised before a GPU needs them."""


class TorchEncoder:
    """See the module's header."""

    def __init__(self, model: SentenceTransformer, settings: ModelSettings) -> None:
        import torch  # noqa: PLC0415 - takes seconds, most commands don't need it

        self._torch = torch
        self._model = model.eval()
        self._settings = settings
        self.device = str(model.device)
        self.precision = choose_precision(self.device, settings)
        self.max_tokens = int(model.max_seq_length or 0)
        on_gpu = model.device.type == "cuda"
        self.texts_at_once = 8192 if on_gpu else 256
        self._kernels = self._choose_kernels()
        self._budget = settings.batch_tokens or (_GPU_TOKENS if on_gpu else _CPU_TOKENS)
        prompts, name = model.prompts or {}, settings.model
        self._document_prompt = resolve_prompt(
            prompts, settings.document_prompt, ("document", "passage", "corpus"), name
        )
        self._query_prompt = resolve_prompt(prompts, settings.query_prompt, QUERY_PROMPTS, name)
        full = model.get_embedding_dimension() or int(
            self._forward(self._features(["dimension"], None)).shape[1]
        )
        if settings.dimension > full:
            raise ModelError(
                f"model {settings.model} has vectors of dimension {full}; "
                f"the configured dimension is {settings.dimension}."
            )
        self.dimension = settings.dimension or full

    def count_tokens(self, texts: Sequence[str]) -> NDArray[np.int64]:
        """See Encoder."""
        prompt = self._document_prompt or ""
        return count_tokens(self._model, [prompt + text for text in texts])

    def encode_documents(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """See Encoder."""
        return self._encode(texts, self._document_prompt)

    def encode_queries(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """See Encoder."""
        return self._encode(texts, self._query_prompt)

    def _encode(self, texts: Sequence[str], prompt: str | None) -> NDArray[np.float32]:
        tokens = count_tokens(self._model, [(prompt or "") + text for text in texts])
        tokens = np.minimum(tokens, self.max_tokens) if self.max_tokens else tokens
        order = longest_first(tokens)
        vectors = np.empty((len(texts), self.dimension), dtype=np.float32)
        batches = [order[batch] for batch in token_batches(tokens[order], self._budget)]
        for batch, found in self._pass(batches, texts, prompt):
            vectors[batch] = found[:, : self.dimension]
        settings = self._settings
        return validate(
            vectors,
            count=len(texts),
            dimension=self.dimension,
            model=settings.model,
            normalise=settings.normalise,
        )

    def _pass(
        self, batches: list[NDArray[np.int64]], texts: Sequence[str], prompt: str | None
    ) -> Iterator[tuple[NDArray[np.int64], NDArray[np.float32]]]:
        """Yield each batch, positions in `texts`, and its vectors.

        A batch that is too large for the memory is halved.
        """
        on_gpu = self._model.device.type == "cuda"

        def prepared(batch: NDArray[np.int64]) -> tuple[NDArray[np.int64], dict[str, Any]]:
            return batch, self._features([texts[number] for number in batch.tolist()], prompt)

        late: deque[tuple[NDArray[np.int64], Tensor]] = deque()
        for batch, features in _ahead(prepared, batches) if on_gpu else map(prepared, batches):
            try:
                late.append((batch, self._forward(features)))
            except (MemoryError, RuntimeError) as exc:
                if not _is_out_of_memory(exc) or len(batch) == 1:
                    raise
                halves = [batch[: len(batch) // 2], batch[len(batch) // 2 :]]
            else:
                halves = []
            if halves:  # not in the handler: until that ends, the failed batch keeps its memory
                logger.warning(
                    "%d texts at once don't fit into the memory of %s: halved",
                    len(batch),
                    self.device,
                )
                self._budget = max(1, self._budget // 2)
                if on_gpu:
                    self._torch.cuda.empty_cache()
                yield from self._pass(halves, texts, prompt)
            # Copying waits for the GPU. One batch late, the GPU has finished in the meantime.
            while len(late) > on_gpu:
                yield _copied(late.popleft())
        while late:
            yield _copied(late.popleft())

    def _choose_kernels(self) -> AbstractContextManager[object]:
        """Return the context of each forward pass."""
        if self._model.device.type != "cpu":
            return nullcontext()
        from embedding.encoders.kernels import fast_kernels  # noqa: PLC0415 - imports torch

        dtype = self._torch.bfloat16 if self.precision == "bf16" else self._torch.float32
        return fast_kernels(self._model, dtype) or nullcontext()

    def _features(self, texts: list[str], prompt: str | None) -> dict[str, Any]:
        features: dict[str, Any] = self._model.preprocess([*texts], prompt=prompt)
        return features

    def _forward(self, features: dict[str, Any]) -> Tensor:
        """Return the vectors of the batch, not normalised, still on the device."""
        device, torch = self._model.device, self._torch
        moved = {
            name: value.to(device, non_blocking=True) if isinstance(value, torch.Tensor) else value
            for name, value in features.items()
        }
        low = self.precision == "bf16"
        cast: AbstractContextManager[object] = (
            torch.autocast(device.type, torch.bfloat16) if low else nullcontext()
        )
        with torch.inference_mode(), cast, self._kernels:
            vectors: Tensor = self._model(moved)["sentence_embedding"]
        return vectors.float()


def count_tokens(model: SentenceTransformer, texts: list[str]) -> NDArray[np.int64]:
    """Return the number of tokens of each text, special tokens included, int64, (n,).

    A text that will be cut off counts in full.
    """
    tokenizer = model.tokenizer
    if not texts:
        return np.empty(0, dtype=np.int64)
    if not callable(tokenizer):  # a model without transformers, such as one of static embeddings
        return np.array([len(text) // 4 + 1 for text in texts], dtype=np.int64)
    backend = getattr(tokenizer, "backend_tokenizer", None)
    if backend is not None:  # quicker: it makes no lists of ids that are only counted
        backend.no_truncation()
        backend.no_padding()
        return np.array(
            [len(tokens) for tokens in backend.encode_batch_fast(texts)], dtype=np.int64
        )
    encoded = tokenizer(
        list(texts), padding=False, truncation=False, return_attention_mask=False, verbose=False
    )
    return np.array([len(ids) for ids in encoded["input_ids"]], dtype=np.int64)


def choose_precision(device: str, settings: ModelSettings) -> str:
    """Return the precision to compute in: as set, or the one that the device is made for."""
    if settings.precision != "auto":
        return settings.precision
    if device.startswith("cuda"):
        import torch  # noqa: PLC0415 - takes seconds, most commands don't need it

        return "bf16" if torch.cuda.is_bf16_supported() else "fp32"
    return "bf16" if device == "cpu" and cpu_has_bf16() else "fp32"


@cache
def cpu_has_bf16() -> bool:
    """Return whether the processor multiplies bfloat16; False if unknown, as outside Linux."""
    try:
        text = Path("/proc/cpuinfo").read_text(encoding="ascii", errors="replace")
    except OSError:
        return False
    lines = (line.partition(":") for line in text.splitlines())
    flags = next((value for name, _, value in lines if name.strip() in ("flags", "Features")), "")
    return not _BF16_FLAGS.isdisjoint(flags.split())


def _copied(
    batch: tuple[NDArray[np.int64], Tensor],
) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    return batch[0], batch[1].cpu().numpy()


def _is_out_of_memory(exc: BaseException) -> bool:
    return (
        isinstance(exc, MemoryError)
        or type(exc).__name__ == "OutOfMemoryError"
        or "not enough memory" in str(exc)
    )


def _ahead(
    prepare: Callable[[NDArray[np.int64]], tuple[NDArray[np.int64], dict[str, Any]]],
    batches: Iterable[NDArray[np.int64]],
) -> Iterator[tuple[NDArray[np.int64], dict[str, Any]]]:
    """Yield what `prepare` returns for each batch; a thread calls it some batches ahead.

    Raises what `prepare` raises.
    """
    ready: queue.Queue[tuple[NDArray[np.int64], dict[str, Any]] | BaseException | None] = (
        queue.Queue(_AHEAD)
    )
    ended = threading.Event()

    def work() -> None:
        try:
            for batch in batches:
                prepared = prepare(batch)
                while not ended.is_set():
                    try:
                        ready.put(prepared, timeout=0.1)
                        break
                    except queue.Full:
                        continue
                if ended.is_set():
                    return
            ready.put(None)
        except BaseException as exc:  # noqa: BLE001 - the reader raises it
            ready.put(exc)

    thread = threading.Thread(target=work, daemon=True, name="tokenise")
    thread.start()
    try:
        while (prepared := ready.get()) is not None:
            if isinstance(prepared, BaseException):
                raise prepared
            yield prepared
    finally:
        ended.set()
        thread.join()


def gpu_count() -> int:
    """Return the number of GPUs that torch can use."""
    import torch  # noqa: PLC0415 - takes seconds, most commands don't need it

    return int(torch.cuda.device_count()) if torch.cuda.is_available() else 0


def load_sentence_transformer(
    source: str, revision: str | None, settings: ModelSettings
) -> SentenceTransformer:
    """Return the model. Raises whatever the model libraries raise."""
    import torch  # noqa: PLC0415 - takes seconds, most commands don't need it
    from sentence_transformers import SentenceTransformer  # noqa: PLC0415 - takes seconds, most commands don't need it

    model: SentenceTransformer = SentenceTransformer(
        source,
        device=None if settings.device == "auto" else settings.device,
        revision=revision,
        trust_remote_code=settings.trust_remote_code,
        local_files_only=revision is None,
    )
    if model.device.type == "cpu" and model.dtype is torch.float16:
        model.float()  # processors compute float16 slowly, and the vectors would be others
    return model
