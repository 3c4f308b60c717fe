"""What the files of a report promise to machines and to paper, and that no file tells more than another."""

import csv
import json
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from io import BytesIO, StringIO
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from jsonschema import Draft202012Validator
from pypdf import PdfReader
from pypdf.generic import DictionaryObject
from pyshacl import validate
from rdflib import Graph, URIRef
from rdflib.namespace import DCAT, DCTERMS

from services.aggregator.report.model import Report, report_schema
from services.aggregator.report.tables import COLUMNS, csv_text
from services.reporting import FORMATS, ReportProblem, make_report
from tests.report_city import BASELINE, END, START, City, build_city

# pyshacl still uses names of rdflib that are on their way out.
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning:rdflib", "ignore::DeprecationWarning:pyshacl")
SHAPES = Path(__file__).resolve().parents[1] / "shapes" / "dcat_ap.ttl"
PARIS = ZoneInfo("Europe/Paris")
SCORED = "ck.p.people.privacy"
FACTS = f"""
edition = "test"
[publication]
publisher = "Ville d’essai"
publisher_url = "https://www.example.org/"
base_url = "https://data.example.org/garonne/"
licence_url = "https://www.etalab.gouv.fr/licence-ouverte-open-licence"
[[scores]]
indicator = "{SCORED}"
score = 4
justification = "Consentement essayé avec dix familles <volontaires>."
assessor_role = "déléguée à la protection des données"
date = 2025-12-01
"""
KPI_MODEL: dict[str, Any] = {  # smart-data-models, KeyPerformanceIndicator 0.2.1, in its key-values form
    "required": ["id", "type"],
    "properties": {
        "id": {"type": "string", "pattern": r"^urn:ngsi-ld:KeyPerformanceIndicator:[\w.\-:%~]+$"},
        "type": {"const": "KeyPerformanceIndicator"},
        "category": {"type": "array", "minItems": 1, "items": {"enum": ["quantitative", "qualitative"]}},
        "process": {"type": "string"},
        "calculationMethod": {"enum": ["manual", "automatic", "semiautomatic"]},
        "calculationFormula": {"type": "string"},
        "kpiValue": {"type": ["string", "number", "boolean", "object", "array"]},
        "calculationPeriod": {
            "type": "object",
            "required": ["from", "to"],
            "properties": {each: {"type": "string", "format": "date"} for each in ("from", "to")},
        },
    },
}


@pytest.fixture
async def city(tmp_path: Path) -> City:
    """Thirteen families in three teams, three junctions; the city has entered its facts."""
    built = await build_city(tmp_path)
    path = tmp_path / "facts.toml"
    path.write_text(FACTS, "utf-8")
    return replace(built, settings=built.settings.model_copy(update={"facts_file": path}))


async def exported(city: City, *formats: str, language: str = "fr") -> Mapping[str, bytes]:
    """The files by format."""
    paths = await make_report(
        city.settings,
        start=START,
        end=END,
        baseline_start=BASELINE[0],
        baseline_end=BASELINE[1],
        language="fr" if language == "fr" else "en",
        formats=formats,
        folder=city.folder / "report",
    )
    return {form: path.read_bytes() for form, path in zip(formats, paths, strict=True)}


async def test_a_row_of_csv_says_what_the_json_says(city: City) -> None:
    """Same entries, same values, in the same order."""
    files = await exported(city, "csv", "json")
    data = json.loads(files["json"])
    rows = list(csv.DictReader(StringIO(files["csv"].decode())))
    entries, catalogue = rows[: len(data["entries"])], rows[len(data["entries"]) :]
    assert len(entries) > 1
    for row, entry in zip(entries, data["entries"], strict=True):
        assert (row["indicator"], row["subject_id"], row["status"]) == (
            entry["kpi"],
            entry["subject"]["id"],
            entry["status"],
        )
        assert row["value"] == ("" if entry["status"] == "not_assessed" else str(entry["value"]))
        assert row["period_end_excluded"] == entry["period"]["end"]
    assert [row["indicator"] for row in catalogue] == [row["slug"] for row in data["catalogue"]]


async def test_a_spreadsheet_runs_nothing_of_the_csv(city: City) -> None:
    """A label that begins like a formula stays text."""
    report = Report.model_validate_json((await exported(city, "json"))["json"])
    first = report.entries[0]
    hostile = first.model_copy(update={"subject": first.subject.model_copy(update={"label": "=HYPERLINK(1)"})})
    text = csv_text(report.model_copy(update={"entries": (hostile,)}))
    assert next(csv.DictReader(StringIO(text)))["subject"] == "'=HYPERLINK(1)"
    assert text.startswith(",".join(COLUMNS))


async def test_the_json_follows_its_schema_with_the_catalogue_in_it(city: City) -> None:
    """Rows of CITYkeys included."""
    data = json.loads((await exported(city, "json"))["json"])
    Draft202012Validator(report_schema()).validate(data)
    assert data["catalogue"]


async def test_entities_are_indicators_of_the_model(city: City) -> None:
    """In key-values form each is valid; a value has a unit and an instant: the end of its period."""
    files = await exported(city, "ngsi-ld", "json")
    entities, entries = json.loads(files["ngsi-ld"]), json.loads(files["json"])["entries"]
    assert len({each["id"] for each in entities}) == len(entities) == len(entries)
    for entity, entry in zip(entities, entries, strict=True):
        plain = {k: v["value"] if isinstance(v, dict) else v for k, v in entity.items()}
        Draft202012Validator(KPI_MODEL).validate(plain)
        assert ("kpiValue" in entity) == (entry["status"] == "assessed")
        if "kpiValue" in entity:
            assert entity["kpiValue"]["unitCode"] == {"%": "P1"}.get(entry["unit"], "C62")
            observed = datetime.fromisoformat(entity["kpiValue"]["observedAt"])
            end = entry["period"]["end"]
            assert observed.tzinfo == UTC
            assert observed.astimezone(tz=PARIS).isoformat()[:19] == f"{end}T00:00:00"


