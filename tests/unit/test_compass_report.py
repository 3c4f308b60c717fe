"""What a traffic engineer is told of a town of known truth: the same by a slow second way, in every format."""

import asyncio
import csv
import json
from collections import defaultdict
from collections.abc import Callable, Iterable
from html.parser import HTMLParser
from itertools import chain
from pathlib import Path
from statistics import fmean
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from services.aggregator.report.compass_words import COMPASS_WORDS
from services.aggregator.report.model import report_schema
from services.reporting import ReportProblem, make_report
from tests.compass_town import FIRST, PLACES, CompassTown, Passing, build_compass_town

QUIET = PLACES[4][0]
"""The last of five junctions: three vehicles a day."""

Told = dict[str, Path]


@pytest.fixture(scope="module")
def town(tmp_path_factory: pytest.TempPathFactory) -> CompassTown:
    """Five junctions, two weeks, the service comes after the first."""
    folder = tmp_path_factory.mktemp("compass")
    return asyncio.run(build_compass_town(folder, junctions=5, days=14, a_day=40, quiet=1))


@pytest.fixture(scope="module")
def told(town: CompassTown) -> Told:
    """The report in French and its other formats."""
    return _report(town, "fr")


def _report(town: CompassTown, language: str) -> Told:
    formats = ("html", "json", "csv", "ngsi-ld")
    paths = asyncio.run(
        make_report(
            town.settings,
            start=FIRST,
            end=town.end,
            baseline_start=None,
            baseline_end=None,
            language="en" if language == "en" else "fr",
            formats=formats,
            folder=town.folder / "report",
            wanted=("compass4d",),
        )
    )
    return dict(zip(formats, paths, strict=True))


def entries(told: Told, kpi: str) -> dict[tuple[str, str], dict[str, Any]]:
    """Entries by variant and subject."""
    data = json.loads(told["json"].read_text("utf-8"))
    return {(each["variant"], each["subject"]["id"]): each for each in data["entries"] if each["kpi"] == kpi}


def shown(town: CompassTown, wanted: Callable[[Passing], bool] = lambda _: True) -> list[Passing]:
    """What may be told: days of junctions with five different vehicles, counted one by one."""
    vehicles: dict[tuple[str, Any], set[int]] = defaultdict(set)
    for each in town.passings:
        vehicles[each.junction, each.day].add(each.vehicle)
    return [each for each in town.passings if len(vehicles[each.junction, each.day]) >= 5 and wanted(each)]


MEASURES: dict[str, Callable[[Passing], float]] = {
    "delay": lambda each: each.delay_s,
    "stops": lambda each: each.stops,
    "idle": lambda each: round(0.5 * each.delay_s * bool(each.stops), 3),
    "green": lambda each: 100.0 * each.green,
    "violations": lambda each: 1000.0 * each.violation,
    "co2": lambda each: round(60 + 1.2 * each.delay_s, 3),
}


@pytest.mark.parametrize("variant", MEASURES)
def test_a_slow_second_way_says_the_same(town: CompassTown, told: Told, variant: str) -> None:
    """Passage by passage, of each junction, of the corridor and of all."""
    found = entries(told, "junction_passages")
    of = MEASURES[variant]
    places: dict[str, Iterable[str]] = {name: [name] for name, *_ in PLACES[:4]}
    places |= {"boulevards": ["33:1004", "33:1005"], "compass4d": [name for name, *_ in PLACES[:5]]}
    for subject, names in places.items():
        truth = [of(each) for each in shown(town, lambda each, names=names: each.junction in names)]  # type: ignore[misc]
        entry = found[variant, subject]
        assert entry["value"] == pytest.approx(fmean(truth), abs=1e-9)
        assert entry["population"] == len(truth)
        assert entry["interval"]["low"] <= entry["value"] <= entry["interval"]["high"]
        assert entry["fingerprint"]


def test_before_and_after_find_what_the_service_did(town: CompassTown, told: Told) -> None:
    """Four seconds less delay for all, three more for buses: the second way agrees, zero is left out."""
    entry = entries(told, "service_before_after")["delay", "compass4d"]
    before, after = (
        fmean(each.delay_s for each in shown(town, lambda each, on=on: (each.day >= town.switched) == on))  # type: ignore[misc]
        for on in (False, True)
    )
    assert entry["comparison"]["baseline_amount"] == pytest.approx(before)
    assert entry["comparison"]["reported_amount"] == pytest.approx(after)
    assert entry["value"] == pytest.approx(after - before)
    assert entry["interval"]["high"] < 0
    assert entry["comparison"]["period"]["start"] == str(FIRST)
    assert entry["period"]["start"] == str(town.switched)


