"""Devices and gateways: online, offline, what they announce, and when messages may be missing."""

from typing import Literal

from schemas.base import Pseudonym, Record, UtcInstant
from schemas.energy import Gauge, State

__all__ = ["DeviceStatus"]


class DeviceStatus(Record):
    """A last will, an availability message, an announcement of a gateway, or a gap in the flow.

    `missing_from` and `missing_until` say when messages may have been lost before they reached Garonne.
    """

    kind: Literal["device_status"] = "device_status"
    device: Pseudonym
    availability: Literal["online", "offline", "unknown"] = "unknown"
    states: tuple[State, ...] = ()
    gauges: tuple[Gauge, ...] = ()
    missing_from: UtcInstant | None = None
    missing_until: UtcInstant | None = None
