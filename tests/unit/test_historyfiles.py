"""Files become rows that say everything: steps, offsets, identifiers, line numbers; nothing is guessed that matters."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.energy import IntervalEnergy, OutdoorTemperature
from schemas.envelope import AnyRecord
from services.ingest.historyfiles import FORMATS, FileProblem, open_history
from services.ingest.normalise import Outcome
from tests.cases import PROFILES, normaliser

PARIS = ZoneInfo("Europe/Paris")
NOW = datetime(2026, 10, 28, 8, tzinfo=UTC)
NORMALISE = normaliser(PARIS, {})
HEAD = (
    "Identifiant PRM;Type de donnees;Date de debut;Date de fin;Grandeur physique;Grandeur metier;Etape metier;Unite\n"
    "01234567890123;Courbe de charge;26/10/2025;27/10/2025;Energie active;Consommation;Comptage Brut;W\n"
    "\nHorodate;Valeur\n"
)


def _outcomes(text: str | bytes, device: str | None = None) -> Iterator[tuple[int, Outcome]]:
    content = text if isinstance(text, bytes) else text.encode()
    for row in open_history(content).rows(device, NOW, PARIS):
        yield row.line, NORMALISE(row.message)


def _records(text: str, device: str | None = None) -> list[AnyRecord]:
    return [event.record for _, outcome in _outcomes(text, device) for event in outcome.events]


def _energies(text: str, device: str | None = None) -> list[IntervalEnergy]:
    return [record for record in _records(text, device) if isinstance(record, IntervalEnergy)]


def _curve(start: datetime, end: datetime, step: timedelta, *, offsets: bool = True, watts: int = 500) -> str:
    """A file over [start, end), each row with the end of its step."""
    lines = []
    at = start + step
    while at <= end:
        local = at.astimezone(PARIS)
        lines.append(f"{(local if offsets else local.replace(tzinfo=None)).isoformat()};{watts}\n")
        at += step
    return HEAD + "".join(lines)


@pytest.mark.parametrize("offsets", [True, False])
@pytest.mark.parametrize(
    ("day", "half_hours"), [((2025, 10, 26), 50), ((2025, 3, 30), 46), ((2026, 1, 5), 48)], ids=["50", "46", "48"]
)
def test_a_day_has_all_its_half_hours(day: tuple[int, int, int], half_hours: int, *, offsets: bool) -> None:
    """Each half hour of a local day is one interval beside the next, with offsets and without."""
    start = datetime(*day, tzinfo=PARIS)
    following = (start + timedelta(days=1)).astimezone(UTC)
    file = _curve(start.astimezone(UTC), following, timedelta(minutes=30), offsets=offsets)
    intervals = sorted(_energies(file), key=lambda each: each.start)
    assert len(intervals) == half_hours
    assert intervals[0].start == start.astimezone(UTC)
    assert intervals[-1].end == following
    assert all(one.end == other.start for one, other in pairwise(intervals))
    assert sum(each.value for each in intervals) == pytest.approx(half_hours * 0.25)


def test_the_newest_row_may_come_first() -> None:
    """A file that counts backwards through the hour that occurs twice gives the same intervals."""
    start, end = datetime(2025, 10, 25, 22, tzinfo=UTC), datetime(2025, 10, 26, 23, tzinfo=UTC)
    file = _curve(start, end, timedelta(minutes=30), offsets=False)
    head, rows = file[: len(HEAD)], file[len(HEAD) :].splitlines()
    backwards = head + "\n".join(reversed(rows))
    assert {each.start for each in _energies(backwards)} == {each.start for each in _energies(file)}


@pytest.mark.parametrize("minutes", [10, 15, 30, 60])
def test_the_step_is_that_of_the_neighbours(minutes: int) -> None:
    """Enedis does not say the step; a step that is missing makes none longer."""
    start = datetime(2026, 1, 5, tzinfo=UTC)
    lines = _curve(start, start + timedelta(hours=12), timedelta(minutes=minutes)).splitlines(keepends=True)
    del lines[8]
    assert {each.end - each.start for each in _energies("".join(lines))} == {timedelta(minutes=minutes)}


def test_a_meter_whose_step_changes_keeps_its_energy() -> None:
    """From hours to half hours: the last hour is an hour."""
    start, change, end = (datetime(2026, 1, 5, hour, tzinfo=UTC) for hour in (0, 6, 12))
    hours = _curve(start, change, timedelta(hours=1))
    halves = _curve(change, end, timedelta(minutes=30))[len(HEAD) :]
    assert sum(each.value for each in _energies(hours + halves)) == pytest.approx(12 * 0.5)


def test_a_bad_row_is_refused_by_its_line_and_the_others_are_read() -> None:
    """The number of the line is that of the file."""
    file = HEAD + "2026-01-05T00:30:00+01:00;400\nnot a time;400\n2026-01-05T01:30:00+01:00;400;x;y\n"
    outcomes = dict(_outcomes(file))
    assert [line for line, outcome in outcomes.items() if outcome.rejected is not None] == [6, 7]
    assert len(outcomes) == 3


def test_the_same_rows_in_another_file_are_the_same_events() -> None:
    """The period that a file says of itself is no part of its rows: overlapping exports agree."""
    rows = "2026-01-05T00:30:00+01:00;400\n2026-01-05T01:00:00+01:00;410\n"
    other = HEAD.replace("26/10/2025", "01/01/2026").replace("27/10/2025", "01/02/2026")
    ids = [[e.id for _, outcome in _outcomes(head + rows) for e in outcome.events] for head in (HEAD, other)]
    assert ids[0] == ids[1]
    assert len(set(ids[0])) == 2


def test_two_meters_and_two_tariffs_of_one_file_keep_their_own_hours() -> None:
    """In the hour that occurs twice the rows of one series say nothing of another."""
    lines = ["device;register;start;end;value;unit"]
    for start, end in (("01:00", "02:00"), ("02:00", "02:00"), ("02:00", "03:00")):
        for device, register in (("a:1", "HC"), ("a:1", "HP"), ("b:2", "HC")):
            lines.append(f"{device};{register};2025-10-26T{start}:00;2025-10-26T{end}:00;1;kWh")
    intervals = _energies("\n".join(lines))
    assert len(intervals) == 9
    assert {each.end - each.start for each in intervals} == {timedelta(hours=1)}


def test_a_collection_of_several_homes_has_everything_in_its_rows() -> None:
    """The flows for third parties name the delivery point, the unit and the step (PT30M) in each row."""
    columns = "Identifiant PRM;Grandeur physique;Grandeur metier;Unite;Horodate;Valeur;Nature;Pas"
    rows = [
        f"{prm};PA;{what};W;2026-01-05T00:30:00+01:00;1200;B;PT30M"
        for prm, what in (("01234567890123", "CONS"), ("01234567890123", "PROD"), ("09876543210987", "CONS"))
    ]
    file = open_history("\n".join([columns, *rows]).encode())
    assert file.identifiers() == ["01234567890123", "09876543210987"]
    intervals = _energies("\n".join([columns, *rows]))
    assert [each.quantity for each in intervals] == ["import_energy", "export_energy", "import_energy"]
    assert len({each.meter for each in intervals}) == 2
    assert {each.value for each in intervals} == {0.6}


def test_older_exports_in_windows_1252_are_read() -> None:
    """Accents of column names and a byte order mark do not matter."""
    text = "N° PCE;Date de relevé;Energie consommée (kWh)\n21400000000341;05/01/2026;81\n"
    for content in (text.encode("cp1252"), text.encode(), b"\xef\xbb\xbf" + text.encode()):
        ((_, outcome),) = _outcomes(content)
        (event,) = outcome.events
        assert isinstance(event.record, IntervalEnergy)
        assert event.record.value == 81


def test_the_calendar_behind_the_indexes_is_no_row() -> None:
    """Enedis puts the supplier's calendar below them."""
    file = (
        "Identifiant PRM;Type de donnees;Unite\n01234567890123;Index;Wh\n"
        "Horodate;Type de releve;EAS F1;EAS T\n2026-04-01T01:00:00+02:00;Arrêté quotidien;11538434;28150685\n"
        "Periode;Identifiant calendrier fournisseur\nDu 2026-04-12T00:00:00+01:00 au;AA000000\n"
    )
    ((line, outcome),) = _outcomes(file)
    assert line == 4
    assert outcome.rejected is None


