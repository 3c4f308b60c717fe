"""How far found passages are from the truth, as figures with names and as the tables of the documentation."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from math import fsum
from typing import Final

from services.aggregator.mobility.passages import Passage
from tests.microsimulation.comparison import Compared, Errors, errors_of
from tests.microsimulation.disturbance import Level
from tests.microsimulation.network import Network
from tests.microsimulation.radio import unix_ms
from tests.microsimulation.truth import Truth

__all__ = ["QUANTITIES", "Accuracy", "accuracy_of", "tables"]

Matched = Sequence[tuple[Truth, Passage]]
_SEEN_M: Final = 10.0
"""An approach counts as seen whole where at most this much of its far end is missing."""

QUANTITIES: Final[Mapping[str, Callable[[Truth, Passage], float | None]]] = {
    "stop line": lambda true, found: (found.stop_line_ms - unix_ms(true.stop_line_s)) / 1000,
    "delay": lambda true, found: None if found.delay_s is None else found.delay_s - true.delay_s,
    "stopped": lambda true, found: found.stopped_s - true.stopped_s,
    "idle": lambda true, found: found.idle_s - true.idle_s,
}
"""Found less true, in seconds."""


@dataclass(frozen=True)
class Accuracy:
    """One level of disturbance. Shares are of the matched crossings; `junctions` has found and true means.

    `seen` is of vehicles that kept one name over the whole approach, `every` of all whose approach was driven whole.
    """

    level: Level
    crossings: int
    matched: int
    surplus: int
    lane_right: float
    seen_whole: float
    every: Mapping[str, Errors]
    seen: Mapping[str, Errors]
    stops_right: float
    stops_right_seen: float
    arrival_right: float
    arrival_unknown: float
    arrival_wrong: float
    green: tuple[float, float]
    violations: int
    certain: int
    uncertain: int
    missed: int
    accused: int
    doubted: int
    junctions: Mapping[str, tuple[float, float, float, float]]


def accuracy_of(level: Level, compared: Compared, network: Network) -> Accuracy:
    """All figures of a level."""
    matched, whole = compared.matched, compared.whole
    reach_m = {(each.zone, lane.number): lane.map_m for each in network.junctions for lane in each.approaches}
    seen = [pair for pair in whole if pair[1].approach_m >= reach_m[pair[0].zone, pair[0].lane] - _SEEN_M]
    ran = [found for true, found in matched if true.violation]
    obeyed = [found for true, found in matched if not true.violation]
    return Accuracy(
        level=level,
        crossings=len(compared.pairs),
        matched=len(matched),
        surplus=compared.surplus,
        lane_right=_share(matched, lambda true, found: true.lane == found.lane),
        seen_whole=len(seen) / max(1, len(whole)),
        every=_errors(whole),
        seen=_errors(seen),
        stops_right=_share(whole, lambda true, found: true.stops == len(found.stops)),
        stops_right_seen=_share(seen, lambda true, found: true.stops == len(found.stops)),
        arrival_right=_share(whole, lambda true, found: true.arrival == found.arrival),
        arrival_unknown=_share(whole, lambda _, found: found.arrival == "unknown"),
        arrival_wrong=_share(whole, lambda true, found: found.arrival not in ("unknown", true.arrival)),
        green=_green(whole),
        violations=sum(true.violation for true, _ in compared.pairs),
        certain=sum(each.violation == "certain" for each in ran),
        uncertain=sum(each.violation == "uncertain" for each in ran),
        missed=sum(each.violation == "none" for each in ran),
        accused=sum(each.violation == "certain" for each in obeyed),
        doubted=sum(each.violation == "uncertain" for each in obeyed),
        junctions={
            each.zone: _means([pair for pair in whole if pair[0].zone == each.zone]) for each in network.junctions
        },
    )


def _share(pairs: Matched, holds: Callable[[Truth, Passage], bool]) -> float:
    return sum(holds(*pair) for pair in pairs) / max(1, len(pairs))


def _errors(pairs: Matched) -> dict[str, Errors]:
    differences = {name: [of(*pair) for pair in pairs] for name, of in QUANTITIES.items()}
    return {name: errors_of(each for each in found if each is not None) for name, found in differences.items()}


def _green(pairs: Matched) -> tuple[float, float]:
    """Arrivals on green, found and true: the share of those of which the arrival is known."""
    known = [found for _, found in pairs if found.arrival != "unknown"]
    share = sum(found.arrival == "green" for found in known) / max(1, len(known))
    return share, _share(pairs, lambda true, _: true.arrival == "green")


def _means(pairs: Matched) -> tuple[float, float, float, float]:
    """Of a junction: mean delay found and true, stops a vehicle found and true."""
    delays = [found.delay_s for _, found in pairs if found.delay_s is not None]
    number = max(1, len(pairs))
    return (
        fsum(delays) / max(1, len(delays)),
        fsum(true.delay_s for true, _ in pairs) / number,
        sum(len(found.stops) for _, found in pairs) / number,
        sum(true.stops for true, _ in pairs) / number,
    )


def tables(levels: Sequence[Accuracy]) -> str:
    """Markdown."""
    parts = [
        _table("found", _FOUND, levels),
        *(_table(f"{name}, s", _seconds(name), levels) for name in QUANTITIES),
        _table("stops and arrivals", _ARRIVALS, levels),
        _table("red light violations", _VIOLATIONS, levels),
        _table("means of a junction", _JUNCTIONS, levels),
    ]
    return "\n".join(parts)


Column = tuple[str, Callable[[Accuracy], str]]


def _table(title: str, columns: Sequence[Column], levels: Sequence[Accuracy]) -> str:
    rows = [["disturbance", *(name for name, _ in columns)], ["---", *("---:" for _ in columns)]]
    rows += [[each.level.name, *(show(each) for _, show in columns)] for each in levels]
    lines = "".join(f"| {' | '.join(row)} |\n" for row in rows)
    return f"### {title[0].upper()}{title[1:]}\n\n{lines}"


def _percent(share: float) -> str:
    return f"{100 * share:.1f} %"


def _seconds(name: str) -> Sequence[Column]:
    def of(each: Accuracy, kind: str, part: str) -> str:
        errors: Errors = getattr(each, kind)[name]
        return f"{getattr(errors, part):+.2f}" if part == "bias" else f"{getattr(errors, part):.2f}"

    named = (("bias", "bias"), ("mean error", "mean"), ("95 % below", "p95"))
    return [
        (f"{title}{suffix}", lambda each, kind=kind, part=part: of(each, kind, part))  # type: ignore[misc]
        for kind, suffix in (("seen", ""), ("every", ", all"))
        for title, part in named
    ]


_FOUND: Final[Sequence[Column]] = (
    ("crossings", lambda each: str(each.crossings)),
    ("found", lambda each: _percent(each.matched / max(1, each.crossings))),
    ("found twice", lambda each: str(each.surplus)),
    ("right lane", lambda each: _percent(each.lane_right)),
    ("one name on the whole approach", lambda each: _percent(each.seen_whole)),
)
_ARRIVALS: Final[Sequence[Column]] = (
    ("stops right", lambda each: _percent(each.stops_right_seen)),
    ("stops right, all", lambda each: _percent(each.stops_right)),
    ("arrival right", lambda each: _percent(each.arrival_right)),
    ("unknown", lambda each: _percent(each.arrival_unknown)),
    ("wrong", lambda each: _percent(each.arrival_wrong)),
    ("on green, found", lambda each: _percent(each.green[0])),
    ("on green, true", lambda each: _percent(each.green[1])),
)
_VIOLATIONS: Final[Sequence[Column]] = (
    ("happened", lambda each: str(each.violations)),
    ("certain", lambda each: str(each.certain)),
    ("uncertain", lambda each: str(each.uncertain)),
    ("missed", lambda each: str(each.missed)),
    ("certain, but none", lambda each: str(each.accused)),
    ("uncertain, but none", lambda each: str(each.doubted)),
)


def _apart(each: Accuracy, found: int) -> list[float]:
    return [abs(means[found] - means[found + 1]) for means in each.junctions.values()]


_JUNCTIONS: Final[Sequence[Column]] = (
    ("mean delay, s, true", lambda each: f"{fsum(m[1] for m in each.junctions.values()) / len(each.junctions):.1f}"),
    ("found", lambda each: f"{fsum(m[0] for m in each.junctions.values()) / len(each.junctions):.1f}"),
    ("worst junction off by", lambda each: f"{max(_apart(each, 0)):.1f}"),
    ("stops a vehicle, true", lambda each: f"{fsum(m[3] for m in each.junctions.values()) / len(each.junctions):.2f}"),
    ("found", lambda each: f"{fsum(m[2] for m in each.junctions.values()) / len(each.junctions):.2f}"),
    ("worst junction off by", lambda each: f"{max(_apart(each, 2)):.2f}"),
)
