"""What a report promises to those who read it, and to those it is about."""

import json
from collections.abc import Iterator
from datetime import date
from html.parser import HTMLParser
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from services.aggregator.report.model import report_schema
from services.embedded.series import SqliteStore
from services.reporting import Audience, ReportProblem, make_report
from services.runtime.settings import EmbeddedSettings, Settings
from tests.report_city import BASELINE, END, START, City, build_city

SCHEMA = Path(__file__).resolve().parents[2] / "services/aggregator/report/report.schema.json"


@pytest.fixture
async def city(tmp_path: Path) -> City:
    """Thirteen families in three teams, three junctions."""
    return await build_city(tmp_path)


async def reported(
    city: City, *, language: str = "fr", baseline: bool = True, audience: Audience = "members"
) -> tuple[str, dict[str, Any]]:
    """The page and the JSON, as a coach has them."""
    first, after = BASELINE if baseline else (None, None)
    page, data = await make_report(
        city.settings,
        start=START,
        end=END,
        baseline_start=first,
        baseline_end=after,
        language="fr" if language == "fr" else "en",
        formats=("html", "json"),
        folder=city.folder / "report",
        audience=audience,
    )
    return page.read_text("utf-8"), json.loads(data.read_text("utf-8"))


def entries(data: dict[str, Any], kpi: str, variant: str) -> dict[str, dict[str, Any]]:
    """Entries of one variant by subject."""
    return {each["subject"]["id"]: each for each in data["entries"] if (each["kpi"], each["variant"]) == (kpi, variant)}


def names_in(folder: Path) -> list[str]:
    """What stands in a folder."""
    return [path.name for path in folder.iterdir()]


class Page(HTMLParser):
    """What the tests look for in a page."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note it."""
        self.tags.append((tag, dict(attrs)))

    def of(self, *names: str) -> Iterator[tuple[str, dict[str, str | None]]]:
        """Elements of these names."""
        return (each for each in self.tags if each[0] in names)


async def test_the_saving_is_what_a_slow_and_obvious_computation_gives(city: City) -> None:
    """Raw: energy of the families over the same days of both winters, added up from what was written."""
    _, data = await reported(city)
    for subject, homes in (
        ("familles", city.homes),
        ("castors", [home for home in city.homes if home.team == "castors"]),
    ):
        now = sum(kwh for home in homes for day, kwh in home.energy_kwh.items() if START <= day < END)
        before = sum(kwh for home in homes for day, kwh in home.energy_kwh.items() if day < START)
        entry = entries(data, "energy_saving", "raw")[subject]
        assert entry["value"] == pytest.approx(100 * (1 - now / before))
        assert entry["population"] == len(homes)


async def test_the_corrected_saving_finds_what_the_families_did(city: City) -> None:
    """The homes were made to save 3 to 15 % at the same cold; the milder weather is taken out again."""
    _, data = await reported(city)
    corrected = entries(data, "energy_saving", "degree_days")["familles"]
    cold = {False: 0.0, True: 0.0}
    truth_now = truth_before = 0.0
    for home in city.homes:
        for day, kwh in home.energy_kwh.items():
            if day >= START:
                truth_now += kwh
            else:
                truth_before += kwh
    for day, degree_days in city.cold.items():
        cold[day >= START] += degree_days
    assert corrected["figures"]["degree_days_period"] == pytest.approx(cold[True])
    assert corrected["figures"]["degree_days_reference"] == pytest.approx(cold[False])
    saved = sum(0.03 + 0.02 * (number % 7) for number in range(13)) / 13
    assert corrected["value"] == pytest.approx(100 * saved, abs=0.5)
    assert corrected["value"] < 100 * (1 - truth_now / truth_before)


async def test_the_json_follows_the_published_schema(city: City) -> None:
    """With and without values; and the committed schema is the one of the code."""
    schema = json.loads(SCHEMA.read_text("utf-8"))
    assert schema == json.loads(json.dumps(report_schema()))
    for baseline in (True, False):
        _, data = await reported(city, baseline=baseline)
        assert list(Draft202012Validator(schema).iter_errors(data)) == []


async def test_no_home_is_named_anywhere(city: City) -> None:
    """Neither page nor JSON nor stored values hold an identifier, a device or a pseudonym of a family."""
    page, data = await reported(city)
    async with city.store() as store:
        stored = str(await store.select("kpi"))
    for home in city.homes:
        for name in (home.id, home.device, home.device.partition(":")[2], home.pseudonym):
            assert name not in page
            assert name not in json.dumps(data)
            assert name not in stored


