"""Consent before the event log: what a household agreed to decides how fine its records are. Pure.

A household agrees per purpose, to a granularity and for a time; each change is a line of a file (ADR 0020). At an
instant the last change of each purpose whose time holds it speaks, and the finest of the purposes is kept:

- none: nothing goes on, `Ignored("no-consent")` counts it;
- `daily`: the first reading of each local day and intervals of a day, without gauges, states and device statuses;
- `half_hourly`: the first reading of each half hour and intervals of half an hour or more, without the same;
- `live`: everything.

Members of the panel agree where they join it: what one says goes on until a line of the file withdraws it, under the
name `pionniers:<member>`. The instant is that of the device (`observed_at`; both ends of an interval). What was let
through is remembered per meter and slot. Forgetting it, at a restart, lets one more reading of that slot through; it
never keeps one back.
"""

from collections.abc import Callable, Iterable, Mapping
from datetime import datetime, timedelta
from typing import Annotated, Final, Literal, Self
from zoneinfo import ZoneInfo

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, model_validator

from schemas.citizen import AppEvaluation
from schemas.energy import IntervalEnergy, MeterReading
from schemas.envelope import AnyRecord, Event
from schemas.status import DeviceStatus
from services.ingest.memory import Memory

__all__ = ["COARSE", "MEMBER", "NONE", "PURPOSES", "Book", "Change", "Consent", "Granularity", "Purpose"]

Granularity = Literal["daily", "half_hourly", "live"]
Purpose = Literal["advice", "challenge", "city"]
"""`advice`: the household's own figures; `challenge`: its team; `city`: figures of groups that are large enough."""

PURPOSES: Final[tuple[Purpose, ...]] = ("advice", "challenge", "city")
NONE: Final = "no-consent"
"""The rule that ignores a message of a household that agreed to nothing at that time."""
MEMBER: Final = "pionniers:"
"""How the file names a member of the panel."""
COARSE: Final = "finer-than-consent"
"""The rule that ignores a message which is finer than what its household agreed to."""

_OF_NOBODY: Final = "garonne_probe"
"""A profile whose records say nothing of a home: `garonne doctor` looks whether the way is open (ADR 0037)."""

_RANK: Final[Mapping[Granularity, int]] = {"daily": 1, "half_hourly": 2, "live": 3}
_HALF_HOUR: Final = timedelta(minutes=30)
_A_DAY_AT_LEAST: Final = timedelta(hours=23)
_INSTANT: Final = timedelta(microseconds=1)


class Change(BaseModel):
    """One line of the consent file: a household agrees to something, or withdraws it, for [from, until)."""

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)

    recorded_at: AwareDatetime = Field(description="When the operator wrote it down.")
    household: Annotated[str, Field(min_length=1, max_length=80)]
    action: Literal["grant", "withdraw"]
    purposes: Annotated[tuple[Purpose, ...], Field(min_length=1)]
    granularity: Granularity | None = None
    start: AwareDatetime = Field(alias="from")
    until: AwareDatetime | None = None

    @model_validator(mode="after")
    def _agree(self) -> Self:
        if self.action == "grant" and self.granularity is None:
            raise ValueError("a grant needs a granularity: daily, half_hourly or live")
        if self.action == "withdraw" and self.granularity is not None:
            raise ValueError("a withdrawal has no granularity: grant a coarser one instead")
        if self.until is not None and self.until <= self.start:
            raise ValueError("until must be later than from")
        return self


class Book:
    """All changes, by pseudonym of the household."""

    def __init__(
        self,
        changes: Iterable[Change],
        pseudonym: Callable[[str, str], str],
        household_of: Mapping[str, str] | None = None,
    ) -> None:
        """Set up.

        Args:
            changes: in the order in which they were written down.
            pseudonym: of a purpose of `pseudonyms.Keys` and an identifier.
            household_of: registered household by device; a device that is not listed is a household of its own.
        """
        self._changes: dict[str, list[Change]] = {}
        self._homes: dict[str, str] = {}
        self._members: dict[str, str] = {}
        for change in changes:
            home = pseudonym("household", change.household)
            self._changes.setdefault(home, []).append(change)
            self._homes[pseudonym("device", change.household)] = home
            if change.household.startswith(MEMBER):
                self._members[pseudonym("member", change.household.removeprefix(MEMBER))] = home
        for device, household in (household_of or {}).items():
            self._homes[pseudonym("device", device)] = pseudonym("household", household)

    def granularity(self, household: str, at: datetime) -> Granularity | None:
        """What a household (its pseudonym) agreed to for an instant, for whatever purpose."""
        return max((each for each in self._spoken(household, at).values() if each), key=_RANK.__getitem__, default=None)

    def agreed(self, household: str, purpose: Purpose, at: datetime) -> bool:
        """Whether a household (its pseudonym) agreed to a purpose for an instant."""
        return self._spoken(household, at).get(purpose) is not None

    def _spoken(self, household: str, at: datetime) -> dict[Purpose, Granularity | None]:
        """What holds at an instant: the last change of each purpose."""
        spoken: dict[Purpose, Granularity | None] = {}
        for change in self._changes.get(household, ()):
            if change.start <= at and (change.until is None or at < change.until):
                spoken.update(dict.fromkeys(change.purposes, change.granularity))
        return spoken

    def withdrawn(self, member: str, at: datetime) -> bool:
        """Whether a member of the panel (its pseudonym) has withdrawn for an instant."""
        said = self._spoken(self._members.get(member, ""), at)
        return bool(said) and not any(said.values())

    def home_of(self, device: str) -> str | None:
        """The household of a device, both as pseudonyms; `None` if nobody said whose it is."""
        return self._homes.get(device)


