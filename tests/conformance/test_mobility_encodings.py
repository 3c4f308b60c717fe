"""Samples that hold the same message twice are read twice to the same record."""

import json
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from schemas.base import Record
from services.ingest.profiles import Message, discover
from tests.cases import normaliser
from tests.conformance.cases import Case, find_cases

CASES = [case for case in find_cases() if case.family == "jpo_ode_json" and case.family in discover()]
TOLERANCE = 2e-7
"""jpo-ode's degrees can be off by the last digit (c-its.md 2.6)."""
NOT_THE_MESSAGE = {"received_at", "observed_at", "clock", "flags"}


def _said(record: Record) -> dict[str, Any]:
    """The record without its times: a message without a clock has that of its envelope."""
    return {name: value for name, value in record.model_dump().items() if name not in NOT_THE_MESSAGE}


def _is_close(one: Any, other: Any) -> bool:
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(_is_close(one[key], other[key]) for key in one)
    if isinstance(one, tuple | list):
        return len(one) == len(other) and all(_is_close(a, b) for a, b in zip(one, other, strict=True))
    if isinstance(one, float) and isinstance(other, float):
        return abs(one - other) <= TOLERANCE
    return bool(one == other)


@pytest.mark.parametrize("case", CASES, ids=str)
def test_what_jpo_ode_decoded_is_what_its_bits_say(case: Case) -> None:
    """Its metadata holds the bits of the message: read from these, the record is the one of its JSON."""
    (message,) = case.messages
    metadata = json.loads(message.payload)["metadata"]
    octets = bytes.fromhex(metadata.get("asn1", ""))
    (expected,) = case.run()
    received_at = datetime.fromisoformat(metadata["odeReceivedAt"])
    found = normaliser(ZoneInfo("UTC"), {})(Message("j2735/x", octets, received_at))
    assert found.rejected is None
    assert len(found.events) == len(expected.events)
    for one, other in zip(found.events, expected.events, strict=True):
        assert _is_close(_said(one.record), _said(other.record)), (one.record, other.record)
