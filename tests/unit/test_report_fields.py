"""Each result carries all that is needed to trust it, in the JSON and on the page: issue 6, line 2."""

import asyncio
import json
import re
from dataclasses import replace
from datetime import date, timedelta
from html.parser import HTMLParser
from pathlib import Path
from typing import Any, Final

import pytest

from services.aggregator.kpis.disclosure import publishable
from services.aggregator.kpis.results import Language, NotAssessed, Period, Quality, Result, Subject, Text
from services.aggregator.report.model import Assessed, Report
from services.aggregator.report.said import amount, interval_text, target_text, trend_text
from services.aggregator.report.texts import QUALITY, words
from services.aggregator.report.wording import percent, signed_percent
from tests.browser.city import build_full_city, write_report

FIELDS: Final = (
    "period", "comparison", "target", "trend", "coverage", "quality", "interval", "formula", "factor_set",
    "fingerprint", "method_version", "limits",
)  # fmt: skip
ENGLISH: Final[Language] = "en"


class Blocks(HTMLParser):
    """Text by the ids of `method-…`, and within them by subject; and of the whole page."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.whole: list[str] = []
        self.blocks: dict[str, list[str]] = {}
        self.rows: dict[tuple[str, str], list[str]] = {}
        self._block = ""
        self._row: tuple[str, str] | None = None
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """A block or a row begins."""
        del tag
        known = dict(attrs)
        if (name := known.get("id") or "").startswith("method-"):
            self._block = name
        if "data-subject" in known:
            self._row = (self._block, str(known["data-subject"]))

    def handle_endtag(self, tag: str) -> None:
        """A row ends."""
        if tag == "tr":
            self._row = None

    def handle_data(self, data: str) -> None:
        """Text belongs to what it stands in."""
        self.whole.append(data)
        self.blocks.setdefault(self._block, []).append(data)
        if self._row is not None:
            self.rows.setdefault(self._row, []).append(data)


def joined(parts: list[str]) -> str:
    """As a person reads it."""
    return re.sub(r"\s+", " ", " ".join(parts)).strip()


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> tuple[Report, dict[str, Any], Blocks]:
    """The report as it was read back from JSON, its plain data, and the page."""

    async def written() -> list[Path]:
        city = await build_full_city(tmp_path_factory.mktemp("city"))
        return await write_report(city, ENGLISH, ("html", "json"))

    page, data = asyncio.run(written())
    text = data.read_text("utf-8")
    return Report.model_validate_json(text), json.loads(text), Blocks(page.read_text("utf-8"))


def results(report: Report) -> list[Assessed]:
    """Those with a value."""
    return [each for each in report.entries if isinstance(each, Assessed)]


def test_each_result_of_the_json_has_every_field(told: tuple[Report, dict[str, Any], Blocks]) -> None:
    """None is left out; formula, class, fingerprint, version and limits are never empty; a change has its baseline."""
    report, data, _ = told
    plain = [each for each in data["entries"] if each["status"] == "assessed"]
    kpis = {each["kpi"] for each in plain}
    assert {"energy_saving", "ict_footprint", "app_evaluation", "vehicles_per_junction"} <= kpis
    for each in plain:
        assert set(FIELDS) <= each.keys()
        for name in ("quality", "formula", "fingerprint", "method_version", "limits"):
            assert each[name], (each["kpi"], name)
        assert re.fullmatch(r"[0-9a-f]{16}", each["fingerprint"])
        assert each["method_version"].startswith(f"{each['kpi']}/")
        assert each["quality"] in QUALITY
    assert all(each.comparison is None or each.comparison.period.end <= each.period.start for each in results(report))
    assert [each for each in results(report) if each.trend is not None], "the city has three winters"


def test_each_result_stands_on_the_page_with_every_field(told: tuple[Report, dict[str, Any], Blocks]) -> None:
    """What differs from result to result in its own row, what all share above it."""
    report, _, page = told
    text = words(ENGLISH)
    for each in results(report):
        block = f"method-{each.kpi}-{each.variant}".replace("_", "-")
        row, shared = joined(page.rows[block, each.subject.id]), joined(page.blocks[block])
        own = [
            each.subject.label,
            amount(each.value, each.unit, text, ENGLISH),
            interval_text(each, text, ENGLISH),
            str(each.period.start),
            str(each.period.end - timedelta(days=1)),
            percent(100 * each.coverage, ENGLISH, 0),
            each.fingerprint,
            trend_text(each, text, ENGLISH),
        ]
        if each.comparison is not None:
            own.append(str(each.comparison.period.start))
            change = each.comparison.change_percent
            own.append("–" if change is None else signed_percent(change, ENGLISH))
        if each.target is not None:
            own.append(target_text(each.target, ENGLISH, each.unit))
        assert [part for part in own if joined([part]) not in row] == [], (each.kpi, each.variant, row)
        common = [each.formula, QUALITY[each.quality].en, each.method_version, each.factor_set or "none", *each.limits]
        assert [part for part in common if joined([part]) not in shared] == [], (each.kpi, each.variant)


def test_the_citys_goal_its_day_and_its_source_reach_the_result(
    told: tuple[Report, dict[str, Any], Blocks],
) -> None:
    """7.5 % by March 2027, of the council: in the result, in the catalogue, among the facts and on the page."""
    report, _, page = told
    saving = [each for each in results(report) if (each.kpi, each.variant) == ("energy_saving", "raw")]
    assert {each.target.value for each in saving if each.target is not None} == {7.5}
    assert {each.target.due for each in saving if each.target is not None} == {date(2027, 3, 31)}
    row = next(each for each in report.catalogue if each.slug == "ck.p.planet.final-energy-red")
    assert row.target is not None
    assert row.target.value == 7.5
    assert report.entered is not None
    assert {each.name for each in report.entered.quantities} >= {"population", "ict_baseline_kgco2e_per_year"}
    text = joined(page.whole)
    for part in ("conseil du 12 mai 2025", "7.5%", "31 March 2027", "265,328 people", "INSEE, recensement"):
        assert part in text, part
    assert "goal of 8%" not in text, "a goal is not rounded to another goal"


def test_the_charter_tells_four_commitments_and_what_nobody_entered(
    told: tuple[Report, dict[str, Any], Blocks],
) -> None:
    """Counted, entered or missing: each statement says which; amounts of pilots are those that the gate let out."""
    report, _, page = told
    assert [each.number for each in report.charter] == [1, 2, 3, 4]
    said = {each.title: each for commitment in report.charter for each in commitment.statements}
    assert said["Cities that we work with"].origin == "missing"
    assert said["Cities that we work with"].value is None
    assert (said["Local partners"].origin, said["Local partners"].value) == ("entered", 14)
    assert said["Families that take part"].value == 13
    wanted = ("energy_saving", "degree_days", "programme")
    saving = next(each for each in results(report) if (each.kpi, each.variant, each.subject.kind) == wanted)
    assert saving.comparison is not None
    assert saving.comparison.baseline_amount is not None
    assert saving.comparison.reported_amount is not None
    saved = saving.comparison.baseline_amount - saving.comparison.reported_amount
    pilots = {each.title: each for each in report.charter[2].pilots}
    assert pilots["Familles à énergie positive"].saved_kwh == pytest.approx(saved)
    net = next(each for each in results(report) if each.variant == "net_effect")
    assert net.value == pytest.approx(saved / net.figures["used_kwh"])
    text = joined(page.whole)
    assert "not entered missing" in text
    assert "kWh saved by the families for each kWh used" in text


def test_the_services_own_use_is_read_hour_by_hour(told: tuple[Report, dict[str, Any], Blocks]) -> None:
    """Two processes, 420 and 700 seconds of CPU each hour, over 91 days: by the model, worked out again here."""
    report, _, _ = told
    energy = next(each for each in results(report) if (each.kpi, each.variant) == ("ict_footprint", "energy"))
    hours = 91 * 24
    joules = 2 * 3600 * hours * 0.74 + (420 + 700) * hours * 2.76
    assert energy.coverage == 1.0
    assert energy.figures["events"] == 9000 * hours
    assert energy.value == pytest.approx(joules / 3.6e6 * 1.5 + 420 * 91 / 365)


def test_nothing_is_told_of_an_amount_of_fewer_than_ten_families() -> None:
    """The net effect times the energy used is what the families saved: it passes the gate for amounts."""
    words_of = Text("f", "f")
    net = Result(
        kpi="ict_footprint",
        variant="net_effect",
        subject=Subject("service", "garonne", "Garonne"),
        value=2.0,
        unit="kWh/kWh",
        period=Period(date(2026, 1, 1), date(2026, 2, 1)),
        coverage=1.0,
        population=10,
        quality=Quality.ASSUMPTIONS,
        formula=words_of,
        factor_set=None,
        fingerprint="0" * 16,
        method_version="ict_footprint/1",
        largest_share=0.4,
    )
    assert publishable(net) == net
    for few in (replace(net, population=9), replace(net, largest_share=0.6)):
        withheld = publishable(few)
        assert isinstance(withheld, NotAssessed)
        assert withheld.reason == "small_group"
    assert isinstance(publishable(replace(net, variant="energy", population=1)), Result)
