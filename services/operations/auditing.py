"""`garonne audit`: count again, from the ledger, the event log and the time series, and name what does not add up.

For each profile: received + reopened = normalised + rejected + ignored. For each topic, profile and kind: copies =
distinct + duplicates, and distinct = stored + too late + log only + rejected + refused + waiting + expired +
forgotten + missing.
Vehicles count as stored if their minute takes them; `garonne rebuild --check` proves the minutes themselves.
"""

from collections import Counter
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from schemas.codec import CodecError, decode
from schemas.ledger import Account, LedgerEntry
from services.aggregator.lineprotocol import series
from services.aggregator.points import raw_point
from services.aggregator.ports import Incoming, Partition, Store
from services.aggregator.scanning import EVENTS, LEDGER, REJECTED, Scan
from services.ingest.pseudonyms import Keys
from services.operations.accounts import Books, Difference, Expected, Period, RowKey
from services.operations.rejections import PointPlace, Wanted, find_rejections, place_of
from services.operations.replaying import unsealed

__all__ = ["FATES", "RAW_KEPT", "RAW_MEASUREMENTS", "Audit", "audit"]

RAW_MEASUREMENTS: Final = ("meter", "interval", "weather", "device")
FATES: Final = (
    *("copies", "duplicates", "distinct", "stored", "too late", "log only"),
    *("rejected", "refused", "waiting", "expired", "forgotten", "missing"),
)
"""What a line of the account of the event log counts."""
_DAY_NS: Final = 86_400_000_000_000
RAW_KEPT: Final = timedelta(days=730)
"""How long the raw bucket keeps points."""


@dataclass
class Audit:
    """The result.

    Attributes:
        period: what was asked, in full hours.
        accounts: by profile, of the ledger.
        rows: by topic, profile and kind: copies, distinct, and what became of the distinct ones.
        refusals: distinct rejections by stage, reason and profile.
        notes: what is no difference and must be known.
        differences: what does not add up, each with its event.
    """

    period: Period
    accounts: dict[str, Account] = field(default_factory=dict)
    rows: dict[RowKey, Counter[str]] = field(default_factory=dict)
    refusals: Counter[tuple[str, str, str]] = field(default_factory=Counter)
    notes: list[str] = field(default_factory=list)
    differences: list[Difference] = field(default_factory=list)

    def as_dict(self) -> dict[str, Any]:
        """For machines."""
        since, until = (each and each.isoformat() for each in self.period)
        return {
            "from": since,
            "to": until,
            "accounts": [each.model_dump() for each in self.accounts.values()],
            "log": [
                {**key._asdict(), **dict.fromkeys(FATES, 0), **counts} for key, counts in sorted(self.rows.items())
            ],
            "rejected": [
                {"stage": stage, "reason": reason, "profile": profile, "number": number}
                for (stage, reason, profile), number in self.refusals.most_common()
            ],
            "notes": self.notes,
            "differences": [each._asdict() for each in self.differences],
        }


async def audit(scan: Scan, store: Store, keys: Keys, period: Period, *, kept: timedelta | None = RAW_KEPT) -> Audit:
    """Count a period.

    Args:
        scan: the event log.
        store: the time series.
        keys: to read which points were refused.
        period: full hours of reception.
        kept: how long the store keeps raw points; `None` for ever.

    Raises:
        Unavailable: log or store do not answer.
    """
    books = Books(period)
    await _read(scan, books)
    result = Audit(period, refusals=books.refusals)
    _settle_ledger(books, result)
    _settle_log(books, result)
    # Before the store is read: what was committed by now must be there.
    committed = await scan.committed(EVENTS)
    refused = await _refused(scan, keys)
    expired_before = None if kept is None else datetime.now(UTC) - kept
    whole = period == Period() and not any((await scan.begins((*EVENTS, REJECTED))).values())
    stored = _Stored(books.points, committed, refused, expired_before)
    strangers = await stored.compare(store, whole=whole)
    strangers -= await _new_places(scan, books, strangers)
    result.differences += stored.differences
    result.differences += [Difference("stored without an event", "", f"{at[0]} at {at[1]}") for at in sorted(strangers)]
    for row, fates in stored.fates.items():
        books.fates[row] += fates
    result.rows = {
        row: Counter({"copies": books.copies[row], "distinct": number, "duplicates": books.copies[row] - number})
        + books.fates[row]
        for row, number in sorted(books.distinct.items())
    }
    _note_waiting(result)
    return result


