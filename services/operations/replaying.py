"""The way back in: rejections go through normalisation again, with the bytes and the receive time that they had.

What is read now goes into the event log together with the entry of the ledger that settles it, in one call. A message
that is refused again stays the rejection that it is: nothing is written. Doing it twice changes nothing: what is
settled is not touched again, and an event has the id that it would have had at first.

A point that the time series refused is not written behind the aggregator's back: its windows would not know of it.
The event that it was made of is appended to the log once more, and the aggregator stores it as it stores a
redelivery; if the time series refuses it again, the rejection is open again.
"""

import asyncio
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Final, NamedTuple

from schemas.codec import CodecError, decode
from schemas.envelope import TOPICS, key_of
from schemas.ledger import Settled
from schemas.rejection import Rejected
from services.aggregator.lineprotocol import series
from services.aggregator.points import raw_point
from services.aggregator.ports import BUCKETS, Incoming
from services.aggregator.scanning import EVENTS, REJECTED, Scan
from services.ingest.ledger import Ledger, hour_of
from services.ingest.normalise import Normaliser, Outcome
from services.ingest.pipeline import outgoing
from services.ingest.ports import Outgoing, Sink, Unavailable
from services.ingest.profiles import Message
from services.ingest.pseudonyms import KeyProblem, Keys
from services.operations.rejections import PointPlace, Rejection, place_of
from services.runtime.lifecycle import Backoff

__all__ = ["Replay", "Replayed", "unsealed"]

_AT_ONCE: Final = 200
_TRIES: Final = 6
_CLOCKS_APART: Final = timedelta(days=1)
"""An event is received at most so long before the time that it claims (`accept_future_s` has this bound)."""
_DERIVED: Final = frozenset(name for name, bucket in BUCKETS.items() if bucket != "raw") | {"checkpoint"}
_CHANGED_HANDS: Final = "another key"


class Replayed(NamedTuple):
    """What became of a rejection. `outcome` is of `Settled`, or says why it stays open."""

    rejection: Rejection
    outcome: str
    detail: str = ""


class _Again(NamedTuple):
    rejection: Rejection
    record: Rejected
    topic: str
    content: bytes


