"""The fields of an index, one at a time: the outermost message is never in memory as a whole.

https://protobuf.dev/programming-guides/encoding/
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import BinaryIO

METADATA, DOCUMENT, EXTERNAL_SYMBOL = 1, 2, 3
"""Numbers of the fields that an index has."""

_NAMES = {METADATA: "metadata", DOCUMENT: "documents", EXTERNAL_SYMBOL: "external_symbols"}
_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5
_FIXED = {_FIXED64: 8, _FIXED32: 4}
_LONGEST = (1 << 31) - 1
"""Bytes of a message: what protobuf allows."""
_MOST_VARINT_BYTES = 10
_AT_ONCE = 1 << 24
"""Bytes that are asked for: a length that is wrong must not take memory."""
_FIRST_TAGS = frozenset({0x08, 0x12, 0x1A})
"""What metadata begins with: version, tool_info or project_root."""
_ENCODING, _LAST_ENCODING = 0x20, 2
"""What it begins with if it has none of these: text_document_encoding, up to UTF-16."""
HEAD_BYTES = 16
"""So many bytes tell the format."""


class Field(NamedTuple):
    """A field of the index."""

    offset: int
    """Of its first byte in the unpacked file."""
    number: int
    data: bytes


class DamagedIndex(ValueError):
    """The bytes are no index from some place on; the message says where and why."""

    def __init__(self, offset: int, why: str, *, is_cut_off: bool = False) -> None:
        super().__init__(f"at byte {offset}: {why}")
        self.is_cut_off = is_cut_off
        """Whether the file only ends too early."""


def is_index(head: bytes) -> bool:
    r"""Return whether a file that begins so is an index; `head` is HEAD_BYTES long if it can be.

    An index begins with the tag of its metadata, which is a newline. JSON may begin so, too, and a
    bracket after it may be a length; but what follows that is no beginning of metadata.

    >>> is_index(b"\n\x02\x1a\x00"), is_index(b'\n{"id":1'), is_index(b"")
    (True, False, False)
    """
    if head[:1] in (b"\x12", b"\x1a"):  # fields of an index without metadata, and no JSON
        return True
    if head[:1] != b"\n":
        return False
    length = 1
    while length < min(len(head), _MOST_VARINT_BYTES) and head[length] & 0x80:
        length += 1
    data = head[length + 1 :]
    if head[1:2] == b"\0":
        return True
    if data[:1] and data[0] == _ENCODING:
        return len(data) > 1 and data[1] <= _LAST_ENCODING
    return bool(data) and data[0] in _FIRST_TAGS


def fields(file: BinaryIO) -> Iterator[Field]:
    """Yield the known fields in their order; others are passed over. Raises DamagedIndex."""
    return _Fields(file).each()


class _Fields:
    """One pass over an index."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._offset = 0

    def each(self) -> Iterator[Field]:
        while (tag := self._varint(may_end=True)) is not None:
            begin, number, wire_type = self._begin, tag >> 3, tag & 7
            if number == 0:
                raise DamagedIndex(begin, "expected a field of an index, found field 0")
            name = f"field {number} ({_NAMES[number]})" if number in _NAMES else f"field {number}"
            if number in _NAMES and wire_type != _BYTES:
                raise DamagedIndex(begin, f"{name} has wire type {wire_type}, expected {_BYTES}")
            if wire_type == _VARINT:
                self._varint()
            elif wire_type in _FIXED:
                self._read(_FIXED[wire_type], name)
            elif wire_type == _BYTES:
                length = self._varint() or 0
                if length > _LONGEST:
                    raise DamagedIndex(
                        begin,
                        f"{name} says that it has {length} bytes, expected {_LONGEST} at most",
                    )
                if number in _NAMES:
                    yield Field(begin, number, self._read(length, name))
                else:
                    self._skip(length, name)
            else:
                raise DamagedIndex(begin, f"{name} has wire type {wire_type}, which is unknown")

    def _varint(self, *, may_end: bool = False) -> int | None:
        """Return the next number; None at the end of the file, if it may end here."""
        self._begin, value = self._offset, 0
        for position in range(_MOST_VARINT_BYTES):
            byte = self._file.read(1)
            if not byte:
                if may_end and position == 0:
                    return None
                raise DamagedIndex(self._offset, "it ends inside a number", is_cut_off=True)
            self._offset += 1
            value |= (byte[0] & 0x7F) << (7 * position)
            if byte[0] < 0x80:  # noqa: PLR2004 - the bit that says that more follow
                return value
        raise DamagedIndex(self._begin, f"a number has more than {_MOST_VARINT_BYTES} bytes")

    def _read(self, length: int, name: str) -> bytes:
        """Return the next bytes."""
        first, *rest = self._parts(length, name) if length else (b"",)
        return b"".join((first, *rest)) if rest else first

    def _skip(self, length: int, name: str) -> None:
        for _ in self._parts(length, name):
            pass

    def _parts(self, length: int, name: str) -> Iterator[bytes]:
        begin, left = self._offset, length
        while left:
            part = self._file.read(min(left, _AT_ONCE))
            if not part:
                raise DamagedIndex(
                    begin,
                    f"{name} has {length} bytes, and the file ends after {length - left} of them",
                    is_cut_off=True,
                )
            left -= len(part)
            self._offset += len(part)
            yield part
