"""The platform's own signal message: Unix milliseconds and `states`, also when it calls itself SPATEM 2.0.0."""

from typing import Final

from schemas.mobility import SignalGroupState, SignalState
from services.ingest.codecs import its_time
from services.ingest.codecs.its_signals import COLOURS, EVENT_STATE
from services.ingest.codecs.its_tree import Arrival, Tree, first, integer, items
from services.ingest.codecs.its_units import whole
from services.ingest.profiles import Unparseable

__all__ = ["platform_signals"]

_LATEST_MS: Final = 1 << 62


def platform_signals(body: Tree, arrival: Arrival) -> tuple[SignalState, ...]:
    """The record of a folded platform message; `stationId` is the intersection.

    Raises:
        Unparseable: an element is missing or no number.
    """
    said_ms = first(body, "timestamp")
    at_ms = arrival.envelope_ms if said_ms is None else whole(said_ms, "message.timestamp", 0, _LATEST_MS)
    at = its_time.unix_time(at_ms, arrival.message.received_at, arrival.context)
    region = integer(body, "region", 0, 65_535, default=0)
    revision = integer(body, "revision", 0, 127, default=-1)
    record = SignalState(
        observed_at=at.at,
        received_at=arrival.message.received_at,
        clock=at.clock,
        flags=at.flags,
        retained=arrival.message.retained,
        intersection=arrival.context.junction(region, integer(body, "stationId", 0, 65_535)),
        revision=revision if revision >= 0 else None,
        groups=tuple(_group(each) for each in items(body, "states")),
    )
    return (record,)


def _group(state: Tree) -> SignalGroupState:
    event_state = EVENT_STATE(first(state, "state"))
    if event_state is None:
        raise Unparseable("missing_field", "states.state: is missing")
    change = first(state, "nextChange", "toc")
    # 0 says that no change is known, not a change in 1970.
    change_ms = 0 if change is None else whole(change, "states.nextChange", 0, _LATEST_MS)
    return SignalGroupState(
        signal_group=integer(state, "id", 0, 255),
        event_state=event_state,
        colour=COLOURS[event_state],
        min_end=its_time.instant(change_ms) if change_ms else None,
    )
