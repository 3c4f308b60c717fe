"""The probe of `garonne doctor`: one message, looked for behind each hop, with the time that each took.

It is published as a device would, with the credentials of the configuration, and then seen from outside: in the event
log, and in the time series. Where it stops is where something is wrong, whatever the services say of themselves.
"""

import asyncio
import json
import secrets
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any, Final, NamedTuple, Protocol

from aiomqtt import NegativeAckError, QoS

from schemas.codec import CodecError, decode
from schemas.rejection import Rejected
from schemas.status import DeviceStatus
from services.aggregator.ports import Incoming, LogUnavailable, Partition, Store, Unavailable
from services.aggregator.scanning import REJECTED, Scan
from services.ingest.adapters.mqtt import explain, tls_of
from services.ingest.adapters.mqtt_connection import CONNECT_TIMEOUT_S, FAULTS, Connection
from services.ingest.profiles import discover
from services.ingest.pseudonyms import Keys
from services.operations.findings import Finding, bad, good, unseen
from services.runtime.settings import MqttSettings, Settings

__all__ = ["PROFILE", "ScanTail", "Tail", "probe"]

PROFILE: Final = "garonne_probe"
_DEVICE: Final = "garonne_probe:doctor"
TOPICS: Final = ("garonne.status", REJECTED)
_LOOK_S: Final = 0.05
_AROUND: Final = timedelta(minutes=10)


class Tail(Protocol):
    """What is appended to the event log from now on."""

    async def next(self, timeout_s: float) -> Sequence[Incoming]:
        """What came meanwhile; empty after `timeout_s` without anything."""


class ScanTail:
    """A `Tail` by asking again and again: for the embedded log, where asking costs little."""

    def __init__(self, scan: Scan, seen: Mapping[Partition, int]) -> None:
        self._scan = scan
        self._seen = dict(seen)

    async def next(self, timeout_s: float) -> Sequence[Incoming]:
        """As `Tail` has it."""
        deadline = time.monotonic() + timeout_s
        while True:
            ends = await self._scan.ends(TOPICS)
            came = [each async for batch in self._scan.read(ends, start=self._seen) for each in batch]
            self._seen.update(ends)
            if came or time.monotonic() >= deadline:
                return came
            await asyncio.sleep(_LOOK_S)


class _Seen(NamedTuple):
    """The probe in the event log."""

    place: Incoming
    record: DeviceStatus | Rejected
    at_s: float


async def probe(  # noqa: PLR0913, PLR0917 - what the command puts together
    settings: Settings, keys: Keys, tail: Tail, scan: Scan, store: Store, patience_s: float
) -> list[Finding]:
    """Send one, and follow it: a finding for each hop, the last of which says where it stopped if it did.

    Raises:
        Unavailable: the event log or the time series cannot be looked at.
    """
    nonce, sent_at, began_s = secrets.token_hex(8), datetime.now(UTC), time.monotonic()
    refusal = await _publish(settings.mqtt, nonce, sent_at)
    if refusal is not None:
        return [refusal]
    published_s = time.monotonic()
    found = [good("probe to MQTT", "the broker has taken it", published_s - began_s)]
    seen = await _in_log(keys, tail, nonce, patience_s)
    if seen is None:
        return [*found, _not_in_log(settings, patience_s)]
    if isinstance(seen.record, Rejected):
        return [*found, _refused(seen.record)]
    found.append(good("probe to the event log", "ingest has taken it and passed it on", seen.at_s - published_s))
    if seen.record.device != keys.pseudonym("device", _DEVICE):
        advice = "give both the same file: else nothing that one seals can be opened by the other"
        found.append(bad("key_file", "ingest makes its pseudonyms with another key than this command", advice))
    stored_s = await _in_store(store, seen.record, patience_s)
    if stored_s is None:
        return [*found, await _not_in_store(settings, scan, seen.place, patience_s)]
    # It may be there before it is seen in the log: then the hop took no time that can be told.
    return [*found, good("probe to the time series", "the aggregator has stored it", max(0.0, stored_s - seen.at_s))]


