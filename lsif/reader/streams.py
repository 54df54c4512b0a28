"""Opens a dump: a plain file, one packed by gzip or zstd, or standard input."""

from __future__ import annotations

import gzip
import io
import sys
import zlib
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, cast

from lsif.errors import DumpError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import BinaryIO

STANDARD_INPUT = Path("-")
_GZIP, _ZSTD = b"\x1f\x8b", b"\x28\xb5\x2f\xfd"
REMAKE = "Make it again with `lsif-ingest dump --repo DIR -o FILE`."


@contextmanager
def open_dump(path: Path) -> Iterator[BinaryIO]:
    """Open the dump for reading, unpacked; `-` is standard input.

    Raises DumpError if it can't be read to its end.
    """
    try:
        with sys.stdin.buffer if path == STANDARD_INPUT else path.open("rb") as file:
            buffered = cast("io.BufferedReader", file)
            yield _unpacked(buffered, buffered.peek(4)[:4])
    except (EOFError, zlib.error) as exc:
        raise DumpError(f"{path} is compressed, and cut off or damaged ({exc}). {REMAKE}") from exc
    except OSError as exc:
        if path.is_dir():
            raise DumpError(
                f"{path} is a folder; expected a dump, a file that an indexer writes."
            ) from exc
        raise DumpError(f"can't read the dump {path}: {exc.strerror or exc}. {REMAKE}") from exc


def is_packed(path: Path) -> bool:
    """Return whether the file is packed by gzip or zstd. Raises OSError where it can't be read."""
    with path.open("rb") as file:
        head = file.read(4)
    return head.startswith(_GZIP) or head == _ZSTD


def _unpacked(file: io.BufferedReader, head: bytes) -> BinaryIO:
    if head.startswith(_GZIP):
        return cast("BinaryIO", gzip.GzipFile(fileobj=file))
    if head == _ZSTD:
        import pyarrow as pa  # noqa: PLC0415 - for packed dumps only

        return io.BufferedReader(
            pa.CompressedInputStream(pa.PythonFile(file, mode="r"), "zstd"), 1 << 20
        )
    return file