async def _read(scan: Scan, books: Books) -> None:
    """The ledger first: what it names at that moment is in the log when that is read, or is not certain."""
    until = await scan.ends([LEDGER])
    begins = await scan.begins([LEDGER])
    async for each in _each(scan.read({part: min(until[part], first + 1) for part, first in begins.items()})):
        books.begin(each)
    async for batch in scan.read(until, books.period.from_ms):
        for each in batch:
            books.enter(each)
    books.ends = dict(await scan.ends((*EVENTS, REJECTED)))
    shortened = {part: first for part, first in (await scan.begins((*EVENTS, REJECTED))).items() if first > 0}
    firsts = {part: min(books.ends.get(part, 0), first + 1) for part, first in shortened.items()}
    async for each in _each(scan.read(firsts)):
        at = datetime.fromtimestamp(each.timestamp_ms / 1000, UTC)
        books.kept_from[each.topic] = max(at, books.kept_from.get(each.topic, at))
    async for batch in scan.read(books.ends, books.period.from_ms):
        for each in batch:
            books.post(each)


def _settle_ledger(books: Books, result: Audit) -> None:
    settlement = books.settle()
    for entry in settlement.counting:
        _add(entry, result)
    result.differences += [
        Difference("lost in the event log", name.hex(), f"batch {entry.number} of run {entry.run}")
        for name, entry in settlement.lost.items()
    ]
    if settlement.expired:
        result.notes.append(f"{settlement.expired} messages are older than the event log keeps their topic")
    if settlement.unfinished:
        number = sum(account.received for entry in settlement.unfinished for account in entry.accounts)
        result.notes.append(
            f"{number} messages were in batches that a process did not finish: they were not acknowledged then, "
            "came again and are counted there"
        )
    for account in result.accounts.values():
        if account.received + account.reopened != account.normalised + account.rejected + sum(account.ignored.values()):
            result.differences.append(Difference("the ledger does not balance", "", f"profile {account.profile}"))


def _add(entry: LedgerEntry, result: Audit) -> None:
    for each in entry.accounts:
        known = result.accounts.get(each.profile, Account(profile=each.profile))
        result.accounts[each.profile] = Account(
            profile=each.profile,
            received=known.received + each.received,
            reopened=known.reopened + each.reopened,
            normalised=known.normalised + each.normalised,
            rejected=known.rejected + each.rejected,
            ignored=dict(Counter(known.ignored) + Counter(each.ignored)),
            events=dict(Counter(known.events) + Counter(each.events)),
        )


def _settle_log(books: Books, result: Audit) -> None:
    """Every event that the ledger counts has its copy in the log; every event in the log is named by the ledger."""
    copies: Counter[tuple[str, str]] = Counter()
    for row, number in books.copies.items():
        copies[row.profile, row.kind] += number
    for account in result.accounts.values():
        for kind, number in account.events.items():
            there = copies[account.profile, kind]
            kept = books.is_kept(kind, books.period.since)
            if there < number and kept and not any(each.what == "lost in the event log" for each in result.differences):
                detail = f"{account.profile}, {kind}: the ledger counts {number}, the log holds {there}"
                result.differences.append(Difference("lost in the event log", "", detail))
    older = [each for each in books.orphans if books.began is None or each.received_at < books.began]
    if older:
        result.notes.append(f"{len(older)} events are older than the ledger, and are counted in the event log only")
    orphans = [each for each in books.orphans if books.began is not None and each.received_at >= books.began]
    again = sum(each.undated for each in orphans)
    if again:
        result.notes.append(
            f"{again} events of messages without a clock are in no entry of the ledger: a process ended before it had "
            "their account, and they came again under another id"
        )
    result.differences += [
        Difference("in the event log and not in the ledger", each.event, f"{each.row.profile}, {each.row.kind}")
        for each in orphans
        if not each.undated
    ]
    if books.undecodable:
        result.notes.append(f"{books.undecodable} records are no event: `garonne rejected ls --stage store`")


