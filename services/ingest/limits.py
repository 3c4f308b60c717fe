"""How much one device, and all new ones together, may put into the event log. Pure; every time is a message's own.

A device that goes wild repeats itself: what it sends beyond a number of messages for each minute of *its own* time is
ignored, by a rule that is counted. Its own time, not that of reception: what a broker held back during an outage comes
within seconds, and must not be lost. Each device has its own count, so nobody else is harmed. Junctions, which carry
the messages of many, have none; their vehicles have.

Meters that were not seen before are counted by hour of reception: each new one is a new series for ever. A restart
begins to count anew, and the meters that it knew are new to it, so the limit is for floods, not for growth.
"""

from typing import Final, NamedTuple

from schemas.energy import IntervalEnergy, MeterReading
from schemas.envelope import AnyRecord, Event
from schemas.mobility import VehicleState
from schemas.status import DeviceStatus
from services.ingest.memory import Memory

__all__ = ["TOO_FAST", "TOO_MANY_METERS", "Bounds", "Limits"]

TOO_FAST: Final = "too-many-messages-of-a-device"
TOO_MANY_METERS: Final = "too-many-new-meters"

_MINUTE_S: Final = 60
_HOUR_S: Final = 3600
_COUNTS: Final = 50_000
_METERS: Final = 500_000
"""What is remembered at most: minutes of devices, and meters; some tens of megabytes."""


class Bounds(NamedTuple):
    """Messages of a device for a minute of its own time; meters in an hour that were not seen before."""

    messages_per_minute: int
    new_meters_per_h: int


class Limits:
    """Counts; what is over a bound has the name of its rule."""

    def __init__(self, bounds: Bounds, *, counts: int = _COUNTS, meters: int = _METERS) -> None:
        """Set up; `counts` minutes of devices and `meters` meters are remembered at most."""
        self._bounds = bounds
        self._counts = Memory(counts)
        self._meters = Memory(meters)
        self._hour = 0
        self._new = 0

    def rebound(self, bounds: Bounds) -> None:
        """Other bounds from now on; what was counted stays counted."""
        self._bounds = bounds

    def broken(self, events: tuple[Event, ...]) -> str | None:
        """The rule that the events of a message break, if they break one."""
        devices: dict[tuple[str, int], AnyRecord] = {}
        for event in events:
            source = _source(event.record)
            if source is not None:
                devices[source, int(event.record.observed_at.timestamp()) // _MINUTE_S] = event.record
        for (source, minute), record in devices.items():
            if isinstance(record, MeterReading | IntervalEnergy) and not self._admits(record):
                return TOO_MANY_METERS
            key = (source, str(minute))
            number: int = (self._counts.recall(key) or 0) + 1
            if number > self._bounds.messages_per_minute:
                return TOO_FAST
            self._counts.remember(key, number)
        return None

    def _admits(self, record: MeterReading | IntervalEnergy) -> bool:
        key = (record.meter,)
        if self._meters.recall(key):
            return True
        hour = int(record.received_at.timestamp()) // _HOUR_S
        if hour != self._hour:
            self._hour, self._new = hour, 0
        if self._new >= self._bounds.new_meters_per_h:
            return False
        self._new += 1
        self._meters.remember(key, value=True)
        return True


def _source(record: AnyRecord) -> str | None:
    """Who must not speak too often."""
    match record:
        case MeterReading() | IntervalEnergy():
            return record.meter
        case VehicleState():
            return record.vehicle
        case DeviceStatus():
            return record.device
    return None
