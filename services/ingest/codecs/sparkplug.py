"""Payloads of Sparkplug B 3.0, clause 6.4: protobuf to metrics, as far as Garonne needs them.

The message types are described here, field by field, by the numbers of the specification; fields that are not
described (data sets, templates, metadata) are skipped by protobuf itself.
"""

from collections.abc import Callable
from math import isfinite
from typing import Any, Final, NamedTuple

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
from google.protobuf.message import DecodeError

from services.ingest.profiles import Unparseable

__all__ = ["Metric", "Payload", "decode"]

MAX_METRICS: Final = 10_000

_UINT32, _UINT64, _FLOAT, _DOUBLE, _BOOL, _BYTES, _MESSAGE = (
    descriptor_pb2.FieldDescriptorProto.TYPE_UINT32,
    descriptor_pb2.FieldDescriptorProto.TYPE_UINT64,
    descriptor_pb2.FieldDescriptorProto.TYPE_FLOAT,
    descriptor_pb2.FieldDescriptorProto.TYPE_DOUBLE,
    descriptor_pb2.FieldDescriptorProto.TYPE_BOOL,
    descriptor_pb2.FieldDescriptorProto.TYPE_BYTES,
    descriptor_pb2.FieldDescriptorProto.TYPE_MESSAGE,
)
_OPTIONAL: Final = descriptor_pb2.FieldDescriptorProto.LABEL_OPTIONAL
_REPEATED: Final = descriptor_pb2.FieldDescriptorProto.LABEL_REPEATED

_SHAPES: Final[dict[str, tuple[tuple[str, int, int, int, str], ...]]] = {
    "Payload": (
        ("timestamp", 1, _UINT64, _OPTIONAL, ""),
        ("metrics", 2, _MESSAGE, _REPEATED, "Metric"),
        ("seq", 3, _UINT64, _OPTIONAL, ""),
    ),
    "Metric": (
        ("name", 1, _BYTES, _OPTIONAL, ""),
        ("alias", 2, _UINT64, _OPTIONAL, ""),
        ("timestamp", 3, _UINT64, _OPTIONAL, ""),
        ("datatype", 4, _UINT32, _OPTIONAL, ""),
        ("is_historical", 5, _BOOL, _OPTIONAL, ""),
        ("is_null", 7, _BOOL, _OPTIONAL, ""),
        ("properties", 9, _MESSAGE, _OPTIONAL, "PropertySet"),
        ("int_value", 10, _UINT32, _OPTIONAL, ""),
        ("long_value", 11, _UINT64, _OPTIONAL, ""),
        ("float_value", 12, _FLOAT, _OPTIONAL, ""),
        ("double_value", 13, _DOUBLE, _OPTIONAL, ""),
    ),
    "PropertySet": (
        ("keys", 1, _BYTES, _REPEATED, ""),
        ("values", 2, _MESSAGE, _REPEATED, "PropertyValue"),
    ),
    "PropertyValue": (("string_value", 8, _BYTES, _OPTIONAL, ""),),
}
"""Name, number, type, label and message type of each field (Sparkplug B 3.0, 6.4.1).

Strings are read as bytes, which have the same wire format: what is no UTF-8 is refused here, with a clear reason.
"""

_SIGNED_BITS: Final = {1: 8, 2: 16, 3: 32, 4: 64}
"""Int8 to Int64 by data type: two's complement in an unsigned field (6.4.16)."""

_NUMBERS: Final = ("double_value", "float_value", "long_value", "int_value")
_UNIT_KEYS: Final = (b"engUnit", b"EngUnit", b"engineeringUnits", b"Engineering Units", b"unit")


class Metric(NamedTuple):
    """A metric: name or alias, milliseconds since 1970, number as sent (`None`: null or no number), unit."""

    name: str | None
    alias: int | None
    timestamp_ms: int | None
    datatype: int | None
    is_historical: bool
    raw: float | None
    unit: str | None

    def value(self, datatype: int | None) -> float | None:
        """The number by its data type, which a DATA message may leave to the birth."""
        bits = _SIGNED_BITS.get(self.datatype or datatype or 0)
        if self.raw is None or bits is None or not isinstance(self.raw, int):
            return None if self.raw is None else float(self.raw)
        low = self.raw & ((1 << bits) - 1)
        return float(low - (1 << bits) if low >> (bits - 1) else low)


class Payload(NamedTuple):
    """A payload: milliseconds since 1970, sequence number 0..255, metrics."""

    timestamp_ms: int | None
    sequence: int | None
    metrics: tuple[Metric, ...]


def _build() -> Callable[[], Any]:
    file = descriptor_pb2.FileDescriptorProto(name="garonne/sparkplug_b.proto", package="garonne.sparkplug_b")
    for message_name, fields in _SHAPES.items():
        message = file.message_type.add(name=message_name)
        for name, number, kind, label, of in fields:
            field = message.field.add(name=name, number=number, type=kind, label=label)
            if of:
                field.type_name = f".{file.package}.{of}"
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    made: Callable[[], Any] = message_factory.GetMessageClass(pool.FindMessageTypeByName(f"{file.package}.Payload"))
    return made


_PAYLOAD: Final = _build()


def decode(payload: bytes) -> Payload:
    """Decode a payload.

    Raises:
        Unparseable: not protobuf, cut off, or more metrics than any node has.
    """
    message = _PAYLOAD()
    try:
        message.ParseFromString(payload)
    except DecodeError:
        raise Unparseable("not_binary", "payload: not a Sparkplug B payload, or cut off") from None
    if len(message.metrics) > MAX_METRICS:
        raise Unparseable("too_large", f"metrics: more than {MAX_METRICS}")
    return Payload(
        message.timestamp if message.HasField("timestamp") else None,
        message.seq & 0xFF if message.HasField("seq") else None,
        tuple(_metric(each) for each in message.metrics),
    )


def _metric(message: Any) -> Metric:
    raw = None
    if not message.is_null:
        raw = next((getattr(message, name) for name in _NUMBERS if message.HasField(name)), None)
    return Metric(
        _text(message.name) or None,
        message.alias if message.HasField("alias") else None,
        message.timestamp if message.HasField("timestamp") else None,
        message.datatype if message.HasField("datatype") else None,
        message.is_historical,
        None if raw is None or not isfinite(raw) else raw,
        _unit(message.properties),
    )


def _unit(properties: Any) -> str | None:
    found = dict(zip(properties.keys, properties.values, strict=False))
    return next(
        (_text(found[key].string_value) for key in _UNIT_KEYS if key in found and found[key].string_value), None
    )


def _text(value: bytes) -> str:
    try:
        return value.decode()
    except UnicodeDecodeError:
        raise Unparseable("not_text", "metrics: a name or unit must be UTF-8") from None
