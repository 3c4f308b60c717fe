"""Hours and days of junctions: sums of the points of minutes, so that a year is read in seconds (docs/adr/0027). Pure.

The points of passages, signals and priority requests only grow (docs/adr/0023), so a sum over those of an hour is a
function of the log as they are. Sums are whole numbers of thousandths, and squares of millionths: no order of
additions changes them.
"""

import hashlib
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Final, NamedTuple

from services.aggregator.ports import FieldValue, Point, Row

__all__ = [
    "COLUMNS",
    "HOUR_MS",
    "KINDS",
    "Hour",
    "RowKey",
    "Sums",
    "crowd_bit",
    "hour_point",
    "sums_from",
    "sums_of_day",
]

HOUR_MS: Final = 3_600_000
KINDS: Final = ("passage", "priority", "signal")
_QUARTER_NS: Final = 900_000_000_000
_MINUTE_NS: Final = 60_000_000_000
_CROWD_BITS: Final = 62
_DAY_MS: Final = 86_400_000
_THOUSANDTHS: Final = 1000
_MILLIONTHS: Final = 1_000_000
_EVERYTHING: Final = "all"
_ADVICE: Final = ("none", "received")

Fields = Mapping[str, FieldValue]

Place = tuple[str, str, str]
"""Kind, junction, and the window `1h` or `1d`."""

RowKey = tuple[str, str]
"""The group (station class, role, or `all`), and whether advice was `received`, or `none`."""


class Sums(NamedTuple):
    """What an hour or a day holds of a group: a whole number for each column; and what is no sum.

    `at_once` is the greatest number of different vehicles that a quarter of an hour is known to have had. `crowd` are
    bits of an hour: each vehicle that was heard sets one, by a digest that many share, so that there were as many
    vehicles as bits at least, and no bit tells which (62 of them; of a day only their number is kept, in `heard`).
    """

    columns: tuple[int, ...]
    at_once: int = 0
    crowd: int = 0
    heard: int = 0
    minutes_heard: int = 0


def crowd_bit(zone: str, vehicle: str) -> int:
    """The bit of a vehicle at a junction, by its pseudonym of the day."""
    return 1 << int.from_bytes(hashlib.sha256(f"crowd|{zone}|{vehicle}".encode()).digest()[:8], "big") % _CROWD_BITS


class _Column(NamedTuple):
    name: str
    scale: int
    of: Callable[[Fields], int]


def _count(name: str) -> _Column:
    return _Column(name, 1, lambda fields: int(fields.get(name, 0)))


def _amount(name: str) -> _Column:
    return _Column(name, _THOUSANDTHS, lambda fields: _thousandths(fields, name))


def _square(name: str, source: str) -> _Column:
    """Of the sum of a point: of two passages in one point that is more than of each, so spreads are never too small."""
    return _Column(name, _MILLIONTHS, lambda fields: _thousandths(fields, source) ** 2)


def _thousandths(fields: Fields, name: str) -> int:
    return round(float(fields.get(name, 0.0)) * _THOUSANDTHS)


_ARRIVALS: Final = ("arrival_amber", "arrival_green", "arrival_red", "arrival_stopped", "arrival_unknown")
COLUMNS: Final[Mapping[str, tuple[_Column, ...]]] = {
    "passage": (
        *map(_count, ("passages", "stops", "violations", "violations_uncertain", *_ARRIVALS)),
        *map(_count, ("delay_known", "advice_known", "estimated")),
        *map(_amount, ("delay_s", "stopped_s", "idle_s", "advice_followed", "co2_estimated_g", "fuel_estimated_g")),
        _square("stops_squares", "stops"),
        _square("delay_squares", "delay_s"),
        _square("stopped_squares", "stopped_s"),
        _square("idle_squares", "idle_s"),
        _square("advice_squares", "advice_followed"),
        _square("co2_squares", "co2_estimated_g"),
        _square("fuel_squares", "fuel_estimated_g"),
    ),
    "priority": (
        *map(_count, ("requests", "updates", "granted", "rejected", "unanswered", "cancelled", "answered")),
        *map(_amount, ("granted_s", "answered_s")),
        _square("granted_squares", "granted_s"),
        _square("answered_squares", "answered_s"),
    ),
    "signal": (*map(_count, ("changes", "foretold", "messages")), _amount("error_s")),
}


class _Part(NamedTuple):
    """What one point of a minute adds, to which group, and how many vehicles it is the first passage of."""

    row: RowKey
    columns: tuple[int, ...]
    first_passages: int


