"""The sums of an audit: what the ledger says, what the event log holds, what became of each event. Pure.

Everything is counted from records; no number is carried over from a running service.
"""

from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final, NamedTuple, TypeVar

from schemas.citizen import AppEvaluation
from schemas.codec import CodecError, decode
from schemas.envelope import TOPICS, Event
from schemas.ledger import LedgerEntry
from schemas.mobility import VehicleState
from schemas.rejection import Rejected
from services.aggregator.erasure import CITIZEN, TAG_OF, read_mark, read_stub
from services.aggregator.lineprotocol import series
from services.aggregator.points import milliseconds, raw_point
from services.aggregator.ports import Incoming, Partition, Point
from services.aggregator.scanning import REJECTED
from services.aggregator.traffic import HORIZON_MS, MARGIN_MS, sample_of
from services.ingest.ledger import PRINT_DIGITS
from services.operations.rejections import PointPlace

__all__ = ["Books", "Difference", "Expected", "Period", "RowKey"]

_PRINT_BYTES: Final = PRINT_DIGITS // 2
_Value = TypeVar("_Value")
OWN: Final = "garonne"
"""Profile of events that no message gave, such as a gap in the flow."""


class Difference(NamedTuple):
    """Something that does not add up. `event` is an event id, or how it begins."""

    what: str
    event: str
    detail: str = ""


class Period(NamedTuple):
    """Full hours of reception; `None` is open. `until` is not included."""

    since: datetime | None = None
    until: datetime | None = None

    def holds(self, instant: datetime) -> bool:
        """Whether it lies in the period."""
        return (self.since is None or instant >= self.since) and (self.until is None or instant < self.until)

    @property
    def from_ms(self) -> int:
        """Where reading the log may begin, Unix milliseconds."""
        return 0 if self.since is None else milliseconds(self.since)


class RowKey(NamedTuple):
    """One line of the account of the event log."""

    topic: str
    profile: str
    kind: str


class Expected(NamedTuple):
    """A raw point that must be in the time series."""

    event: str
    row: RowKey
    partition: Partition
    offset: int


class Orphan(NamedTuple):
    """An event that no entry of the ledger names; `undated` if its message said no time."""

    event: str
    row: RowKey
    received_at: datetime
    undated: bool


class Settlement(NamedTuple):
    """Entries that count; entries of batches that nobody finished; lost messages with their entry; how many expired."""

    counting: list[LedgerEntry]
    unfinished: list[LedgerEntry]
    lost: dict[bytes, LedgerEntry]
    expired: int


