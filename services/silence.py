"""`garonne devices --silent 2h`: which devices of the registry were not heard, and when they last were."""

import asyncio
import re
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Final, NamedTuple, get_args

from schemas.energy import Carrier
from services.aggregator.ports import Row, Store
from services.ingest.assembly import keys_of
from services.ingest.profiles import Names
from services.ingest.pseudonyms import Pseudonyms
from services.running import open_store
from services.runtime.registry import Registry, read_registry
from services.runtime.settings import Settings

__all__ = ["Silent", "duration_of", "find_silent", "silent_devices"]

_DURATION: Final = re.compile(r"([0-9]{1,4})(min|h|d)")
_UNITS: Final = {"min": timedelta(minutes=1), "h": timedelta(hours=1), "d": timedelta(days=1)}
_AHEAD: Final = timedelta(minutes=10)
_LOOK_BACK: Final = timedelta(days=32)
"""How far back the last message is looked for; the raw series are not kept for ever."""
_MEASUREMENTS: Final = ("meter", "interval")


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
