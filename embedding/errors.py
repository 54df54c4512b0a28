"""What can go wrong between a structure and its vectors.

EmbeddingError
├── ModelError              a model can't be loaded
├── EmbeddingStopped        the run that asked for vectors is over
├── VectorError             a model returned something that is not a usable vector
└── CheckpointError         the checkpoint can't be written or lacks a vector
"""

from configs.errors import LsifIngestError


class EmbeddingError(LsifIngestError):
    """A failure of this package."""


class ModelError(EmbeddingError):
    """A model can't be loaded."""


class EmbeddingStopped(EmbeddingError):
    """The run that asked for vectors is over."""


class VectorError(EmbeddingError):
    """A model returned something that is not a usable vector."""


class CheckpointError(EmbeddingError):
    """The checkpoint can't be written or lacks a vector."""


def first_line(exc: BaseException) -> str:
    """Return the type of an exception and the first line of its message.

    The line is cut to 200 characters and has no final period.
    """
    text = str(exc).strip().split("\n")[0][:200].rstrip(".")
    return f"{type(exc).__name__}: {text}" if text else type(exc).__name__