def test_with_and_without_compare_the_days_with_the_service(town: CompassTown, told: Told) -> None:
    """Buses against cars on the same days, only those on which the service was on."""
    entry = entries(told, "service_with_without")["delay", "compass4d"]
    on = shown(town, lambda each: each.day >= town.switched)
    buses, cars = (fmean(each.delay_s for each in on if each.station == name) for name in ("bus", "car"))
    assert entry["value"] == pytest.approx(buses - cars)
    assert entry["interval"]["high"] < 0


def test_hazards_are_compared_before_and_after(town: CompassTown, told: Told) -> None:
    """From the store to the report: one hazard a day before and after, eight vehicles warned; nothing changed."""
    found = entries(told, "service_before_after")
    for subject in ("33:1001", "compass4d"):
        duration = found["duration", subject]
        minutes = [10 + number % 7 for number in range(town.days)]
        half = town.days // 2
        assert duration["comparison"]["baseline_amount"] == pytest.approx(60 * fmean(minutes[:half]))
        assert duration["comparison"]["reported_amount"] == pytest.approx(60 * fmean(minutes[half:]))
        for variant in ("duration", "dissemination", "speed_response", "speed_unwarned"):
            entry = found[variant, subject]
            assert entry["interval"]["low"] <= entry["value"] <= entry["interval"]["high"]
        assert found["speed_response", subject]["comparison"]["reported_amount"] == pytest.approx(-3.0, abs=0.4)
    exposure = found["exposure", "33:1001"]["comparison"]
    assert exposure["baseline_amount"] == exposure["reported_amount"] == 8
    assert ("duration", "33:1002") not in found


def test_warned_drivers_are_compared_with_unwarned_ones(told: Told) -> None:
    """Three metres a second slower against half a one: the difference is clear, and the page says it in words."""
    for subject in ("33:1001", "compass4d"):
        entry = entries(told, "service_with_without")["warned_response", subject]
        assert entry["value"] == pytest.approx(-2.5, abs=0.4)
        assert entry["interval"]["high"] < 0
    assert "alertés moins non alertés" in told["html"].read_text("utf-8")


def test_a_quiet_junction_is_told_nowhere(told: Told) -> None:
    """Three vehicles a day: no figure, the reason is said, and its passages are in no sum."""
    for kpi in ("junction_passages", "service_before_after", "service_with_without"):
        for (variant, subject), entry in entries(told, kpi).items():
            if subject == QUIET and variant not in {"requests", "granted", "time_to_grant", "time_to_answer"}:
                assert entry["status"] == "not_assessed" or entry["variant"] in {"prediction_error", "foretold"}
    assert entries(told, "junction_passages")["stops", "compass4d"]["population"] == 4 * 14 * 40
    assert "Moins de cinq véhicules" in told["html"].read_text("utf-8")


def test_priority_signals_and_hazards_are_told(town: CompassTown, told: Told) -> None:
    """Each with its unit; a warning's response beside that of those who were not warned."""
    requests = entries(told, "priority_requests")
    assert requests["requests", "33:1001"]["value"] == 8
    assert 50 < requests["granted", "compass4d"]["value"] < 90
    assert entries(told, "signal_predictions")["foretold", "33:1001"]["value"] == 100
    hazards = entries(told, "hazard_warnings")
    assert hazards["hazards", "compass4d"]["value"] == town.days
    assert hazards["exposure", "33:1001"]["value"] == 8 * town.days
    assert hazards["speed_response", "compass4d"]["value"] == pytest.approx(-3.0, abs=0.4)
    assert hazards["speed_unwarned", "compass4d"]["value"] == pytest.approx(-0.5, abs=0.4)