async def test_a_small_team_is_withheld_everywhere(city: City) -> None:
    """Two families: no figure on the page, in the JSON, in the store; the reason is said."""
    page, data = await reported(city)
    duo = entries(data, "energy_saving", "raw")["duo"]
    assert (duo["status"], duo["reason"]) == ("not_assessed", "small_group")
    assert "value" not in duo
    assert "Trop peu de familles" in page
    async with city.store() as store:
        rows = [row for row in await store.select("kpi") if row.tags["subject"] == "duo"]
    assert {row.tags["kpi"] for row in rows} > {"energy_saving.raw", "co2_saving.raw", "water_saving.raw"}
    energy = [dict(row.fields) for row in rows if not row.tags["kpi"].startswith("water")]
    assert energy == [{"assessed": False, "reason": "small_group"}] * 4


async def test_no_two_published_sums_differ_by_a_team(city: City) -> None:
    """Amounts and curves are those of the whole programme only."""
    _, data = await reported(city)
    for variant in ("raw", "degree_days"):
        for subject, entry in entries(data, "energy_saving", variant).items():
            if subject != "familles" and entry["status"] == "assessed":
                assert entry["comparison"]["baseline_amount"] is None
                assert entry["comparison"]["reported_amount"] is None
                assert entry["series"] == {}


async def test_the_store_holds_what_the_report_says(city: City) -> None:
    """Value, interval and target of each entry, at the end of its period, by its public id."""
    _, data = await reported(city)
    async with city.store() as store:
        rows = {(row.tags["kpi"], row.tags["subject"]): row.fields for row in await store.select("kpi")}
    assert len(rows) == len(data["entries"])
    for entry in data["entries"]:
        fields = rows[f"{entry['kpi']}.{entry['variant']}", entry["subject"]["id"]]
        assert fields["assessed"] == (entry["status"] == "assessed")
        if entry["status"] == "assessed":
            assert fields["value"] == entry["value"]
            assert fields["fingerprint"] == entry["fingerprint"]


async def test_the_same_store_gives_the_same_report(city: City) -> None:
    """Byte for byte, the drawings too; and a second report changes no stored value."""
    first = await reported(city)
    async with city.store() as store:
        stored = await store.select("kpi")
    assert await reported(city) == first
    async with city.store() as store:
        assert await store.select("kpi") == stored


async def test_without_a_baseline_there_is_no_saving(city: City) -> None:
    """The page says why instead of a percentage; the vehicles are there."""
    page, data = await reported(city, baseline=False)
    saving = entries(data, "energy_saving", "raw")["familles"]
    assert (saving["status"], saving["reason"]) == ("not_assessed", "no_baseline")
    assert "hiver de référence" in page
    assert entries(data, "vehicles_per_junction", "seen")["bx-0"]["value"] == 72


async def test_a_silent_junction_of_the_map_is_listed(city: City) -> None:
    """Under its public name, with the reason; a busy one with its count; none without a word."""
    page, data = await reported(city, language="en")
    junctions = entries(data, "vehicles_per_junction", "seen")
    assert junctions["bx-2"]["reason"] == "no_data"
    assert junctions["bx-0"]["subject"]["label"] == "Carrefour 0"
    assert "Carrefour 2" in page
    assert junctions["bx-1"]["reason"] == "small_group", "two vehicles in each of seven hours are perhaps two"


async def test_an_empty_store_makes_a_report_that_says_so(tmp_path: Path) -> None:
    """A first day, without data, registry or junctions: a page all the same."""
    settings = Settings(storage="embedded", embedded=EmbeddedSettings(folder=tmp_path))
    async with SqliteStore(tmp_path / "series.sqlite") as store:
        await store.write([])
    (page,) = await make_report(
        settings,
        start=START,
        end=END,
        baseline_start=None,
        baseline_end=None,
        language="en",
        formats=("html",),
        folder=tmp_path,
    )
    assert "Nothing could be assessed" in page.read_text("utf-8")


@pytest.mark.parametrize("language", ["fr", "en"])
async def test_the_page_needs_nothing_else(city: City, language: str) -> None:
    """No script, no style, font, image or frame from elsewhere: it can be sent by mail."""
    page, _ = await reported(city, language=language)
    for tag, attributes in Page(page).tags:
        assert tag not in {"script", "iframe", "img", "object", "embed"}
        for name in ("src", "href", "xlink:href"):
            value = attributes.get(name)
            assert value is None or value.startswith(("#", "data:,")), (tag, name, value)
    assert "@import" not in page
    assert "url(http" not in page


