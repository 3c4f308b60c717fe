"""History files to messages: one for each row, that says everything its profile needs. Pure.

What a file says above its rows (delivery point, unit) becomes columns of each row; a load curve that does not say its
step gets it from its neighbours; a local time without offset gets the one that its place in the file gives it, so that
the hour that occurs twice stays two hours. Whatever else is wrong with a row is for the profile to refuse, by itself.
"""

import csv
import io
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Final, NamedTuple
from urllib.parse import quote
from zoneinfo import ZoneInfo

from services.ingest.codecs.csvrow import SEPARATOR, column_name
from services.ingest.profiles import Message

__all__ = ["FORMATS", "FileProblem", "HistoryFile", "Row", "open_history"]

FORMATS: Final = {
    "enedis-load-curve": "enedis_csv",
    "enedis-hourly": "enedis_csv",
    "enedis-daily": "enedis_csv",
    "enedis-index": "enedis_csv",
    "grdf": "grdf_csv",
    "garonne-csv": "garonne_csv",
    "temperature": "temperature_csv",
}
"""Profile by format."""

_IDENTIFIERS: Final = ("identifiant prm", "prm", "n pce", "numero pce", "pce", "device")
_STEPS: Final = frozenset(timedelta(minutes=each) for each in (5, 10, 15, 30, 60))
_PREAMBLE_KEPT: Final = frozenset(
    {"identifiant prm", "unite", "pas en minutes", "grandeur metier", "grandeur physique", "type de donnees"}
)
_SERIES: Final = frozenset({*_IDENTIFIERS, "station", "num_poste", "register", "quantity", "carrier"})
_TIMES: Final = frozenset({"horodate", "start", "end", "time"})


class FileProblem(Exception):
    """The file as a whole cannot be imported; the text says what to do."""


class Row(NamedTuple):
    """A row of a file: its line number, from 1, and its message."""

    line: int
    message: Message


class _Line(NamedTuple):
    number: int
    values: list[str]


