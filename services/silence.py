"""How the devices of the registry are: who was not heard (`--silent 2h`), who has gaps (`--health 7d`).

The rhythm of a device is what it was lately: the median of the last hundred times between two of its messages. A time
that is more than twice as long is a gap, and so is the silence since the last message, if it is as long.
"""

import asyncio
import re
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from statistics import median_low
from typing import Final, NamedTuple, get_args

from schemas.energy import Carrier
from services.aggregator.ports import Row, Store
from services.ingest.assembly import keys_of
from services.ingest.profiles import Names
from services.ingest.pseudonyms import Pseudonyms
from services.running import open_store
from services.runtime.registry import Registry, read_registry
from services.runtime.settings import Settings

__all__ = [
    "Gap",
    "Health",
    "Silent",
    "duration_of",
    "find_health",
    "find_silent",
    "health_of_devices",
    "health_of_times",
    "silent_devices",
]

_DURATION: Final = re.compile(r"([0-9]{1,4})(min|h|d)")
_UNITS: Final = {"min": timedelta(minutes=1), "h": timedelta(hours=1), "d": timedelta(days=1)}
_AHEAD: Final = timedelta(minutes=10)
_LOOK_BACK: Final = timedelta(days=32)
"""How far back the last message is looked for; the raw series are not kept for ever."""
_MEASUREMENTS: Final = ("meter", "interval")
_RHYTHM_OF: Final = 100
_GAP_IS: Final = 2
_LONGEST: Final = 5


class Silent(NamedTuple):
    """A device of the registry that was not heard. `last` is `None` if not in the last 32 days either."""

    device: str
    household: str
    last: datetime | None
    availability: str | None

    def as_text(self) -> str:
        """For the terminal."""
        heard = "not heard in 32 days" if self.last is None else f"last heard {self.last:%Y-%m-%d %H:%M:%SZ}"
        says = "" if self.availability is None else f", says {self.availability}"
        return f"{self.device:<50}{self.household:<24}{heard}{says}"


class Gap(NamedTuple):
    """Between two messages, or since the last one, with how many are missing by the rhythm of the device."""

    start: datetime
    end: datetime
    missing: int


class Health(NamedTuple):
    """A device of the registry in a period. Without two messages there is no rhythm, and gaps are not known."""

    device: str
    household: str
    messages: int
    last: datetime | None
    silence: timedelta | None
    cadence: timedelta | None
    gaps: tuple[Gap, ...]
    availability: str | None

    def as_dict(self) -> dict[str, object]:
        """For `--json`."""
        return {
            "device": self.device,
            "household": self.household,
            "messages": self.messages,
            "last": None if self.last is None else _utc(self.last),
            "silence_s": None if self.silence is None else self.silence.total_seconds(),
            "cadence_s": None if self.cadence is None else self.cadence.total_seconds(),
            "gaps": [{"start": _utc(gap.start), "end": _utc(gap.end), "missing": gap.missing} for gap in self.gaps],
            "availability": self.availability,
        }

    def as_text(self) -> str:
        """For the terminal: a line, and one for each of the longest gaps."""
        heard = "not heard" if self.last is None else f"last {self.last:%Y-%m-%d %H:%M:%SZ}"
        rhythm = "" if self.cadence is None else f", every {_short(self.cadence)}"
        missing = sum(gap.missing for gap in self.gaps)
        gaps = f", {missing} missing in {len(self.gaps)} gaps" if self.gaps else ", no gap" if self.cadence else ""
        says = "" if self.availability is None else f", says {self.availability}"
        longest = sorted(self.gaps, key=lambda gap: gap.start - gap.end)[:_LONGEST]
        lines = [
            f"{'':<10}{gap.start:%Y-%m-%d %H:%M:%SZ} to {gap.end:%Y-%m-%d %H:%M:%SZ}: {_short(gap.end - gap.start)}"
            for gap in sorted(longest)
        ]
        head = f"{self.device:<50}{self.household:<24}{self.messages:>7} messages, {heard}{rhythm}{gaps}{says}"
        return "\n".join([head, *lines])


def _utc(instant: datetime) -> str:
    return instant.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _short(duration: timedelta) -> str:
    seconds = duration.total_seconds()
    for unit, size in (("d", 86_400), ("h", 3_600), ("min", 60)):
        if seconds >= 2 * size:
            return f"{seconds / size:.3g} {unit}"
    return f"{seconds:.3g} s"


def duration_of(text: str) -> timedelta:
    """`90min`, `2h`, `3d`.

    Raises:
        ValueError: anything else.
    """
    found = _DURATION.fullmatch(text)
    if found is None or int(found[1]) == 0:
        raise ValueError(f"{text!r} is no duration: write 90min, 2h or 3d")
    return int(found[1]) * _UNITS[found[2]]


def find_silent(settings: Settings, silence: timedelta) -> list[Silent]:
    """Ask the store of the site.

    Raises:
        KeyProblem, RegistryProblem: key or registry cannot be used.
        Unavailable: the store gives no answer.
    """
    registry = read_registry(settings.households_file)
    names = Pseudonyms(keys_of(settings), registry.household_of, registry.meter_of)

    async def ask() -> list[Silent]:
        async with open_store(settings) as store:
            return await silent_devices(store, names, registry, silence, datetime.now(UTC))

    return asyncio.run(ask())


