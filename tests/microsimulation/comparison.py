"""Passages beside the truth: which belong together, and how far they are apart."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from math import fsum
from typing import Final, NamedTuple

from services.aggregator.mobility.passages import Passage
from services.aggregator.points import instant
from tests.cases import NAMES
from tests.microsimulation.radio import unix_ms
from tests.microsimulation.truth import Truth

__all__ = ["Compared", "Errors", "Pair", "compare", "errors_of"]

_APART_S: Final = 10.0


class Pair(NamedTuple):
    """A crossing that happened, and the passage that was found for it, or `None`."""

    truth: Truth
    passage: Passage | None


class Compared(NamedTuple):
    """All crossings, the passages that belong to none, and what more than one passage was found for."""

    pairs: tuple[Pair, ...]
    surplus: int

    @property
    def matched(self) -> list[tuple[Truth, Passage]]:
        """Crossings with their passages."""
        return [(truth, passage) for truth, passage in self.pairs if passage is not None]

    @property
    def whole(self) -> list[tuple[Truth, Passage]]:
        """Those of which the whole approach was driven while SUMO recorded."""
        return [(truth, passage) for truth, passage in self.matched if truth.whole]


class Errors(NamedTuple):
    """Of found less true: mean, mean without sign, 95th percentile without sign, and the largest."""

    number: int
    bias: float
    mean: float
    p95: float
    largest: float


def compare(truths: Sequence[Truth], passages: Mapping[str, Sequence[Passage]], names: Mapping[int, str]) -> Compared:
    """Bring together what is of the same vehicle at the same junction, within ten seconds."""
    pseudonyms = _Pseudonyms(names)
    found: dict[tuple[str, str], list[Passage]] = defaultdict(list)
    for zone, each in ((zone, each) for zone, of_zone in passages.items() for each in of_zone):
        found[zone, pseudonyms.vehicle(each)].append(each)
    pairs = []
    for truth in truths:
        at_ms = unix_ms(truth.stop_line_s)
        own = found.get((truth.zone, truth.vehicle), [])
        best = min(own, key=lambda each: abs(each.stop_line_ms - at_ms), default=None)
        if best is not None and abs(best.stop_line_ms - at_ms) <= 1000 * _APART_S:
            own.remove(best)
        else:
            best = None
        pairs.append(Pair(truth, best))
    return Compared(tuple(pairs), sum(map(len, found.values())))


class _Pseudonyms:
    """Whose a pseudonym is, which only the simulation can tell."""

    def __init__(self, names: Mapping[int, str]) -> None:
        day = instant(unix_ms(0))
        self._vehicles = {NAMES.vehicle(station, day): vehicle for station, vehicle in names.items()}

    def vehicle(self, passage: Passage) -> str:
        return self._vehicles[passage.fixes[-1].vehicle]


def errors_of(differences: Iterable[float]) -> Errors:
    """Of some differences, found less true."""
    known = list(differences)
    if not known:
        return Errors(0, 0.0, 0.0, 0.0, 0.0)
    sizes = sorted(map(abs, known))
    p95 = sizes[min(len(sizes) - 1, int(0.95 * len(sizes)))]
    return Errors(len(known), fsum(known) / len(known), fsum(sizes) / len(sizes), p95, sizes[-1])
