"""The messages of the protocol, built from a descriptor set in a pool of their own.

No code is generated: generated code imports only beside the protobuf that it was made for. A pool of its own leaves
alone what else has `dosegrid.v1` or `google.rpc` in the same process.
"""

from __future__ import annotations

import pathlib
from typing import Any, Callable

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

PACKAGE = "dosegrid.v1"


def _pool() -> Any:
    pool = descriptor_pool.DescriptorPool()
    content = (pathlib.Path(__file__).parent / "descriptors.pb").read_bytes()
    # Files come after those that they import.
    for file in descriptor_pb2.FileDescriptorSet.FromString(content).file:
        pool.Add(file) if not hasattr(pool, "AddSerializedFile") else pool.AddSerializedFile(file.SerializeToString())
    return pool


_POOL = _pool()
if hasattr(message_factory, "GetMessageClass"):
    _class_of: Callable[[Any], Any] = message_factory.GetMessageClass
else:  # protobuf below 4.22
    _class_of = getattr(message_factory.MessageFactory(_POOL), "GetPrototype")  # noqa: B009

_classes: dict[str, Any] = {}


def message(name: str) -> Any:
    """The class of a message of `dosegrid.v1`, or of any package by its full name."""
    full = name if "." in name else f"{PACKAGE}.{name}"
    if full not in _classes:
        _classes[full] = _class_of(_POOL.FindMessageTypeByName(full))
    return _classes[full]


def number(enum: str, value: str) -> int:
    """The number of a value of an enumeration, such as `number("ElementType", "ELEMENT_TYPE_INT16")`."""
    found: int = _POOL.FindEnumTypeByName(f"{PACKAGE}.{enum}").values_by_name[value].number
    return found


def name_of(enum: str, value: int) -> str:
    """The name of a value of an enumeration without its prefix, in lower case; its number if it is not known."""
    kind = _POOL.FindEnumTypeByName(f"{PACKAGE}.{enum}")
    found = kind.values_by_number.get(value)
    if found is None:
        return str(value)
    prefix = kind.values_by_number[0].name[: -len("UNSPECIFIED")]
    plain: str = found.name[len(prefix) :]
    return plain.lower()


def names(enum: str) -> list[str]:
    """The names of the values of an enumeration, as `name_of` tells them, without the unspecified one."""
    return [name_of(enum, value) for value in _POOL.FindEnumTypeByName(f"{PACKAGE}.{enum}").values_by_number if value]


def field_number(message_name: str, field: str) -> int:
    """The number of a field."""
    found: int = message(message_name).DESCRIPTOR.fields_by_name[field].number
    return found


class Method:
    """A call of a service: its path and its messages."""

    def __init__(self, service: str, name: str) -> None:
        found = _POOL.FindServiceByName(f"{PACKAGE}.{service}").methods_by_name[name]
        self.path = f"/{PACKAGE}.{service}/{name}"
        self.request = message(found.input_type.full_name)
        self.response = message(found.output_type.full_name)


_methods: dict[str, Method] = {}


def method(service: str, name: str) -> Method:
    """A call by the name of its service and its own."""
    path = f"{service}/{name}"
    if path not in _methods:
        _methods[path] = Method(service, name)
    return _methods[path]


def _varint(value: int) -> bytes:
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def _bytes_field(number_: int, length: int) -> bytes:
    """What stands before the bytes of a length-delimited field."""
    return _varint(number_ << 3 | 2) + _varint(length)


class Envelope:
    """A message around the bytes of a volume or tally, put together without copying them twice.

    :param outer: name of the message, and its field for the piece; none: the piece itself is the message
    :param piece: name of the message of a piece, whose field `data` the bytes are
    """

    def __init__(self, outer: tuple[str, str] | None, piece: str) -> None:
        self._outer = field_number(*outer) if outer else None
        self._piece = message(piece)
        self._data = field_number(piece, "data")

    def pack(self, data: memoryview | bytes, **fields: Any) -> bytes:
        """The serialised message: with these other fields of the piece."""
        start = self._piece(**fields).SerializeToString() + _bytes_field(self._data, len(data))
        around = _bytes_field(self._outer, len(start) + len(data)) if self._outer is not None else b""
        return b"".join((around, start, data))