class Consent:
    """Keeps of a message's events what its households agreed to."""

    def __init__(self, book: Book, timezone: ZoneInfo, memory: Memory | None = None) -> None:
        """Set up.

        Args:
            book: what was agreed to; another one may be set at any time.
            timezone: of local days.
            memory: of what was let through.
        """
        self.book = book
        self._timezone = timezone
        self._passed = memory or Memory()

    def instead_of(self, before: "Consent") -> "Consent":
        """Itself, with what `before` has let through."""
        self._passed = before._passed  # noqa: SLF001 - of its own class
        return self

    def keep(self, events: tuple[Event, ...]) -> tuple[tuple[Event, ...], str]:
        """The events that go on, with the ids that they had, and the rule to name if none does."""
        kept, rule = [], NONE
        for event in events:
            record = event.record
            allowed, of_a_home = self._allowed(record)
            if not of_a_home or allowed == "live" or event.profile == _OF_NOBODY:
                kept.append(event)
            elif allowed is not None:
                rule = COARSE
                if (coarse := self._coarse(record, allowed)) is not None:
                    kept.append(event._replace(record=coarse))
        return tuple(kept), rule

    def keeps(self, device: str, at: datetime) -> bool:
        """Whether a message of a device (its pseudonym) that cannot be read may be kept, sealed."""
        home = self.book.home_of(device)
        return home is not None and self.book.granularity(home, at) is not None

    def _allowed(self, record: AnyRecord) -> tuple[Granularity | None, bool]:
        """The granularity for a record, and whether it is of a household at all."""
        match record:
            case MeterReading():
                return self.book.granularity(record.household, record.observed_at), True
            case IntervalEnergy():
                ends = (record.start, max(record.start, record.end - _INSTANT))
                first, last = (self.book.granularity(record.household, each) for each in ends)
                if first is None or last is None:
                    return None, True
                return (first if _RANK[first] <= _RANK[last] else last), True
            case DeviceStatus():
                home = self.book.home_of(record.device)
                return (None if home is None else self.book.granularity(home, record.observed_at)), True
            case AppEvaluation():
                return None, self.book.withdrawn(record.member, record.observed_at)
        return None, False

    def _coarse(self, record: AnyRecord, allowed: Granularity) -> AnyRecord | None:
        """What `daily` or `half_hourly` leaves of a record."""
        if isinstance(record, IntervalEnergy):
            least = _A_DAY_AT_LEAST if allowed == "daily" else _HALF_HOUR
            return record if record.end - record.start >= least else None
        if not isinstance(record, MeterReading):
            return None
        registers = tuple(each for each in record.registers if not each.since_midnight)
        if not registers or not self._is_first(record, allowed):
            return None
        return record.model_copy(update={"registers": registers, "gauges": (), "states": ()})

    def _is_first(self, reading: MeterReading, allowed: Granularity) -> bool:
        """Whether a reading is the first of its slot, or was it when it came before.

        All registers of a message together, so that a message that comes again is the same event again.
        """
        at = reading.observed_at
        slot = (
            f"{at.astimezone(self._timezone).date()}"
            if allowed == "daily"
            else f"{int(at.timestamp()) // int(_HALF_HOUR.total_seconds())}"
        )
        names = (f"{each.quantity}.{each.name}" for each in reading.registers)
        key = ("consent", allowed, reading.meter, slot, *names)
        first: datetime | None = self._passed.recall(key)
        if first is None:
            self._passed.remember(key, at, len(key))
        return first is None or at <= first