class Hour:
    """The sums of one hour of one junction and kind, and what each point of a minute adds to them."""

    def __init__(self, kind: str) -> None:
        self._kind = kind
        self._parts: dict[tuple[tuple[tuple[str, str], ...], int], _Part] = {}
        self._columns: dict[RowKey, list[int]] = {}
        self._firsts: dict[RowKey, list[int]] = defaultdict(lambda: [0, 0, 0, 0])
        self._minutes: dict[RowKey, set[int]] = defaultdict(set)

    def __len__(self) -> int:
        return len(self._parts)

    def put(self, points: Iterable[tuple[tuple[tuple[str, str], ...], int, Fields]]) -> set[RowKey]:
        """Take points, each in place of what it said before; gives the groups that they belong to.

        Args:
            points: tags by name, Unix nanoseconds, fields.
        """
        touched: set[RowKey] = set()
        for tags, time_ns, fields in points:
            part = self._part(dict(tags), fields)
            quarter = time_ns // _QUARTER_NS % 4
            before = self._parts.get((tags, time_ns))
            if before is not None:
                self._add(before, quarter, -1)
                touched |= self._rows(before.row)
            self._parts[tags, time_ns] = part
            self._add(part, quarter, 1)
            self._minutes[part.row].add(time_ns // _MINUTE_NS)
            touched |= self._rows(part.row)
        return touched

    def _part(self, tags: Mapping[str, str], fields: Fields) -> _Part:
        columns = tuple(column.of(fields) for column in COLUMNS[self._kind])
        if self._kind == "passage":
            advice = _ADVICE[bool(fields.get("advice_known", 0))]
            return _Part((tags.get("station", "unknown"), advice), columns, int(fields.get("first_passages", 0)))
        return _Part((tags.get("role", _EVERYTHING), _ADVICE[0]), columns, 0)

    def _rows(self, row: RowKey) -> set[RowKey]:
        """Both rows of a station class are there as soon as one is: a passage can come to have had advice later."""
        return {(row[0], advice) for advice in _ADVICE} if self._kind == "passage" else {row}

    def _add(self, part: _Part, quarter: int, sign: int) -> None:
        sums = self._columns.setdefault(part.row, [0] * len(part.columns))
        for number, value in enumerate(part.columns):
            sums[number] += sign * value
        self._firsts[part.row][quarter] += sign * part.first_passages

    def sums(self, crowds: Mapping[str, int]) -> dict[RowKey, Sums]:
        """What it holds, by group.

        Args:
            crowds: the bits of those who were heard, by group.
        """
        zeros = [0] * len(COLUMNS[self._kind])
        rows = {row for each in self._columns for row in self._rows(each)}
        return {
            row: Sums(
                tuple(self._columns.get(row, zeros)),
                at_once=max(self._firsts.get(row, (0,))),
                crowd=crowds.get(row[0], 0),
                heard=crowds.get(row[0], 0).bit_count(),
                minutes_heard=len(self._minutes.get(row, ())) if self._kind == "signal" else 0,
            )
            for row in rows
        }


def sums_of_day(hours: Mapping[int, Mapping[RowKey, Sums]]) -> dict[RowKey, Sums]:
    """What the hours of a local day hold together, by Unix milliseconds of their start.

    Pseudonyms change at midnight UTC: of both parts of the day the one with more vehicles counts.
    """
    day: dict[RowKey, Sums] = {}
    crowds: dict[RowKey, dict[int, int]] = defaultdict(lambda: defaultdict(int))
    for start_ms, hour in sorted(hours.items()):
        for row, sums in hour.items():
            before = day.get(row, Sums((0,) * len(sums.columns)))
            crowds[row][start_ms // _DAY_MS] |= sums.crowd
            day[row] = Sums(
                tuple(map(sum, zip(before.columns, sums.columns, strict=True))),
                at_once=max(before.at_once, sums.at_once),
                heard=max(each.bit_count() for each in crowds[row].values()),
                minutes_heard=before.minutes_heard + sums.minutes_heard,
            )
    return day


def hour_point(place: Place, row: RowKey, sums: Sums, start_ms: int) -> Point:
    """The point of an hour or a day of a group."""
    kind, zone, window = place
    group, advice = row
    tags = (("advice", advice), ("group", group), ("kind", kind), ("window", window), ("zone", zone))
    fields: dict[str, FieldValue] = {
        column.name: value if column.scale == 1 else value / column.scale
        for column, value in zip(COLUMNS[kind], sums.columns, strict=True)
    }
    if kind == "signal":
        fields["minutes_heard"] = sums.minutes_heard
    else:
        fields |= {"at_once": sums.at_once, "heard": sums.heard}
        if window == "1h":
            fields["crowd"] = sums.crowd
    return Point("mobility", tags, tuple(sorted(fields.items())), start_ms * 1_000_000)


def sums_from(kind: str, rows: Iterable[Row]) -> Iterator[tuple[int, RowKey, Sums]]:
    """What stored points of hours hold: Unix milliseconds, group, sums; the same as they were made of."""
    for row in rows:
        columns = tuple(round(float(row.fields.get(each.name, 0)) * each.scale) for each in COLUMNS[kind])
        others = (int(row.fields.get(name, 0)) for name in ("at_once", "crowd", "heard", "minutes_heard"))
        key = (row.tags.get("group", _EVERYTHING), row.tags.get("advice", _ADVICE[0]))
        yield row.time_ns // 1_000_000, key, Sums(columns, *others)