def test_every_format_has_the_values(town: CompassTown, told: Told) -> None:
    """JSON by its schema, CSV, NGSI-LD, and the series for dashboards."""
    data = json.loads(told["json"].read_text("utf-8"))
    assert list(Draft202012Validator(report_schema()).iter_errors(data)) == []
    assert [site["id"] for site in data["sites"]] == [name for name, *_ in PLACES[:5]]
    entry = entries(told, "junction_passages")["delay", "boulevards"]
    rows = list(csv.DictReader(told["csv"].read_text("utf-8").splitlines()))
    (row,) = [
        each
        for each in rows
        if (each["variant"], each["subject_id"]) == ("delay", "boulevards") and each["indicator"] == "junction_passages"
    ]
    assert float(row["value"]) == pytest.approx(entry["value"])
    assert row["subject_kind"] == "corridor"
    entities = json.loads(told["ngsi-ld"].read_text("utf-8"))
    assert len({each["id"] for each in entities}) == len(entities)
    (found,) = [each for each in entities if ":junction_passages:delay:corridor:boulevards:" in each["id"]]
    assert found["kpiValue"]["value"] == pytest.approx(entry["value"])
    assert found["kpiValue"]["unitCode"] == "SEC"
    stored = asyncio.run(_stored(town, "junction_passages.delay"))
    assert stored["boulevards"] == pytest.approx(entry["value"])
    assert QUIET not in stored


async def _stored(town: CompassTown, name: str) -> dict[str, float]:
    async with town.store() as store:
        rows = await store.select("kpi", tags={"kpi": name})
        return {row.tags["subject"]: float(row.fields["value"]) for row in rows if row.fields["assessed"]}


class _Page(HTMLParser):
    """Elements, and the text of each table."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note it."""
        self.found.append((tag, dict(attrs)))


@pytest.mark.parametrize("language", ["fr", "en"])
def test_the_map_can_be_read_without_seeing_it(town: CompassTown, told: Told, language: str) -> None:
    """It has a title and a description, loads nothing, and the table beside it names each junction with its number."""
    text = (told if language == "fr" else _report(town, "en"))["html"].read_text("utf-8")
    section = text[text.index('<section id="effects"') : text.index("</section>", text.index('<section id="effects"'))]
    page = _Page(section)
    maps = [each for tag, each in page.found if tag == "svg" and "junction-map" in (each.get("aria-labelledby") or "")]
    assert len(maps) == 2, "for desk and phone"
    ids = {each["id"] for _, each in page.found if "id" in each}
    for each in maps:
        assert each["role"] == "img"
        assert set((each["aria-labelledby"] or "").split()) <= ids
    loads = [
        each for _, each in page.found for name in ("src", "href", "xlink:href") if (each.get(name) or "#")[0] != "#"
    ]
    assert loads == []
    for number, (_, name, *_) in enumerate(PLACES[:4], 1):
        assert f"{number}. {name}".replace("'", "&#39;") in section
    assert "Les &lt;boulevards&gt;" in section
    for word in ("before_after", "with_without", "priority", "warnings", "signals"):
        assert COMPASS_WORDS[word].in_language("fr" if language == "fr" else "en") in section


def test_the_words_are_there_in_both_languages() -> None:
    """And none is a copy of the other where it is a sentence."""
    for name, text in COMPASS_WORDS.items():
        assert text.en
        assert text.fr
        assert " " not in text.en or len(text.en) < 25 or text.en != text.fr, name


def test_no_vehicle_is_named_anywhere(town: CompassTown, told: Told) -> None:
    """Neither a bit nor a digest of one leaves the sums of hours."""
    texts = [path.read_text("utf-8") for path in told.values()]
    assert not any("crowd" in each for each in texts)
    vehicles = {str(each.vehicle) for each in town.passings if each.vehicle >= 10_000}
    words = set(chain.from_iterable(text.replace('"', " ").split() for text in texts))
    assert not vehicles & words


def test_a_wrong_file_of_service_periods_is_a_problem_that_can_be_mended(town: CompassTown, tmp_path: Path) -> None:
    """The report says which file, which key and what is wrong."""
    wrong = tmp_path / "periods.toml"
    wrong.write_text('edition = "1"\n[[periods]]\nservice = "off"\n', "utf-8")
    settings = town.settings.model_copy(update={"service_periods_file": wrong})
    with pytest.raises(ReportProblem, match=r"service_periods_file .*periods\.0\.first"):
        asyncio.run(
            make_report(
                settings,
                start=FIRST,
                end=town.end,
                baseline_start=None,
                baseline_end=None,
                language="fr",
                formats=("json",),
                folder=tmp_path / "report",
                wanted=("compass4d",),
            )
        )
