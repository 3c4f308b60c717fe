"""Sensor Measurement Lists, RFC 8428, in JSON and in CBOR: base values resolved, times made absolute.

RFC 8428 4.1 (base fields), 4.5.3 (time), 4.6 (resolved records), 6 (CBOR labels); RFC 9100 (version 26, secondary
units). Only numeric values and sums are given back: text, data and booleans are no measurement here.
"""

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from decimal import Decimal, InvalidOperation
from fractions import Fraction
from typing import Any, Final, NamedTuple

import cbor2

from services.ingest.clock import Reading
from services.ingest.codecs.jsontext import finite, read_array
from services.ingest.profiles import Unparseable

__all__ = ["Measurement", "read"]

LARGEST_RELATIVE_S: Final = 2**28
"""A resolved time below this is relative to now (RFC 8428, 4.5.3)."""

VERSIONS: Final = frozenset((*range(1, 11), 26))
"""10 is RFC 8428; 26 adds secondary units (RFC 9100)."""

MAX_RECORDS: Final = 10_000
MAX_DEPTH: Final = 8
_LATEST_S: Final = 253_000_000_000
"""In the year 9987: later is no instant."""

_LABELS: Final[Mapping[int, str]] = {
    -1: "bver", -2: "bn", -3: "bt", -4: "bu", -5: "bv", -6: "bs",
    0: "n", 1: "u", 2: "v", 3: "vs", 4: "vb", 5: "s", 6: "t", 7: "ut", 8: "vd",
}  # fmt: skip
_VALUES: Final = ("v", "vs", "vb", "vd")


class Measurement(NamedTuple):
    """A resolved record. `name` is base name and name; `sum_s` is the integral of the values over seconds."""

    name: str
    unit: str | None
    value: float | None
    sum_s: float | None
    at: Reading


def read(payload: bytes, received_at: datetime) -> list[Measurement]:
    """The measurements of a pack, in its order; JSON or CBOR, told by the first byte.

    Raises:
        Unparseable: not a pack, a value of a wrong type, or a version that is not understood.
    """
    # A CBOR array begins with 0x80..0x9f, or with the tag that says "this is CBOR"; JSON text never does.
    is_cbor = payload[:1] >= b"\x80"
    pack = _cbor(payload) if is_cbor else read_array(payload)
    if len(pack) > MAX_RECORDS:
        raise Unparseable("too_large", f"payload: more than {MAX_RECORDS} records")
    return list(_resolve(pack, received_at))


def _cbor(payload: bytes) -> list[Any]:
    try:
        pack = cbor2.loads(payload, max_depth=MAX_DEPTH, strict_hashable_types=False)
    except cbor2.CBORDecodeEOF:
        raise Unparseable("truncated", "payload: the CBOR ends in the middle") from None
    except (cbor2.CBORDecodeError, ValueError, TypeError, OverflowError, InvalidOperation, MemoryError, RecursionError):
        raise Unparseable("not_binary", "payload: not CBOR, or nested too deeply") from None
    # Behind a tag (55799: "this is CBOR") arrays come as tuples and maps as frozen ones.
    if not isinstance(pack, list | tuple):
        raise Unparseable("wrong_shape", "payload: must be a CBOR array")
    return [_with_names(record) for record in pack]


def _with_names(record: Any) -> Any:
    """Integer labels as names (RFC 8428, table 4); text labels stay."""
    if not isinstance(record, Mapping):
        return record
    return {_LABELS.get(key, str(key)) if type(key) is int else key: value for key, value in record.items()}


class _Base:
    """The base fields as they hold from one record to the next."""

    def __init__(self) -> None:
        self.name = ""
        self.unit: str | None = None
        self.time_s = 0.0
        self.value: float | None = None
        self.sum_s: float | None = None

    def update(self, record: Mapping[str, Any], place: str) -> None:
        if "bn" in record:
            self.name = _text(record, "bn", place)
        if "bu" in record:
            self.unit = _text(record, "bu", place)
        if "bt" in record:
            self.time_s = _number(record, "bt", place)
        if "bv" in record:
            self.value = _number(record, "bv", place)
        if "bs" in record:
            self.sum_s = _number(record, "bs", place)


def _resolve(pack: list[Any], received_at: datetime) -> Iterator[Measurement]:
    base = _Base()
    for index, record in enumerate(pack):
        place = str(index)
        if not isinstance(record, dict):
            raise Unparseable("wrong_shape", f"{place}: a record must be an object")
        _check_understood(record, place)
        base.update(record, place)
        value = _sum(base.value, record, "v", place) if not any(key in record for key in _VALUES[1:]) else None
        sum_s = _sum(base.sum_s, record, "s", place)
        if (value is None and sum_s is None) or not ({"n", "v", "s"} & record.keys()):
            continue
        unit = _text(record, "u", place) if "u" in record else base.unit
        name = base.name + (_text(record, "n", place) if "n" in record else "")
        if not name:
            raise Unparseable("missing_field", f"{place}.n: a record must have a name")
        time_s = base.time_s + (_number(record, "t", place) if "t" in record else 0.0)
        yield Measurement(name, unit, value, sum_s, _instant(time_s, received_at, place))


def _check_understood(record: Mapping[Any, Any], place: str) -> None:
    version = record.get("bver", 10)
    if type(version) is not int or version not in VERSIONS:
        raise Unparseable("unsupported_version", f"{place}.bver: versions 1 to 10 and 26 are understood")
    if any(isinstance(key, str) and key.endswith("_") for key in record):
        raise Unparseable("unsupported_version", f"{place}: has a field that must be understood (ends in '_')")


def _sum(base: float | None, record: Mapping[str, Any], key: str, place: str) -> float | None:
    """Base and own value added; one alone counts as if the other were 0 (RFC 8428, 4.5.1)."""
    if key not in record:
        return base
    return finite((base or 0.0) + _number(record, key, place), key, place)


def _number(record: Mapping[str, Any], key: str, place: str) -> float:
    value = record[key]
    if isinstance(value, Decimal | Fraction):
        # CBOR decimal fractions and big floats (RFC 8949, 3.4.4).
        try:
            value = float(value)
        except (OverflowError, ValueError):
            value = None
    return finite(value, key, place)


def _text(record: Mapping[str, Any], key: str, place: str) -> str:
    value = record[key]
    if not isinstance(value, str):
        raise Unparseable("bad_value", f"{place}.{key}: must be text")
    return value


def _instant(time_s: float, received_at: datetime, place: str) -> Reading:
    """Absolute, or relative to the receive time. A relative time is no clock of the device's own."""
    if time_s < LARGEST_RELATIVE_S:
        if time_s < -LARGEST_RELATIVE_S:
            raise Unparseable("implausible_time", f"{place}.t: more than eight years before reception")
        return Reading(received_at + timedelta(seconds=time_s), "none")
    if time_s > _LATEST_S:
        raise Unparseable("implausible_time", f"{place}.t: not an instant")
    return Reading(datetime.fromtimestamp(time_s, UTC), "epoch_s")
