"""SenML packs: base values resolved as RFC 8428 says, in both encodings, whatever the bytes."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import cbor2
import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.ingest.codecs.senml import Measurement, read
from services.ingest.profiles import Unparseable

RECEIVED_AT = datetime(2026, 1, 12, 7, 15, 3, tzinfo=UTC)
TEN_INSTANTS = [
    {"bn": "urn:dev:ow:10e2073a01080063:", "bt": 1.320067464e9, "bu": "%RH", "v": 20},
    {"u": "lon", "v": 24.30621},
    {"n": "rh", "t": 60, "v": 20.3},
    {"n": "rh", "t": 120, "bu": "V", "v": 20.7},
    {"n": "", "t": 180, "bv": 1, "bs": 10, "v": 2},
    {"s": 3, "vs": "text"},
]
"""Shaped after RFC 8428, 5.1.3, with every base field changed on the way."""
RESOLVED = [
    ("urn:dev:ow:10e2073a01080063:", "%RH", 20, None, 0),
    ("urn:dev:ow:10e2073a01080063:", "lon", 24.30621, None, 0),
    ("urn:dev:ow:10e2073a01080063:rh", "%RH", 20.3, None, 60),
    ("urn:dev:ow:10e2073a01080063:rh", "V", 20.7, None, 120),
    ("urn:dev:ow:10e2073a01080063:", "V", 3, 10, 180),
    ("urn:dev:ow:10e2073a01080063:", "V", None, 13, 0),
]
LABELS = {"bn": -2, "bt": -3, "bu": -4, "bv": -5, "bs": -6, "n": 0, "u": 1, "v": 2, "vs": 3, "s": 5, "t": 6}
WITH_LABELS = [{LABELS[key]: value for key, value in record.items()} for record in TEN_INSTANTS]


def _told(measurement: Measurement) -> tuple[Any, ...]:
    start = datetime.fromtimestamp(1.320067464e9, UTC)
    return (*measurement[:4], (measurement.at.at - start) / timedelta(seconds=1))


@pytest.mark.parametrize(
    "payload", [json.dumps(TEN_INSTANTS).encode(), cbor2.dumps(TEN_INSTANTS), cbor2.dumps(WITH_LABELS)]
)
def test_base_fields_hold_until_they_are_changed(payload: bytes) -> None:
    """Name, unit, time, value and sum are those of the resolved records, in JSON and CBOR."""
    assert [_told(each) for each in read(payload, RECEIVED_AT)] == RESOLVED


@pytest.mark.parametrize(
    ("time_s", "clock"), [(2**28 - 1, "none"), (2**28, "epoch_s"), (-5, "none"), (0, "none"), (1768202102, "epoch_s")]
)
def test_a_small_time_counts_from_reception(time_s: int, clock: str) -> None:
    """Below 2^28 a resolved time is relative and no clock of the device (RFC 8428, 4.5.3)."""
    (measurement,) = read(json.dumps([{"n": "x", "v": 1, "t": time_s}]).encode(), RECEIVED_AT)
    start = RECEIVED_AT if clock == "none" else datetime(1970, 1, 1, tzinfo=UTC)
    assert measurement.at == (start + timedelta(seconds=time_s), clock, ())


VALUES = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=4) | st.binary(max_size=4)
KEYS = st.sampled_from([*LABELS, *LABELS.values(), -1, 99, "bver", "x_", b"n", 1.5])
RECORDS = st.dictionaries(
    KEYS, VALUES | st.decimals() | st.fractions() | st.datetimes(timezones=st.just(UTC)), max_size=6
)


@given(pack=st.lists(RECORDS | VALUES, max_size=4), cut=st.integers(0, 400), tagged=st.booleans())
def test_any_cbor_is_read_or_refused(pack: list[Any], cut: int, *, tagged: bool) -> None:
    """Nothing but measurements or `Unparseable` comes of a pack of any values, whole or cut."""
    payload = (b"\xd9\xd9\xf7" if tagged else b"") + cbor2.dumps(pack)
    found = _read_or_refused(payload[:cut])
    assert all(each.name and (each.value is not None or each.sum_s is not None) for each in found)


@given(payload=st.binary(max_size=60).map(lambda tail: b"\x81" + tail))
def test_any_bytes_behind_an_array_are_read_or_refused(payload: bytes) -> None:
    """Tags, lengths and floats of any kind."""
    assert _read_or_refused(payload) is not None


def _read_or_refused(payload: bytes) -> list[Measurement]:
    try:
        return read(payload, RECEIVED_AT)
    except Unparseable:
        return []