async def silent_devices(
    store: Store, names: Names, registry: Registry, silence: timedelta, now: datetime
) -> list[Silent]:
    """The devices of the registry without a value in the last `silence`.

    A device whose meters are named by something else (the sensors that it announces) is heard with its household.

    Raises:
        Unavailable: the store gives no answer.
    """
    start = now - silence
    rows = [row for each in _MEASUREMENTS for row in await store.select(each, start=start, end=now + _AHEAD)]
    heard = [row for row in rows if not row.fields.get("undated")]  # kept by the broker: no sign of life
    meters = {row.tags["meter"] for row in heard if "meter" in row.tags}
    found = []
    for household in registry.households:
        own = {device: _meters(device, names) for device in household.devices}
        known = {meter for several in own.values() for meter in several}
        others = {
            row.tags.get("meter") for row in heard if row.tags.get("household") in _home(household.devices, names)
        }
        for device, candidates in own.items():
            if candidates & meters or others - known:
                continue
            last = await _last_of(store, candidates, start, now)
            found.append(Silent(device, household.id, last, await _availability(store, device, names, now)))
    return found


def health_of_times(times: Sequence[datetime], now: datetime) -> tuple[timedelta | None, tuple[Gap, ...]]:
    """Rhythm and gaps of messages at these times, in order; `None` if there are not two."""
    steps = [later - earlier for earlier, later in pairwise(times) if later > earlier]
    if not steps:
        return None, ()
    cadence = median_low(steps[-_RHYTHM_OF:])
    gaps = [
        Gap(earlier, later, round((later - earlier) / cadence) - 1)
        for earlier, later in pairwise(times)
        if later - earlier > _GAP_IS * cadence
    ]
    if now - times[-1] > _GAP_IS * cadence:
        gaps.append(Gap(times[-1], now, int((now - times[-1]) / cadence)))
    return cadence, tuple(gaps)


def find_health(settings: Settings, period: timedelta) -> list[Health]:
    """Ask the store of the site.

    Raises:
        KeyProblem, RegistryProblem: key or registry cannot be used.
        Unavailable: the store gives no answer.
    """
    registry = read_registry(settings.households_file)
    names = Pseudonyms(keys_of(settings), registry.household_of, registry.meter_of)

    async def ask() -> list[Health]:
        async with open_store(settings) as store:
            return await health_of_devices(store, names, registry, period, datetime.now(UTC))

    return asyncio.run(ask())


async def health_of_devices(
    store: Store, names: Names, registry: Registry, period: timedelta, now: datetime
) -> list[Health]:
    """Every device of the registry in the last `period`: rhythm, gaps, last message, what its last will says.

    A device that tells indexes and intervals has the rhythm of its indexes: intervals come in bundles, by import too.

    Raises:
        Unavailable: the store gives no answer.
    """
    found = []
    for household in registry.households:
        for device in household.devices:
            times = await _times_of(store, _meters(device, names), now - period, now)
            cadence, gaps = health_of_times(times, now)
            last = times[-1] if times else await _last_of(store, _meters(device, names), now - period, now)
            silence = None if last is None else max(timedelta(), now - last)
            says = await _availability(store, device, names, now)
            found.append(Health(device, household.id, len(times), last, silence, cadence, gaps, says))
    return found


async def _times_of(store: Store, meters: Iterable[str], start: datetime, now: datetime) -> list[datetime]:
    for measurement in _MEASUREMENTS:
        times = {
            row.time_ns // 1_000_000  # below the millisecond it is no time
            for meter in sorted(meters)
            for row in await store.select(measurement, tags={"meter": meter}, start=start, end=now + _AHEAD)
            if not row.fields.get("undated")
        }
        if times:
            return [datetime.fromtimestamp(at_ms / 1000, UTC) for at_ms in sorted(times)]
    return []


def _meters(device: str, names: Names) -> frozenset[str]:
    """The meter of a device, and those of other carriers beside it."""
    return frozenset((names.meter(device), *(names.meter(f"{device}/{carrier}") for carrier in get_args(Carrier))))


def _home(devices: Iterable[str], names: Names) -> frozenset[str]:
    return frozenset(map(names.household, devices))


def _windows(start: datetime, now: datetime) -> Iterator[tuple[datetime, datetime]]:
    """Back in time in growing steps, for the last value is near most of the time."""
    end, step = start, now - start
    while now - end < _LOOK_BACK:
        yield max(end - step, now - _LOOK_BACK), end
        end, step = end - step, step * 2


async def _last_of(store: Store, meters: Iterable[str], start: datetime, now: datetime) -> datetime | None:
    for since, until in _windows(start, now):
        rows: Sequence[Row] = [
            row
            for meter in sorted(meters)
            for each in _MEASUREMENTS
            for row in await store.select(each, tags={"meter": meter}, start=since, end=until)
            if not row.fields.get("undated")
        ]
        if rows:
            return datetime.fromtimestamp(max(row.time_ns for row in rows) / 1e9, UTC)
    return None


async def _availability(store: Store, device: str, names: Names, now: datetime) -> str | None:
    """What the device, or its last will, said last."""
    tags = {"device": names.device(device)}
    rows = await store.select("device", tags=tags, start=now - _LOOK_BACK, end=now + _AHEAD)
    for row in reversed(rows):
        with suppress(KeyError):
            return str(row.fields["availability"])
    return None