async def test_a_portal_can_harvest_the_catalogue(city: City) -> None:
    """The graph conforms to the shapes of DCAT-AP, and leads to each file that was written."""
    files = await exported(city, *FORMATS)
    graph = Graph().parse(data=files["dcat"], format="json-ld")
    conforms, _, text = validate(graph, shacl_graph=Graph().parse(SHAPES))
    assert conforms, text
    offered = {str(each).rpartition("/")[2] for each in graph.objects(predicate=DCAT.downloadURL)}
    written = {path.name for path in (city.folder / "report").iterdir()}
    assert offered == {name for name in written if not name.endswith("dcat.jsonld")}


@pytest.mark.parametrize("absent", [DCTERMS.publisher, DCTERMS.license, DCAT.accessURL, DCTERMS.title])
async def test_the_shapes_see_what_is_missing(city: City, absent: URIRef) -> None:
    """So that a catalogue which conforms says something."""
    graph = Graph().parse(data=(await exported(city, "csv", "dcat"))["dcat"], format="json-ld")
    graph.remove((None, absent, None))
    assert not validate(graph, shacl_graph=Graph().parse(SHAPES))[0]


async def test_nothing_is_published_under_a_licence_that_nobody_chose(city: City) -> None:
    """Without publication in the facts there is no catalogue, and the message says what to write."""
    bare = replace(city, settings=city.settings.model_copy(update={"facts_file": None}))
    with pytest.raises(ReportProblem, match=r"\[publication\].*licence_url"):
        await exported(bare, "csv", "dcat")


@pytest.mark.parametrize("language", ["fr", "en"])
async def test_the_paper_says_what_the_page_says(city: City, language: str) -> None:
    """Title, language and each indicator's title; bookmarks to jump to."""
    files = await exported(city, "pdf", "json", language=language)
    reader = PdfReader(BytesIO(files["pdf"]))
    text = _squeezed("".join(each.extract_text() for each in reader.pages))
    root = reader.trailer["/Root"].get_object()
    assert isinstance(root, DictionaryObject)
    assert str(root["/Lang"]).startswith(language)
    assert reader.outline
    for entry in json.loads(files["json"])["entries"]:
        assert _squeezed(entry["title"]) in text
        assert _squeezed(entry["subject"]["label"]) in text


def _squeezed(text: str) -> str:
    return "".join(text.split())


async def test_the_same_store_gives_the_same_paper(city: City) -> None:
    """Byte for byte."""
    assert await exported(city, "pdf") == await exported(city, "pdf")


async def test_no_file_tells_what_another_withholds(city: City) -> None:
    """A team of two families, and no pseudonym, in any of them."""
    files = await exported(city, *FORMATS)
    entries = json.loads(files["json"])["entries"]
    duo = [each for each in entries if each["subject"]["id"] == "duo"]
    assert duo
    assert {each["status"] for each in duo} == {"not_assessed"}
    rows = [row for row in csv.DictReader(StringIO(files["csv"].decode())) if row["subject_id"] == "duo"]
    assert {row["value"] + row["reported_amount"] + row["population"] for row in rows} == {""}
    for entity in json.loads(files["ngsi-ld"]):
        if entity["subject"]["value"]["id"] == "duo":
            assert not {"kpiValue", "population", "comparison"} & entity.keys()
    paper = "".join(page.extract_text() for page in PdfReader(BytesIO(files["pdf"])).pages)
    texts = [files[form].decode() for form in FORMATS if form != "pdf"] + [paper]
    assert not [home.pseudonym for home in city.homes for text in texts if home.pseudonym in text]


async def test_a_score_stands_beside_its_justification(city: City) -> None:
    """With role and day; what is not scored says that an assessor has to; nothing is left out."""
    files = await exported(city, "html", "json")
    page, rows = files["html"].decode(), json.loads(files["json"])["catalogue"]
    scored = [row for row in rows if row["status"] == "scored"]
    assert [row["slug"] for row in scored] == [SCORED]
    assert "dix familles &lt;volontaires&gt;" in page
    assert "déléguée à la protection des données, 1er décembre 2025" in page
    assert all(row["explanation"] for row in rows if row["status"] not in {"scored", "computed"})
    for row in rows:
        assert row["title"].replace("'", "&#39;") in page, row["slug"]


@pytest.mark.parametrize("language", ["fr", "en"])
async def test_each_theme_of_citykeys_has_a_page_of_paper(city: City, language: str) -> None:
    """Five pages one after the other, each with its whole list: the next one begins with the next theme."""
    files = await exported(city, "pdf", "json", language=language)
    pages = [_squeezed(each.extract_text()) for each in PdfReader(BytesIO(files["pdf"])).pages]
    rows = json.loads(files["json"])["catalogue"]
    places = []
    for theme in ("people", "planet", "prosperity", "governance", "propagation"):
        titles = [_squeezed(row["title"]) for row in rows if row["theme"] == theme]
        (place,) = [number for number, text in enumerate(pages) if all(title in text for title in titles)]
        places.append(place)
    assert places == list(range(places[0], places[0] + 5))
