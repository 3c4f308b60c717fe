"""An upgrade in the middle of the work: what the version before wrote is read, and the work goes on where it was."""

import json
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from schemas.codec import CodecError, decode, encode
from schemas.envelope import RECORDS, key_of, topic_of
from services.aggregator.pipeline import Pipeline, Sealing
from services.aggregator.ports import Incoming
from services.aggregator.telemetry import AggregatorTelemetry
from services.runtime.settings import AggregatorSettings
from tests.fakes_aggregator import MemoryLog, MemoryStore

HERE = Path(__file__).parent
VERSIONS = sorted(path.name for path in HERE.iterdir() if (path / "records.jsonl").is_file())
FIRST = "0.1.0"
STORED_AFTER = 100
NOT_YET = {FIRST: {"hazard_nearby"}}
"""Kinds that a version did not know."""


def _lines(version: str, name: str) -> list[bytes]:
    return (HERE / version / name).read_bytes().splitlines()


def _event(**changes: Any) -> bytes:
    """An event of today with what a later version might say."""
    event = json.loads(_lines(FIRST, "log.jsonl")[0])
    event["data"] |= changes
    return json.dumps(event).encode()


@pytest.mark.parametrize("version", VERSIONS)
def test_every_record_of_an_earlier_version_is_read_and_says_the_same(version: str) -> None:
    """Each kind that it wrote: decoded, and encoded again to the same content."""
    lines = _lines(version, "records.jsonl")
    kinds = {json.loads(each)["data"]["kind"] for each in lines}
    assert kinds == set(RECORDS) - NOT_YET[version]
    for each in lines:
        assert json.loads(encode(decode(each))) == json.loads(each)


def _log(lines: list[bytes]) -> MemoryLog:
    log = MemoryLog()
    for value in lines:
        record = decode(value).record
        received_ms = int(record.received_at.timestamp() * 1000)
        log.append(Incoming(topic_of(record), 0, 0, key_of(record).encode(), value, received_ms))
    return log


async def _aggregate(log: MemoryLog, store: MemoryStore) -> None:
    sealing = Sealing(lambda _topic, payload: payload, "d_0000000000000001")
    zone = ZoneInfo("Europe/Paris")
    pipeline = Pipeline(log, store, sealing, AggregatorSettings(), zone, AggregatorTelemetry())
    while batch := await log.poll(13, 0):
        await pipeline.store(batch)


@pytest.mark.parametrize("version", VERSIONS)
async def test_the_aggregator_goes_on_where_the_version_before_stopped(version: str) -> None:
    """With its points and checkpoints, through a replaced meter, a late reading, summer time: as from the whole log."""
    lines = _lines(version, "log.jsonl")
    upgraded = MemoryStore()
    for line in _lines(version, "stored.jsonl"):
        name, tags, time_ns, fields = json.loads(line)
        series = upgraded.content.setdefault((name, tuple((key, value) for key, value in tags)), {})
        series[time_ns] = dict(fields)
    assert {name for name, _ in upgraded.content} >= {"meter", "energy", "checkpoint", "interval"}
    log = _log(lines)
    log.committed = {"garonne.energy": STORED_AFTER}
    log.restart()
    await _aggregate(log, upgraded)
    afresh = MemoryStore()
    await _aggregate(_log(lines), afresh)
    assert upgraded.content == afresh.content
    assert log.rejected == []


@pytest.mark.parametrize("change", [{"kind": "tide_gauge"}, {"salinity": 3.5}, {"flags": ["seen_by_moon"]}])
def test_what_a_later_version_says_is_told_from_what_is_broken(change: dict[str, Any]) -> None:
    """A kind, a field, a word that nobody knows yet."""
    with pytest.raises(CodecError) as found:
        decode(_event(**change))
    assert found.value.newer


@pytest.mark.parametrize("change", [{"household": "famille-dupont"}, {"household": "famille-dupont", "salinity": 3.5}])
def test_what_no_version_would_say_is_not_taken_for_a_later_one(change: dict[str, Any]) -> None:
    """A value that is wrong in any version, with a field of a later one beside it too; and what is no event."""
    for broken in (_event(**change), b"{", b"{}"):
        with pytest.raises(CodecError) as found:
            decode(broken)
        assert not found.value.newer


async def test_an_older_aggregator_keeps_what_it_does_not_know_back_by_name_and_goes_on() -> None:
    """`unsupported_version` with all bytes; its neighbours are stored, so nothing stops and nothing is lost."""
    lines = _lines(FIRST, "log.jsonl")[:6]
    later = [_event(kind="tide_gauge"), _event(salinity=3.5)]
    log, store = _log(lines[:3]), MemoryStore()
    for value in later:
        log.append(Incoming("garonne.energy", 0, 0, b"h_0000000000000001", value, 1_790_000_000_000))
    for value in lines[3:]:
        log.append(_log([value]).records["garonne.energy"][0])
    await _aggregate(log, store)
    kept = [json.loads(each)["data"] for each in log.rejected]
    assert [(each["stage"], each["reason"], each["size_bytes"]) for each in kept] == [
        ("store", "unsupported_version", len(value)) for value in later
    ]
    known = MemoryStore()
    await _aggregate(_log(lines), known)
    assert store.content == known.content
    assert log.committed == {"garonne.energy": len(lines) + len(later)}