@dataclass
class Books:
    """What is read is put in here: first the ledger, then the events.

    Attributes:
        entries: of the period, by event id, each once.
        accounted: prints of all messages that the ledger names, of later hours too.
        certain: by run, up to which batch the run itself says that they are stored.
        copies: records of the log by row, and `distinct` events.
        fates: what becomes of distinct events that are no raw point, by row.
        points: raw points that must be stored, by measurement and place; several events can make one point.
        orphans: events that no entry names.
        began: hour of the first entry that the ledger still has.
        refusals: distinct rejections by stage, reason and profile.
        undecodable: records that are no event.
        kept_from: by topic, from when on the log has everything, if it has not kept all.
        ends: where the log ended when it was read.
    """

    period: Period
    entries: dict[str, LedgerEntry] = field(default_factory=dict)
    accounted: dict[bytes, bytes] = field(default_factory=dict)
    certain: dict[str, int] = field(default_factory=dict)
    copies: Counter[RowKey] = field(default_factory=Counter)
    distinct: Counter[RowKey] = field(default_factory=Counter)
    fates: dict[RowKey, Counter[str]] = field(default_factory=lambda: defaultdict(Counter))
    points: dict[str, dict[PointPlace, tuple[Expected, ...]]] = field(default_factory=lambda: defaultdict(dict))
    orphans: list[Orphan] = field(default_factory=list)
    began: datetime | None = None
    refusals: Counter[tuple[str, str, str]] = field(default_factory=Counter)
    undecodable: int = 0
    kept_from: dict[str, datetime] = field(default_factory=dict)
    ends: dict[Partition, int] = field(default_factory=dict)
    _known: dict[Any, Any] = field(default_factory=dict)
    _found: Counter[bytes] = field(default_factory=Counter)
    _ids: set[str] = field(default_factory=set)
    _members: dict[PointPlace, str] = field(default_factory=dict)

    def begin(self, incoming: Incoming) -> None:
        """Take the first record of a partition of the ledger."""
        record = decode(incoming.value).record
        if self.began is None or record.received_at < self.began:
            self.began = record.received_at

    def enter(self, incoming: Incoming) -> None:
        """Take a record of the ledger."""
        try:
            event = decode(incoming.value)
        except CodecError:
            self.undecodable += 1
            return
        entry = event.record
        if not isinstance(entry, LedgerEntry):
            return
        self.certain[entry.run] = max(self.certain.get(entry.run, 0), entry.stored_before)
        if self.period.since is None or entry.observed_at >= self.period.since:
            self.accounted.update((name, name) for name in _prints(entry))
            if self.period.holds(entry.observed_at):
                self.entries[event.id] = entry

    def post(self, incoming: Incoming) -> None:
        """Take a record of the topics of events, or of `garonne.rejected`."""
        if self._post_erased(incoming):
            return
        try:
            event = decode(incoming.value)
        except CodecError:
            self.undecodable += 1
            return
        record = event.record
        if not self.period.holds(record.received_at) or isinstance(record, LedgerEntry):
            return
        if isinstance(record, Rejected) and record.stage == "store":
            return  # of the aggregator: no message, and its time is the point's
        row = self._same(RowKey(incoming.topic, event.profile, record.kind))
        self.copies[row] += 1
        name = _print(event.id)
        name = self.accounted.get(name, name)
        if "-" not in event.id:  # the first event of its message
            self._found[name] += 1
        if event.id in self._ids and not self._names_another(event):
            return
        self._ids.add(event.id)
        self.distinct[row] += 1
        if name not in self.accounted and event.profile != OWN:
            self.orphans.append(Orphan(event.id, row, record.received_at, record.clock == "none"))
        self._expect(event, row, incoming)

    def _post_erased(self, incoming: Incoming) -> bool:
        """Take a tombstone, or what is left of a record that was overwritten."""
        if not incoming.value and incoming.topic in TAG_OF:
            self._erase((incoming.topic, incoming.partition), f"{TAG_OF[incoming.topic]}={incoming.key.decode()}")
            return True
        if not incoming.value and incoming.topic == REJECTED:
            return True  # what stands before it was refused, whether it can be read or not
        if incoming.topic == CITIZEN and (member := read_mark(incoming.value)) is not None:
            self._erase((incoming.topic, incoming.partition), None, member)
            return True
        stub = read_stub(incoming.value)
        if stub is None or not self.period.holds(datetime.fromtimestamp(incoming.timestamp_ms / 1000, UTC)):
            return stub is not None
        row = RowKey(incoming.topic, stub.profile, stub.kind)
        self.copies[row] += 1
        if "-" not in stub.id:
            self._found[_print(stub.id)] += 1
        if stub.id not in self._ids:
            self._ids.add(stub.id)
            self.distinct[row] += 1
            self.fates[row]["forgotten"] += 1
        return True

    def _erase(self, partition: Partition, tag: str | None, member: str | None = None) -> None:
        """What stands before a tombstone in its partition is expected no more."""
        for places in self.points.values():
            for place in [each for each in places if self._is_of(each, tag, member)]:
                several = places.pop(place)
                for each in several:
                    if each.partition == partition:
                        self.fates[each.row]["forgotten"] += 1
                if rest := tuple(each for each in several if each.partition != partition):
                    places[place] = rest

    def _is_of(self, place: PointPlace, tag: str | None, member: str | None) -> bool:
        return self._members.get(place) == member if tag is None else tag in place[0]

    def _names_another(self, event: Event) -> bool:
        """Whether a copy has a point of its own: equal bytes, and other things heard before of whose they are.

        A frame whose own number is damaged is of the meter that was last heard on its topic.
        """
        point = raw_point(event)
        return point is not None and _place(point) not in self.points[point.measurement]

    def _expect(self, event: Event, row: RowKey, incoming: Incoming) -> None:
        record = event.record
        if isinstance(record, Rejected):
            self.refusals[record.stage, record.reason, record.profile or "none"] += 1
            self.fates[row]["rejected"] += 1
            return
        point = raw_point(event)
        if point is None:
            self.fates[row][_fate(event)] += 1
            return
        place = _place(point)
        if isinstance(record, AppEvaluation):
            self._members[place] = record.member
        partition = self._same((incoming.topic, incoming.partition))
        places = self.points[point.measurement]
        places[place] = (*places.get(place, ()), Expected(event.id, row, partition, incoming.offset))

    def _same(self, value: _Value) -> _Value:
        """One object for all that are equal: there are millions of them."""
        same: _Value = self._known.setdefault(value, value)
        return same

    def settle(self) -> "Settlement":
        """What of the ledger counts.

        An entry that its run certifies must have a copy of each of its messages in the log, unless the log does not
        keep them so long. One that nothing certifies, the last of a run, counts if there are copies for it; else the
        process ended while its batch was stored.
        """
        result = Settlement([], [], {}, 0)
        mentions: Counter[bytes] = Counter()
        for certain in (True, False):
            for entry in self.entries.values():
                if self._is_certain(entry) is not certain:
                    continue
                own = Counter(_prints(entry))
                missing = [name for name, number in own.items() if mentions[name] + number > self._found[name]]
                gone = len(missing) <= self._expired_in(entry)
                if missing and not gone and not certain:
                    result.unfinished.append(entry)
                    continue
                result.counting.append(entry)
                mentions += own
                if gone:
                    result = result._replace(expired=result.expired + len(missing))
                else:
                    result.lost.update(dict.fromkeys(missing, entry))
        return result

    def is_kept(self, kind: str, at: datetime | None) -> bool:
        """Whether the log still has every event of a kind that was received at or after `at`."""
        first = self.kept_from.get(TOPICS[kind])
        return first is None or (at is not None and at >= first)

    def _expired_in(self, entry: LedgerEntry) -> int:
        """How many events of an entry the log need not have any more."""
        events = [each for account in entry.accounts for each in account.events.items()]
        return sum(number for kind, number in events if not self.is_kept(kind, entry.observed_at))

    def _is_certain(self, entry: LedgerEntry) -> bool:
        return entry.number < self.certain.get(entry.run, 0)


def _print(identity: str) -> bytes:
    """What the ledger calls the message of an event; empty for an id that is none of ours."""
    try:
        return bytes.fromhex(identity[:PRINT_DIGITS])
    except ValueError:
        return b""


def _prints(entry: LedgerEntry) -> Iterator[bytes]:
    for first in range(0, len(entry.prints), _PRINT_BYTES):
        yield entry.prints[first : first + _PRINT_BYTES]


def _place(point: Point) -> PointPlace:
    return series(point.measurement, point.tags), point.time_ns


def _fate(event: Event) -> str:
    """What becomes of an event that leaves no raw point."""
    record = event.record
    if not isinstance(record, VehicleState):
        return "log only"
    at_ms = milliseconds(record.observed_at)
    if not -MARGIN_MS <= milliseconds(record.received_at) - at_ms <= HORIZON_MS:
        return "too late"
    return "log only" if sample_of(record, at_ms) is None else "stored"