def test_temperatures_are_read_at_their_station() -> None:
    """An outdoor temperature has no home."""
    (record,) = _records("station,time,value\nbordeaux,2026-01-05T06:00:00Z,-2.4\n")
    assert isinstance(record, OutdoorTemperature)
    assert (record.station, record.temperature_degc) == ("bordeaux", -2.4)


def test_a_file_of_no_known_format_is_refused_with_what_is_known() -> None:
    """Also one whose columns are those of another format than the one that was named."""
    with pytest.raises(FileProblem, match="saved as CSV"):
        open_history(b"PK\x03\x04 a spreadsheet")
    with pytest.raises(FileProblem, match="those of temperature, not of grdf"):
        open_history(b"station;time;value\n", "grdf")


def test_the_example_of_the_own_format_is_read() -> None:
    """As its page shows it."""
    outcomes = list(_outcomes((PROFILES / "garonne_csv/example.csv").read_bytes()))
    assert len(outcomes) == 5
    assert all(outcome.rejected is None for _, outcome in outcomes)


@given(
    content=st.binary(max_size=300), head=st.sampled_from([HEAD, "station;time;value\n", "value;unit;start;end\n", ""])
)
def test_whatever_a_file_holds_its_rows_are_accounted_for(content: bytes, head: str) -> None:
    """Any bytes give rows with one of three ends, or the file is refused as a whole."""
    try:
        file = open_history(head.encode() + content)
    except FileProblem:
        return
    assert file.form in FORMATS
    rows = list(file.rows("a:b", NOW, PARIS))
    assert len(rows) == len(file)
    for row in rows:
        outcome = NORMALISE(row.message)
        assert outcome.rejected is None or outcome.rejected.reason != "profile_fault"
