"""Several encoders of one model as one, each with its share of the texts: for several GPUs."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from embedding.encoder import Encoder


class ParallelEncoder:
    """Deals texts out like cards, so that each encoder gets long and short ones."""

    def __init__(self, encoders: Sequence[Encoder]) -> None:
        self._encoders = list(encoders)
        first = self._encoders[0]
        self.dimension, self.max_tokens = first.dimension, first.max_tokens
        self.precision = first.precision
        self.texts_at_once = sum(encoder.texts_at_once for encoder in self._encoders)
        self.device = ", ".join(encoder.device for encoder in self._encoders)

    def count_tokens(self, texts: Sequence[str]) -> NDArray[np.int64]:
        """See Encoder."""
        return self._encoders[0].count_tokens(texts)

    def encode_documents(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """See Encoder. Raises what one of the encoders raises."""
        vectors = np.empty((len(texts), self.dimension), dtype=np.float32)
        count = len(self._encoders)

        def work(number: int) -> None:
            share = texts[number::count]
            if share:
                vectors[number::count] = self._encoders[number].encode_documents(share)

        with ThreadPoolExecutor(count) as pool:
            for share in [pool.submit(work, number) for number in range(count)]:
                share.result()
        return vectors

    def encode_queries(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """See Encoder."""
        return self._encoders[0].encode_queries(texts)
