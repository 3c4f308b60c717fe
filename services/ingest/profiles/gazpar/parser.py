"""Reading gazpar2mqtt: each gas day is an interval of volume and one of energy, and an index at its end."""

from typing import Final, Literal

from schemas.envelope import AnyRecord
from schemas.status import DeviceStatus
from services.ingest.codecs.gasday import gas_day, gas_meter
from services.ingest.codecs.jsontext import read_object
from services.ingest.profiles import Context, Ignored, Message, Unparseable

__all__ = ["parse"]

FAMILY: Final = "gazpar"
_VALUES: Final = ("energy_kwh", "volume_m3", "end_index_m3")


def parse(message: Message, context: Context) -> tuple[AnyRecord, ...] | Ignored:
    """Read one message of the bridge.

    Raises:
        Unparseable: not JSON, no array of days, or a day whose values are no numbers.
    """
    device, _, last = message.topic.rpartition("/")
    if last == "availability":
        return (_availability(message, context, device),)
    values = read_object(message.payload)
    days = values.get("daily")
    if not isinstance(days, list):
        raise Unparseable("wrong_shape", "daily: must be an array of gas days")
    pce = values.get("pce")
    meter = gas_meter(f"{FAMILY}:{pce if isinstance(pce, str) and pce else message.topic}", context)
    # Newest first in the payload; in the order of time here.
    records = [record for day in reversed(days) for record in gas_day(day, meter, message, context)]
    if not records and any(day.get(key) is not None for day in days for key in _VALUES):
        raise Unparseable("bad_value", "daily: not one day and value that can be believed")
    return tuple(records) or Ignored("no-gas-day")


def _availability(message: Message, context: Context, device: str) -> DeviceStatus:
    text = message.payload.strip()
    word = read_object(text).get("state") if text.startswith(b"{") else text.decode("ascii", "replace")
    availability: Literal["online", "offline", "unknown"] = (
        "online" if word == "online" else "offline" if word == "offline" else "unknown"
    )
    return DeviceStatus(
        device=context.names.device(f"{FAMILY}:{device}"),
        observed_at=message.received_at,
        received_at=message.received_at,
        clock="none",
        retained=message.retained,
        availability=availability,
    )