async def _refused(scan: Scan, keys: Keys) -> set[PointPlace]:
    """Places of points that the store refused, and that nobody brought back in."""
    found = await find_rejections(scan, Wanted(stage="store"))
    open_places = {each.place for each in found.still_open()}
    if not open_places:
        return set()
    refused = set()
    async for batch in scan.read(await scan.ends([REJECTED])):
        for incoming in batch:
            if (incoming.partition, incoming.offset) in open_places:
                refused.add(place_of(unsealed(incoming, keys)[2]))
    return refused


class _Stored:
    """Compares the points that must be there with those that are."""

    def __init__(
        self,
        points: Mapping[str, Mapping[PointPlace, Sequence[Expected]]],
        committed: Mapping[Partition, int],
        refused: set[PointPlace],
        expired_before: datetime | None,
    ) -> None:
        self._points = points
        self._committed = committed
        self._refused = refused
        self._expired_ns = None if expired_before is None else int(expired_before.timestamp()) * 1_000_000_000
        self.fates: dict[RowKey, Counter[str]] = {}
        self.differences: list[Difference] = []

    async def compare(self, store: Store, *, whole: bool) -> set[PointPlace]:
        """Look at every day that has a point; with `whole` in between as well. Gives points that nothing explains."""
        strangers: set[PointPlace] = set()
        for measurement in RAW_MEASUREMENTS:
            points = self._points.get(measurement, {})
            days: dict[int, set[PointPlace]] = {}
            for place in points:
                days.setdefault(place[1] // _DAY_NS, set()).add(place)
            for start, end, wanted in _spans(days, whole=whole):
                rows = await store.select(measurement, start=start, end=end)
                there = {(series(measurement, tuple(sorted(row.tags.items()))), row.time_ns) for row in rows}
                if whole:
                    strangers |= there - wanted
                for place in wanted:
                    self._note(place, points[place], stored=place in there)
        return strangers

    def _note(self, place: PointPlace, events: Sequence[Expected], *, stored: bool) -> None:
        for each in events:
            fate = "stored" if stored else self._why(each, place)
            self.fates.setdefault(each.row, Counter())[fate] += 1
            if fate == "missing":
                self.differences.append(Difference("missing in the time series", each.event, f"series {place[0]}"))

    def _why(self, expected: Expected, place: PointPlace) -> str:
        if expected.offset >= self._committed.get(expected.partition, 0):
            return "waiting"
        if place in self._refused:
            return "refused"
        if self._expired_ns is not None and place[1] < self._expired_ns:
            return "expired"
        return "missing"


def _spans(
    days: Mapping[int, set[PointPlace]], *, whole: bool
) -> Iterable[tuple[datetime | None, datetime | None, set[PointPlace]]]:
    """Days with points, and with `whole` what lies before, between and after them."""
    before: datetime | None = None
    for day in sorted(days):
        start = datetime.fromtimestamp(day * 86_400, UTC)
        if whole and start != before:
            yield before, start, set()
        before = start + timedelta(days=1)
        yield start, before, days[day]
    if whole:
        yield before, None, set()


async def _new_places(scan: Scan, books: Books, strangers: set[PointPlace]) -> set[PointPlace]:
    """Places of events that came after the log was read: they explain points that it did not."""
    if not strangers:
        return set()
    found = set()
    async for incoming in _each(scan.read(await scan.ends(EVENTS), start=books.ends)):
        try:
            point = raw_point(decode(incoming.value))
        except CodecError:
            continue
        if point is not None:
            found.add((series(point.measurement, point.tags), point.time_ns))
    return found


async def _each(batches: AsyncIterator[Sequence[Incoming]]) -> AsyncIterator[Incoming]:
    async for batch in batches:
        for incoming in batch:
            yield incoming


def _note_waiting(result: Audit) -> None:
    for fate, text in (
        ("waiting", "events wait for the aggregator"),
        (
            "refused",
            "points are refused by the time series and not brought back in: `garonne rejected ls --stage store`",
        ),
        ("expired", "points are older than the time series keeps them"),
    ):
        number = sum(counts[fate] for counts in result.rows.values())
        if number:
            result.notes.append(f"{number} {text}")
