"""What the catalogue of indicators and the city's facts promise."""

from collections import Counter
from pathlib import Path

import pytest

from services.aggregator.kpis import discover
from services.aggregator.kpis.catalogue import THEMES, CatalogueProblem, catalogue, parse_catalogue
from services.aggregator.kpis.facts import FactsProblem, parse_facts
from services.checking import check_configuration
from services.runtime.settings import Settings

ROOT = Path(__file__).resolve().parents[2]
OWN_SLUGS = ("ck.", "u4.", "x.", "gdc.")
SCORED, NOT_SCORED = "ck.p.people.privacy", "ck.c.planet.co2"
SCORE = f"""
[[scores]]
indicator = "{SCORED}"
score = 4
justification = "Consent was tried with ten families."
assessor_role = "data protection officer"
date = 2026-06-01
"""


def test_every_theme_of_each_level_has_rows() -> None:
    """Five themes for projects, four for the city: propagation is told of projects only."""
    rows = [row for row in catalogue().indicators if row.framework == "citykeys"]
    assert {row.theme for row in rows if row.level == "project"} == set(THEMES)
    assert {row.theme for row in rows if row.level == "city"} == set(THEMES) - {"propagation"}


def test_each_name_is_told_once_in_each_level_and_language() -> None:
    """Nobody meets two rows of one framework and level with the same name."""
    for language in ("en", "fr"):
        names = Counter((row.framework, row.level, row.theme, getattr(row, language)) for row in catalogue().indicators)
        assert [name for name, times in names.items() if times > 1] == []


def test_what_is_said_to_be_computed_has_a_folder_that_says_so_too() -> None:
    """Folder and row name each other."""
    for row in catalogue().indicators:
        if row.kpi is not None:
            assert row.slug in discover()[row.kpi].references


@pytest.mark.parametrize("name", sorted(discover()))
def test_what_a_folder_refers_to_is_in_the_catalogue(name: str) -> None:
    """As a row, or as a cross-reference of the rows that the folder serves."""
    served = [row for row in catalogue().indicators if row.slug in discover()[name].references]
    crossed = {reference for row in served for reference in row.references}
    for reference in discover()[name].references:
        assert catalogue().get(reference) is not None if reference.startswith(OWN_SLUGS) else reference in crossed


def test_cross_references_between_rows_lead_somewhere() -> None:
    """A row that names an own slug names one that exists."""
    for row in catalogue().indicators:
        for reference in row.references:
            assert not reference.startswith(OWN_SLUGS) or catalogue().get(reference) is not None, reference


def test_nothing_of_citykeys_is_called_verified_before_its_text_was_read() -> None:
    """The primary text was not available: each row of CITYkeys says so."""
    assert not any(row.verified for row in catalogue().indicators if row.framework == "citykeys")


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (('reason = "police"', 'reason = "nobody"'), "there is no reason 'nobody'"),
        (('status = "not_assessed"', 'status = "computed"'), "kpi names the folder"),
        (('fr = "Amélioration de l’accès aux soins de base"', ""), "indicators.0.fr"),
    ],
)
def test_a_row_that_is_not_complete_is_refused(change: tuple[str, str], said: str) -> None:
    """A missing word, an unknown reason, a computed row without its folder."""
    text = (ROOT / "services/aggregator/kpis/catalogue.toml").read_text("utf-8")
    with pytest.raises(CatalogueProblem, match=said):
        parse_catalogue(text.replace(*change))


def test_the_example_of_facts_is_right() -> None:
    """A city that copies it begins with a file that is accepted."""
    assert parse_facts((ROOT / "deploy/facts.example.toml").read_text("utf-8")).scores


