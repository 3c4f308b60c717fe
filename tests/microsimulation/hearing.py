"""What Garonne makes of the messages: normaliser, junctions file, passages; as in production, without the servers."""

import json
import tempfile
from collections import Counter, defaultdict
from collections.abc import Iterable
from pathlib import Path
from typing import Final, NamedTuple

from schemas.base import Record
from schemas.mobility import IntersectionGeometry, SignalState, VehicleState
from services.aggregator.mobility.fixes import Fix, fix_of
from services.aggregator.mobility.geometry import Junction, junction_of
from services.aggregator.mobility.passages import Passage, passages_of
from services.aggregator.mobility.signals import Signals
from services.ingest.normalise import Normaliser
from services.ingest.profiles import Context, Message, discover
from services.ingest.zones import load_zones
from tests.cases import KEYS, NAMES
from tests.microsimulation.network import Network, degrees

__all__ = ["Heard", "hear"]

_RADIUS_M: Final = 335.0
"""So far do the zones reach; between two junctions the nearer one counts."""


class Heard(NamedTuple):
    """Passages by zone, with the pseudonym that each vehicle had last, and what became of the messages."""

    passages: dict[str, list[Passage]]
    outcomes: Counter[str]
    flags: Counter[str]


class _Junction:
    """What is told of one junction."""

    def __init__(self) -> None:
        self.fixes: list[Fix] = []
        self.signals: list[SignalState] = []
        self.map: Junction | None = None


def hear(network: Network, messages: Iterable[Message]) -> Heard:
    """Normalise all messages, and compute all passages of all junctions."""
    normalise = _normaliser(network)
    junctions: dict[str, _Junction] = defaultdict(_Junction)
    outcomes: Counter[str] = Counter()
    flags: Counter[str] = Counter()
    for message in messages:
        outcome = normalise(message)
        if outcome.ignored is not None:
            outcomes[outcome.ignored.rule] += 1
        for event in outcome.events:
            outcomes[event.record.kind] += 1
            flags.update(event.record.flags)
            _remember(junctions, event.record)
    passages = {
        zone: passages_of(each.fixes, Signals(each.signals), each.map)
        for zone, each in sorted(junctions.items())
        if each.map is not None
    }
    return Heard(passages, outcomes, flags)


def _remember(junctions: dict[str, _Junction], record: Record) -> None:
    if isinstance(record, VehicleState):
        fix = fix_of(record)
        if fix is not None:
            junctions[record.zone].fixes.append(fix)
    elif isinstance(record, SignalState):
        junctions[record.intersection].signals.append(record)
    elif isinstance(record, IntersectionGeometry) and junctions[record.intersection].map is None:
        junctions[record.intersection].map = junction_of(record)


def _normaliser(network: Network) -> Normaliser:
    features = [
        {
            "type": "Feature",
            "properties": {"id": each.zone, "radius_m": _RADIUS_M},
            "geometry": {"type": "Point", "coordinates": list(reversed(degrees(each.centre)))},
        }
        for each in network.junctions
    ]
    with tempfile.NamedTemporaryFile("w", suffix=".geojson") as file:
        json.dump({"type": "FeatureCollection", "features": features}, file)
        file.flush()
        context = Context(names=NAMES, zones=load_zones(Path(file.name)))
    profiles = discover()
    return Normaliser(profiles, dict.fromkeys(profiles, context), KEYS)