class Replay:
    """Brings rejections back in."""

    def __init__(self, scan: Scan, sink: Sink, normaliser: Normaliser, keys: Keys, *, dry: bool = False) -> None:
        """Set up; `dry` writes nothing and only says what would become of them."""
        self._scan = scan
        self._sink = sink
        self._normaliser = normaliser
        self._keys = keys
        self._dry = dry
        self._ledger = Ledger(normaliser.device("rejected-replay"))

    async def run(self, rejections: Sequence[Rejection]) -> AsyncIterator[Sequence[Replayed]]:
        """What became of each, in parts; a part that was yielded is stored.

        Raises:
            LogUnavailable, Unavailable: the log does not answer; what was yielded stands.
        """
        places = {each.place: each for each in rejections}
        if not places:
            return
        points: list[_Again] = []
        waiting: list[_Again] = []
        async for batch in self._scan.read(_until(places), start=_from(places)):
            for incoming in batch:
                rejection = places.get((incoming.partition, incoming.offset))
                if rejection is None:
                    continue
                try:
                    again = _opened(rejection, incoming, self._keys)
                except KeyProblem as problem:
                    yield [Replayed(rejection, _CHANGED_HANDS, str(problem))]
                    continue
                if again.record.stage == "store" and again.topic not in TOPICS.values():
                    points.append(again)
                else:
                    waiting.append(again)
                if len(waiting) == _AT_ONCE:
                    yield await self._messages(waiting)
                    waiting = []
        if waiting:
            yield await self._messages(waiting)
        if points:
            yield await self._points(points)

    async def _messages(self, some: Sequence[_Again]) -> list[Replayed]:
        """Messages through normalisation, records of the log through decoding."""
        replayed = []
        by_hour: dict[datetime, list[tuple[_Again, Outcome]]] = {}
        batch: list[Outgoing] = []
        for again in some:
            if again.record.stage == "store":
                appended = _record_again(again)
                replayed.append(self._settle_record(again, appended, batch))
                continue
            outcome = self._normaliser(
                Message(again.topic, again.content, again.record.received_at, again.record.retained)
            )
            if (refusal := outcome.rejected) is not None:
                replayed.append(Replayed(again.rejection, "still refused", f"{refusal.reason}: {refusal.detail}"))
                continue
            batch += [outgoing(event) for event in outcome.events]
            by_hour.setdefault(hour_of(again.record.received_at), []).append((again, outcome))
            what = "ignored" if outcome.ignored is not None else "normalised"
            replayed.append(Replayed(again.rejection, what, outcome.ignored.rule if outcome.ignored else ""))
        for hour, pairs in sorted(by_hour.items()):
            settled = [_settled(each, "normalised" if o.ignored is None else "ignored") for each, o in pairs]
            batch.append(self._ledger.settling(hour, [outcome for _, outcome in pairs], settled))
        await self._send(batch)
        return replayed

    def _settle_record(self, again: _Again, appended: Outgoing | None, batch: list[Outgoing]) -> Replayed:
        if appended is None:
            return Replayed(again.rejection, "still refused", "it is no event of Garonne")
        batch += [
            appended,
            self._ledger.settling(hour_of(again.record.received_at), (), [_settled(again, "appended")]),
        ]
        return Replayed(again.rejection, "appended")

    async def _points(self, points: Sequence[_Again]) -> list[Replayed]:
        """The events of refused points, once more at the end of the log."""
        replayed = [
            Replayed(each.rejection, "derived", f"{each.topic} is computed: `garonne rebuild` makes it anew")
            for each in points
            if each.topic in _DERIVED
        ]
        raw = {place_of(each.content): each for each in points if each.topic not in _DERIVED}
        found = await self._events_of(raw)
        batch: list[Outgoing] = []
        for place, again in raw.items():
            if place not in found:
                replayed.append(Replayed(again.rejection, "gone", "the event log does not have its event any more"))
                continue
            batch += [
                found[place],
                self._ledger.settling(hour_of(again.record.received_at), (), [_settled(again, "appended")]),
            ]
            replayed.append(Replayed(again.rejection, "appended"))
        await self._send(batch)
        return replayed

    async def _events_of(self, raw: Mapping[PointPlace, _Again]) -> dict[PointPlace, Outgoing]:
        """The events that these points were made of; read from the first that can be one of them."""
        if not raw:
            return {}
        oldest = min(each.record.received_at for each in raw.values()) - _CLOCKS_APART
        from_ms = max(0, int(oldest.timestamp() * 1000))
        found: dict[PointPlace, Outgoing] = {}
        async for batch in self._scan.read(await self._scan.ends(EVENTS), from_ms):
            for each in batch:
                try:
                    point = raw_point(decode(each.value))
                    place = None if point is None else (series(point.measurement, point.tags), point.time_ns)
                except (CodecError, ValueError):
                    continue
                if place is not None and place in raw:
                    found[place] = Outgoing(each.topic, each.key, each.value, each.timestamp_ms)
        return found

    async def _send(self, batch: Sequence[Outgoing]) -> None:
        if not batch or self._dry:
            return
        backoff = Backoff()
        for left in reversed(range(_TRIES)):
            try:
                await self._sink.send(batch)
            except Unavailable:
                if not left:
                    raise
                await asyncio.sleep(backoff.next_s())
            else:
                return


def unsealed(incoming: Incoming, keys: Keys) -> tuple[Rejected, str, bytes]:
    """The record of a rejection, its topic and its bytes.

    Raises:
        KeyProblem: sealed under another key.
    """
    record = decode(incoming.value).record
    assert isinstance(record, Rejected)  # noqa: S101 - it was read as one a moment ago
    return record, *keys.unseal(record.sealed)


def _opened(rejection: Rejection, incoming: Incoming, keys: Keys) -> _Again:
    return _Again(rejection, *unsealed(incoming, keys))


def _record_again(again: _Again) -> Outgoing | None:
    """A record that was no event, if it is one for what reads it now."""
    try:
        event = decode(again.content)
    except CodecError:
        return None
    received_ms = int(again.record.received_at.astimezone(UTC).timestamp() * 1000)
    return Outgoing(again.topic, key_of(event.record).encode(), again.content, received_ms)


def _settled(again: _Again, outcome: str) -> Settled:
    partition, offset = again.rejection.place
    return Settled.model_validate(
        {"id": again.rejection.id, "partition": partition, "offset": offset, "outcome": outcome}
    )


def _until(places: Iterable[tuple[int, int]]) -> dict[tuple[str, int], int]:
    ends: dict[tuple[str, int], int] = {}
    for partition, offset in places:
        ends[REJECTED, partition] = max(ends.get((REJECTED, partition), 0), offset + 1)
    return ends


def _from(places: Iterable[tuple[int, int]]) -> dict[tuple[str, int], int]:
    starts: dict[tuple[str, int], int] = {}
    for partition, offset in places:
        starts[REJECTED, partition] = min(starts.get((REJECTED, partition), offset), offset)
    return starts