async def _publish(settings: MqttSettings, nonce: str, sent_at: datetime) -> Finding | None:
    """Publish it as a client of its own, whose session ends with it; gives why that failed."""
    topic = discover()[PROFILE].topics[0]
    own = settings.model_copy(update={"client_id": f"{settings.client_id}-doctor-{nonce[:6]}", "session_expiry_s": 0})
    try:
        password = settings.password_file.read_bytes().strip() if settings.password_file else None
        tls = tls_of(settings) if settings.tls else None
        connection = Connection(own, lambda _packet: None, password=password, tls=tls)
        try:
            await connection.open()
            body = json.dumps({"probe": nonce, "sent_at": sent_at.isoformat()}).encode()
            async with asyncio.timeout(CONNECT_TIMEOUT_S):
                await connection.publish(topic, body, qos=QoS.AT_LEAST_ONCE, packet_id=next(connection.packet_ids))
        except NegativeAckError as refusal:
            if "NOT_AUTHORIZED" in str(refusal) and hasattr(connection, "_tasks"):
                said = f"{settings.username or 'this client'} may not write {topic}"
                return bad("probe to MQTT", said, "use the user garonne-doctor, or allow it in the broker's ACL")
            raise
        finally:
            await connection.close()
    except FAULTS as fault:
        return bad("probe to MQTT", explain(settings, fault), "mend that first: nothing comes in without it")
    return None


async def _in_log(keys: Keys, tail: Tail, nonce: str, patience_s: float) -> _Seen | None:
    refused = keys.pseudonym("device", f"topic:{discover()[PROFILE].topics[0]}")
    deadline = time.monotonic() + patience_s
    while (left_s := deadline - time.monotonic()) > 0:
        for incoming in await tail.next(min(left_s, 1.0)):
            try:
                record = decode(incoming.value).record
            except CodecError:
                continue
            ours = isinstance(record, DeviceStatus) and any(each.value == f"probe {nonce}" for each in record.states)
            if ours or (isinstance(record, Rejected) and record.device == refused):
                return _Seen(incoming, record, time.monotonic())  # type: ignore[arg-type] # one of the two
    return None


def _not_in_log(settings: Settings, patience_s: float) -> Finding:
    text = f"it stopped before the event log: after {patience_s:.0f} s ingest has not passed it on"
    where = f"{settings.ingest.metrics_host}:{settings.ingest.metrics_port}/readyz"
    return bad("probe to the event log", text, f"is garonne ingest running and connected? It says so itself at {where}")


def _refused(record: Rejected) -> Finding:
    if record.reason == "no_profile":
        advice = f"is it older than this command, or is profiles.{PROFILE}.enabled = false?"
        return bad("probe to the event log", "ingest does not know the probe", advice)
    return bad(
        "probe to the event log", f"ingest refused it: {record.reason}", "update ingest and this command together"
    )


async def _in_store(store: Store, record: DeviceStatus, patience_s: float) -> float | None:
    """When it was seen there, monotonic seconds."""
    (state,) = record.states
    start, end = record.observed_at - _AROUND, record.observed_at + _AROUND
    deadline = time.monotonic() + patience_s
    while time.monotonic() < deadline:
        rows = await store.select("device", fields=("status",), tags={"device": record.device}, start=start, end=end)
        if any(row.fields.get("status") == state.value for row in rows):
            return time.monotonic()
        await asyncio.sleep(_LOOK_S)
    return None


async def _not_in_store(settings: Settings, scan: Scan, place: Incoming, patience_s: float) -> Finding:
    about = "probe to the time series"
    try:
        stands = (await scan.committed([place.topic])).get((place.topic, place.partition), 0)
    except Unavailable:
        return unseen(about, "it is not there, and where the aggregator stands may not be asked")
    if stands > place.offset:
        advice = "look for its reason with: garonne rejected ls; does influxdb name the same buckets for both?"
        return bad(about, "the aggregator has passed it, and it is not in the bucket", advice)
    where = f"{settings.aggregator.metrics_host}:{settings.aggregator.metrics_port}/readyz"
    waiting = place.offset + 1 - stands
    text = (
        f"it stopped in the event log: after {patience_s:.0f} s the aggregator has {waiting} records before it to store"
    )
    return bad(about, text, f"is garonne aggregate running, does InfluxDB answer? It says so itself at {where}")


@asynccontextmanager
async def open_tail(settings: Settings, scan: Scan) -> AsyncIterator[Any]:
    """The tail of the configured event log.

    Raises:
        LogUnavailable: it cannot be read.
    """
    if settings.storage == "servers":
        from services.aggregator.adapters.kafka_look import KafkaTail  # noqa: PLC0415 - lazy

        async with KafkaTail(settings.kafka, TOPICS) as tail:
            yield tail
        return
    try:
        seen = await scan.ends(TOPICS)
    except LogUnavailable:  # nothing was ever written: it begins with the probe
        seen = {}
    yield ScanTail(scan, seen)