@pytest.mark.parametrize(
    ("change", "key"),
    [
        (("score = 4", "score = 6"), r"^scores\.0\.score: "),
        (("score = 4", "score = 0"), r"^scores\.0\.score: the scale"),
        (("score = 4", "skore = 4"), r"scores\.0\.skore: there is no such key"),
        ((SCORED, NOT_SCORED), r"^scores\.0\.indicator: .* is not scored"),
        ((SCORED, "ck.p.people.nothing"), r"^scores\.0\.indicator: the catalogue has no"),
        (("Consent was tried with ten families.", "good"), r"^scores\.0\.justification: "),
        (('assessor_role = "data protection officer"', ""), r"^scores\.0\.assessor_role: "),
    ],
)
def test_a_faulty_fact_is_named_by_its_key(change: tuple[str, str], key: str) -> None:
    """Scores outside of the scale, without a reason, without an assessor, of something that nobody scores."""
    with pytest.raises(FactsProblem, match=key):
        parse_facts('edition = "1"\n' + SCORE.replace(*change))


QUANTITY = """
edition = "1"
[[quantities]]
name = "ict_pue"
value = 1.2
unit = "kWh/kWh"
date = 2026-01-01
source = "bill"
"""
TARGET = """
[[targets]]
indicator = "ck.p.planet.final-energy-red"
value = 8
due = 2027-03-31
source = "council"
"""


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (QUANTITY.replace("kWh/kWh", "%"), r"^quantities\.0\.unit: 'ict_pue' is told in 'kWh/kWh'"),
        (QUANTITY.replace("1.2", "0"), r"^quantities\.0\.value: 'ict_pue' is more than 0"),
        (QUANTITY.replace("ict_pue", "ict_peu"), r"^quantities\.0\.name: .*there are: ict_baseline"),
        (QUANTITY.replace("1.2", "inf"), r"^quantities\.0\.value: "),
        (QUANTITY + QUANTITY.replace('edition = "1"', ""), r"^quantities\.1\.date: 'ict_pue' is there twice"),
        (QUANTITY + TARGET + TARGET, r"^targets\.1\.due: .* has two targets due on 2027-03-31"),
        (QUANTITY + TARGET.replace("energy-red", "energy-rad"), r"^targets\.0\.indicator: the catalogue has no"),
    ],
)
def test_a_quantity_or_a_target_that_would_mislead_is_refused(text: str, said: str) -> None:
    """A wrong unit, nothing of something, a name that nothing uses, two numbers for one day."""
    parse_facts(QUANTITY + TARGET)
    with pytest.raises(FactsProblem, match=said):
        parse_facts(text)


def test_the_newest_quantity_from_before_the_end_counts() -> None:
    """A report of last year computes with what was known then."""
    facts = parse_facts(QUANTITY + QUANTITY.replace('edition = "1"', "").replace("2026-01", "2026-07"))
    day = facts.quantities[0].date
    assert facts.quantity("ict_pue", day) is None
    found = facts.quantity("ict_pue", day.replace(month=7))
    assert found == facts.quantities[0]
    assert facts.quantity("ict_pue", day.replace(month=8)) == facts.quantities[1]


def test_one_indicator_has_one_score_a_day() -> None:
    """Of two, nobody could say which one counts."""
    with pytest.raises(FactsProblem, match=r"scores\.1\.date"):
        parse_facts('edition = "1"\n' + SCORE + SCORE)


def test_the_newest_score_before_the_end_of_the_period_counts() -> None:
    """A later judgement does not change an older report."""
    later = SCORE.replace("score = 4", "score = 2").replace("2026-06-01", "2026-09-01")
    facts = parse_facts('edition = "1"\n' + later + SCORE)
    day = facts.scores[0].date
    before, after = facts.score_of(SCORED, day), facts.score_of(SCORED, day.replace(day=2))
    assert before is not None
    assert after is not None
    assert (before.score, after.score) == (4, 2)
    assert facts.score_of(SCORED, facts.scores[1].date) is None


def test_check_names_the_faulty_fact(tmp_path: Path) -> None:
    """`garonne check` reads the file that the settings name."""
    path = tmp_path / "facts.toml"
    path.write_text('edition = "1"\n' + SCORE.replace("score = 4", "score = 9"), "utf-8")
    found = [each for each in check_configuration(Settings(facts_file=path)) if each.startswith("facts_file")]
    assert len(found) == 1
    assert "scores.0.score" in found[0]
    missing = check_configuration(Settings(facts_file=tmp_path / "nothing.toml"))
    assert any(each.startswith("facts_file: ") for each in missing)