class HistoryFile:
    """A file whose format is known."""

    def __init__(self, form: str, names: Sequence[str], lines: Sequence[_Line], fixed: dict[str, str]) -> None:
        self.form = form
        self.profile = FORMATS[form]
        self._names = list(names)
        self._lines = lines
        self._fixed = fixed

    def __len__(self) -> int:
        """Number of rows."""
        return len(self._lines)

    def identifiers(self) -> list[str]:
        """The meters that the file speaks of, in its own words; for temperatures, which have none, empty."""
        named = [self._fixed[each] for each in _IDENTIFIERS if self._fixed.get(each)]
        for column in (i for i, name in enumerate(map(column_name, self._names)) if name in _IDENTIFIERS):
            named += [line.values[column] for line in self._lines if len(line.values) > column and line.values[column]]
        return list(dict.fromkeys(named))

    def rows(self, device: str | None, received_at: datetime, zone: ZoneInfo, *, stamps: str = "end") -> Iterator[Row]:
        """A message for each row.

        Args:
            device: whose rows they are, as the registry writes it; `None`: of the identifier that they name.
            received_at: for all of them.
            zone: of local times without offset.
            stamps: whether the time of a step of a load curve is its `end` or its `start`.
        """
        topic = f"import/{self.profile}/{quote(device, safe=':') if device else '-'}"
        fixed = dict(self._fixed)
        if self.form in {"enedis-load-curve", "enedis-hourly"} and stamps == "start":
            fixed["borne"] = "debut"
        lines = [_Line(line.number, list(line.values)) for line in self._lines]
        self._with_offsets(lines, zone)
        steps = self._steps(lines) if self._needs_steps() else {}
        for line in lines:
            extra = {**fixed, "Pas en minutes": steps[line.number]} if line.number in steps else fixed
            payload = _csv([*extra, *self._names]) + _csv([*extra.values(), *line.values])
            yield Row(line.number, Message(topic, payload.encode("utf-8", "replace"), received_at))

    def _column(self, name: str) -> int | None:
        return next((place for place, each in enumerate(self._names) if column_name(each) == name), None)

    def _needs_steps(self) -> bool:
        known = {column_name(each) for each in (*self._names, *(key for key, value in self._fixed.items() if value))}
        return "horodate" in known and not {"pas en minutes", "pas"} & known and self.form != "enedis-index"

    def _with_offsets(self, lines: Sequence[_Line], zone: ZoneInfo) -> None:
        """Each series of the file has an order of its own: a row of another meter says nothing of this one's hour."""
        names = [column_name(each) for each in self._names]
        series = [place for place, name in enumerate(names) if name in _SERIES]
        by_series: dict[tuple[str, ...], list[_Line]] = {}
        for line in lines:
            key = tuple(line.values[place] for place in series if place < len(line.values))
            by_series.setdefault(key, []).append(line)
        for column in (place for place, name in enumerate(names) if name in _TIMES):
            for some in by_series.values():
                _resolve(some, column, zone)

    def _steps(self, lines: Sequence[_Line]) -> dict[int, str]:
        """Minutes of the step of each line, where it can be told."""
        column = self._column("horodate")
        if column is None:
            return {}
        known = [(each.number, at) for each in lines if (at := _instant(each.values, column)) is not None]
        gaps = [abs(later - earlier) for (_, earlier), (_, later) in pairwise(known)]
        found = {}
        for place, (number, _) in enumerate(known):
            around = [gaps[each] if 0 <= each < len(gaps) else None for each in (place - 2, place - 1, place)]
            step = _step(*around)
            if step is not None:
                found[number] = str(step // timedelta(minutes=1))
        return found


def _step(before_last: timedelta | None, before: timedelta | None, after: timedelta | None) -> timedelta | None:
    """The distance to the time before, if that is usual here; else the shorter one: a missing step is no long step."""
    if before is not None and before in _STEPS and before in {before_last, after}:
        return before
    return min((each for each in (before, after) if each is not None and each in _STEPS), default=None)


def _csv(values: Sequence[str]) -> str:
    written = io.StringIO()
    csv.writer(written, delimiter=SEPARATOR, lineterminator="\n").writerow(
        [" ".join(each.splitlines()) for each in values]
    )
    return written.getvalue()


def _instant(values: Sequence[str], column: int) -> datetime | None:
    try:
        found = datetime.fromisoformat(values[column].strip())
    except (ValueError, IndexError):
        return None
    return found.astimezone(UTC) if found.tzinfo is not None else None


def _resolve(lines: Sequence[_Line], column: int, zone: ZoneInfo) -> None:
    """Write the offset behind local times that exist; in the hour that occurs twice, by the order of the file."""
    naive: list[tuple[_Line, datetime]] = []
    for line in lines:
        try:
            local = datetime.fromisoformat(line.values[column].strip())
        except (ValueError, IndexError):
            continue
        if local.tzinfo is None and len(line.values[column].strip()) > len("2026-01-12") and local.year > 1971:
            naive.append((line, local))
    rising = len(naive) < 2 or naive[0][1] <= naive[-1][1]
    last: datetime | None = None
    for line, local in naive if rising else reversed(naive):
        first, second = (local.replace(tzinfo=zone, fold=fold) for fold in (0, 1))
        exists = first.astimezone(UTC).astimezone(zone).replace(tzinfo=None) == local
        if not exists:
            continue  # an hour that is missing in spring: the profile refuses it
        chosen = second if last is not None and first.astimezone(UTC) <= last else first
        last = chosen.astimezone(UTC)
        line.values[column] = chosen.isoformat()


def open_history(content: bytes, form: str | None = None) -> HistoryFile:
    """Find out what a file is.

    Args:
        content: of the file; UTF-8, or Windows-1252 as older exports are.
        form: of `FORMATS`; `None`: told by the names of the columns.

    Raises:
        FileProblem: not one of the formats, or not the one that was named.
    """
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError:
        text = content.decode("cp1252", "replace")
    separator = max(";,\t", key=text[:4000].count)
    lines: list[_Line] = []
    for number, raw in enumerate(text.splitlines(), start=1):
        if raw.strip():
            lines.append(_Line(number, [each.strip() for each in _split(raw, separator)]))
    fixed: dict[str, str] = {}
    for place, line in enumerate(lines[:20]):
        names = {column_name(each) for each in line.values}
        if names & {"identifiant prm"} and not names & {"horodate", "date"} and place + 1 < len(lines):
            values = lines[place + 1].values
            fixed = {
                column_name(name): value
                for name, value in zip(line.values, values, strict=False)
                if column_name(name) in _PREAMBLE_KEPT and value
            }
        found = _form_of(names, fixed)
        if found is not None:
            return HistoryFile(_agreed(found, form), line.values, _body(lines[place + 1 :], found), fixed)
    raise FileProblem(
        "the columns are not those of a known format: Enedis has Horodate and Valeur (or Date and Valeur), GRDF Date "
        "de relevé and Energie consommée, Garonne's own has start, end, value and unit, temperatures have station, "
        "time and value; a spreadsheet must be saved as CSV first"
    )


def _split(line: str, separator: str) -> list[str]:
    try:
        return next(csv.reader([line], delimiter=separator))
    except (csv.Error, StopIteration):
        return [line]


def _form_of(names: set[str], fixed: dict[str, str]) -> str | None:
    if "horodate" in names and any(each.startswith("eas ") for each in names):
        return "enedis-index"
    if "horodate" in names and "valeur" in names:
        return "enedis-hourly" if fixed.get("unite") in {"Wh", "kWh"} else "enedis-load-curve"
    if "date" in names and any(each.startswith("valeur") for each in names):
        return "enedis-daily"
    if {"energie consommee (kwh)", "volume consomme (m3)"} & names:
        return "grdf"
    if {"station", "time"} <= names or {"num_poste", "aaaammjjhh"} <= names:
        return "temperature"
    return "garonne-csv" if {"value", "unit"} <= names else None


def _agreed(found: str, wanted: str | None) -> str:
    if wanted is None or wanted == found:
        return found
    if wanted in FORMATS and {wanted, found} <= {"enedis-load-curve", "enedis-hourly"}:
        return wanted
    raise FileProblem(f"the columns are those of {found}, not of {wanted}: leave --format out, or look at the file")


def _body(lines: Sequence[_Line], form: str) -> list[_Line]:
    """The rows; the calendar of the supplier that Enedis puts behind its indexes is none."""
    found = []
    for line in lines:
        if form.startswith("enedis") and column_name(line.values[0]) == "periode":
            break
        found.append(line)
    return found
