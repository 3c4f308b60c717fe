"""Reading a probe: a number that the sender drew, and when it was sent. Nothing else of the payload is read."""

import re
from typing import Final

from schemas.energy import State
from schemas.envelope import AnyRecord
from schemas.status import DeviceStatus
from services.ingest.clock import wall_clock_text
from services.ingest.codecs.jsontext import read_object
from services.ingest.profiles import Context, Ignored, Message, Unparseable

__all__ = ["DEVICE", "TOPIC", "parse"]

TOPIC: Final = "garonne/probe"
DEVICE: Final = "garonne_probe:doctor"
"""One device for all probes: one series in the time series, however often somebody looks."""
_NONCE: Final = re.compile(r"[0-9a-f]{16}")


def parse(message: Message, context: Context) -> tuple[AnyRecord, ...] | Ignored:
    """Read one probe.

    Raises:
        Unparseable: not JSON, or the number is none of 16 hexadecimal digits.
    """
    if message.retained:
        return Ignored("retained-probe")
    said = read_object(message.payload)
    nonce = said.get("probe")
    if not isinstance(nonce, str) or not _NONCE.fullmatch(nonce):
        raise Unparseable("bad_value", "probe: must be 16 hexadecimal digits")
    reading = wall_clock_text(said.get("sent_at"), message.received_at, context)
    return (
        DeviceStatus(
            observed_at=reading.at,
            received_at=message.received_at,
            clock=reading.clock,
            flags=reading.flags,
            device=context.names.device(DEVICE),
            states=(State(name="status", value=f"probe {nonce}"),),
        ),
    )