@pytest.mark.parametrize("language", ["fr", "en"])
async def test_the_page_can_be_read_without_seeing_it(city: City, language: str) -> None:
    """Language, one first heading and none skipped, unique ids, words for drawings, heads for tables."""
    page, _ = await reported(city, language=language)
    found = Page(page)
    assert next(found.of("html"))[1]["lang"] == language
    levels = [int(tag[1]) for tag, _ in found.of("h1", "h2", "h3", "h4")]
    assert levels.count(1) == 1
    assert all(after <= before + 1 for before, after in pairwise(levels))
    ids = [each["id"] for _, each in found.tags if "id" in each]
    assert len(ids) == len(set(ids))
    drawings = [each for _, each in found.of("svg")]
    for each in drawings:
        named = str(each.get("aria-labelledby", "")).split()
        assert each.get("aria-hidden") == "true" or (named and set(named) <= set(ids))
    kinds = [str(each.get("class")) for _, each in found.of("div")]
    charts = len([each for each in drawings if each.get("role") == "img"])
    assert charts == 2 * kinds.count("wide") == 2 * kinds.count("narrow"), "each chart for desk and phone"
    assert charts >= 2 * (5 + 1 + 5), "families and junctions, an overview, a chart for each theme"
    tables = len(list(found.of("table")))
    assert tables == len(list(found.of("caption")))
    assert all("scope" in each for _, each in found.of("th"))


async def test_names_of_the_registry_cannot_break_the_page(city: City) -> None:
    """A team called `Les <Castors>` is shown as it is written, in tables and drawings."""
    page, data = await reported(city)
    assert entries(data, "energy_saving", "raw")["castors"]["subject"]["label"] == "Les <Castors>"
    assert "<Castors>" not in page
    assert "Les &lt;Castors&gt;" in page


async def test_numbers_are_written_as_each_language_does(city: City) -> None:
    """A comma and a space before % in French, a point in English."""
    french, data = await reported(city)
    english, _ = await reported(city, language="en")
    value = f"{entries(data, 'energy_saving', 'degree_days')['familles']['value']:.1f}"
    assert f"{value.replace('.', ',')}\N{NARROW NO-BREAK SPACE}%" in french
    assert f"{value}%" in english


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"baseline_start": date(2024, 11, 2)}, "same calendar days"),
        ({"end": START}, "has no day"),
        ({"formats": ("docx",)}, "there is no format 'docx'"),
        ({"wanted": ("sumi",)}, "there is no programme 'sumi'"),
    ],
)
async def test_a_wrong_question_is_refused_with_a_way_out(city: City, changes: dict[str, Any], message: str) -> None:
    """Periods that do not match, formats and programmes that do not exist."""
    options: dict[str, Any] = {
        "start": START,
        "end": END,
        "baseline_start": BASELINE[0],
        "baseline_end": BASELINE[1],
        "language": "fr",
        "formats": ("html",),
        "folder": city.folder,
    }
    with pytest.raises(ReportProblem, match=message):
        await make_report(city.settings, **options | changes)


async def test_a_folder_without_a_store_is_not_reported_as_an_empty_city(tmp_path: Path) -> None:
    """A mistyped `embedded.folder` is named, and nothing is made there."""
    settings = Settings(storage="embedded", embedded=EmbeddedSettings(folder=tmp_path / "vra"))
    with pytest.raises(ReportProblem, match=r"embedded\.folder"):
        await make_report(
            settings,
            start=START,
            end=END,
            baseline_start=None,
            baseline_end=None,
            language="fr",
            formats=("json",),
            folder=tmp_path,
        )
    assert names_in(tmp_path) == []


async def test_without_its_key_the_registry_cannot_be_matched(city: City) -> None:
    """The pseudonyms of the store can be told from the registry under the key only; the text says how to make one."""
    (city.folder / "garonne.key").unlink()
    with pytest.raises(ReportProblem, match="key file"):
        await reported(city)


async def test_a_team_of_five_to_nine_families_is_told_to_its_members_only(city: City) -> None:
    """The public page, which is the default, names no such team with a figure; the store keeps what members may see."""
    _, members = await reported(city, audience="members")
    page, public = await reported(city, audience="public")
    for variant in ("raw", "degree_days"):
        told = entries(members, "energy_saving", variant)
        small = {name for name, each in told.items() if each["status"] == "assessed" and each["population"] < 10}
        assert small - {"familles"}, "the city has such teams"
        for name in small:
            assert entries(public, "energy_saving", variant)[name]["reason"] == "small_group"
            assert "value" not in entries(public, "energy_saving", variant)[name]
    assert "everybody" in (await reported(city, language="en", audience="public"))[0]
    assert "tous" in page


async def test_open_data_is_for_the_public(city: City) -> None:
    """DCAT with the figures of members is refused with the reason."""
    with pytest.raises(ReportProblem, match="public only"):
        await make_report(
            city.settings.model_copy(update={"facts_file": None}),
            start=START,
            end=END,
            baseline_start=None,
            baseline_end=None,
            language="fr",
            formats=("json", "dcat"),
            folder=city.folder / "report",
            audience="members",
        )
