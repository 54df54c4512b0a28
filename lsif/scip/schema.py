"""The messages of an index, with the fields that are read; a class's annotations are its schema.

Numbers and types are those of scip.proto. What is a `string` there is `bytes` here: text that is
not UTF-8 must not cost the whole document. Enumerations are numbers: newer files have newer values.
"""

from __future__ import annotations

from collections.abc import Sequence  # noqa: TC003 - the annotations are read at run time
from functools import cache
from typing import Annotated, Any, TypeVar, get_args, get_origin, get_type_hints

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
from google.protobuf.message import DecodeError

_PACKAGE = "lsif_ingest.scip"
_FIELD = descriptor_pb2.FieldDescriptorProto
_SCALARS = {int: _FIELD.TYPE_INT32, bool: _FIELD.TYPE_BOOL, bytes: _FIELD.TYPE_BYTES}


class Message:
    """What a message of protobuf has; a field that the file lacks is zero or empty."""

    def HasField(self, name: str) -> bool:  # noqa: N802 - protobuf's name
        """Return whether the file has the field, which is a message."""
        raise NotImplementedError


class ToolInfo(Message):
    """The indexer."""

    name: Annotated[bytes, 1]
    version: Annotated[bytes, 2]


class Metadata(Message):
    """The first field of an index."""

    tool_info: Annotated[ToolInfo, 2]
    project_root: Annotated[bytes, 3]
    text_document_encoding: Annotated[int, 4]


class SingleLineRange(Message):
    """From one column to another, which is exclusive; all numbers are 0-based."""

    line: Annotated[int, 1]
    start_character: Annotated[int, 2]
    end_character: Annotated[int, 3]


class MultiLineRange(Message):
    """The same across lines."""

    start_line: Annotated[int, 1]
    start_character: Annotated[int, 2]
    end_line: Annotated[int, 3]
    end_character: Annotated[int, 4]


class Occurrence(Message):
    """A place where a symbol is defined or named."""

    range: Annotated[Sequence[int], 1]
    """Line, column and end column, or line, column, end line and end column; 0-based."""
    symbol: Annotated[bytes, 2]
    symbol_roles: Annotated[int, 3]
    """Bits; see DEFINITION and the others."""
    enclosing_range: Annotated[Sequence[int], 7]
    """Of a definition: all of it, as `range` has it."""
    single_line_range: Annotated[SingleLineRange, 8]
    multi_line_range: Annotated[MultiLineRange, 9]
    single_line_enclosing_range: Annotated[SingleLineRange, 10]
    multi_line_enclosing_range: Annotated[MultiLineRange, 11]


class Relationship(Message):
    """What a symbol is to another one."""

    symbol: Annotated[bytes, 1]
    is_implementation: Annotated[bool, 3]


class Signature(Message):
    """A declaration."""

    text: Annotated[bytes, 5]


class SymbolInformation(Message):
    """What the indexer says about a symbol."""

    symbol: Annotated[bytes, 1]
    documentation: Annotated[Sequence[bytes], 3]
    """Markdown. Older indexers have the declaration here, too, in a fenced block."""
    relationships: Annotated[Sequence[Relationship], 4]
    kind: Annotated[int, 5]
    display_name: Annotated[bytes, 6]
    signature_documentation: Annotated[Signature, 7]
    enclosing_symbol: Annotated[bytes, 8]
    """Of a local: what it is in."""


class Document(Message):
    """A source file."""

    relative_path: Annotated[bytes, 1]
    occurrences: Annotated[Sequence[Occurrence], 2]
    symbols: Annotated[Sequence[SymbolInformation], 3]
    language: Annotated[bytes, 4]
    text: Annotated[bytes, 5]
    position_encoding: Annotated[int, 6]


DEFINITION, IMPORT, GENERATED, TEST, FORWARD_DEFINITION = 0x1, 0x2, 0x10, 0x20, 0x40
"""Roles of an occurrence."""

M = TypeVar("M", bound=Message)


def decode(kind: type[M], data: bytes) -> M:
    """Return the message. Raises ValueError if the data is damaged."""
    try:
        message: M = _classes()[kind.__name__].FromString(data)
    except DecodeError as exc:
        raise ValueError(f"it is no {kind.__name__}: {exc}") from exc
    return message


def text_of(data: bytes) -> str:
    """Return what a field of text says; what is not UTF-8 is replaced."""
    return data.decode("utf-8", "replace")


MESSAGES: tuple[type[Message], ...] = (
    ToolInfo, Metadata, SingleLineRange, MultiLineRange, Occurrence, Relationship, Signature,
    SymbolInformation, Document,
)  # fmt: skip


@cache
def _classes() -> dict[str, Any]:
    return message_classes(MESSAGES)


def message_classes(messages: Sequence[type[Message]]) -> dict[str, Any]:
    """Return protobuf's class of each message by its name, made of the annotations."""
    file = descriptor_pb2.FileDescriptorProto(
        name="lsif_ingest_scip.proto", package=_PACKAGE, syntax="proto3"
    )
    for message in messages:
        declared = file.message_type.add(name=message.__name__)
        for name, hint in get_type_hints(message, include_extras=True).items():
            kind, number = get_args(hint)
            is_repeated = get_origin(kind) is not None
            field = declared.field.add(name=name, number=number)
            field.label = _FIELD.LABEL_REPEATED if is_repeated else _FIELD.LABEL_OPTIONAL
            of = get_args(kind)[0] if is_repeated else kind
            if of in _SCALARS:
                field.type = _SCALARS[of]
            else:
                field.type, field.type_name = _FIELD.TYPE_MESSAGE, f".{_PACKAGE}.{of.__name__}"
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return {
        message.__name__: message_factory.GetMessageClass(
            pool.FindMessageTypeByName(f"{_PACKAGE}.{message.__name__}")
        )
        for message in messages
    }
