"""The site's own words for names that a user chose."""

import pytest

from schemas.energy import Gauge, Register
from services.ingest.mapping import MappingProblem, compile_mapping, read_target


@pytest.mark.parametrize(
    ("text", "shown", "made"),
    [
        ("import_energy total kWh", 3.5, Register(quantity="import_energy", name="total", value=3.5, unit="kWh")),
        ("volume total L water", 2000.0, Register(quantity="volume", name="total", value=2.0, unit="m3")),
        ("active_power production -1*W", 4.0, Gauge(quantity="active_power", name="production", value=-4.0, unit="W")),
        ("voltage L1 0.01*V", 23000.0, Gauge(quantity="voltage", name="L1", value=230.0, unit="V")),
    ],
)
def test_a_target_gives_the_value_in_our_unit(text: str, shown: float, made: Register | Gauge) -> None:
    """Units are converted, factors applied."""
    target = read_target(text)
    assert target.make(shown * target.factor) == made


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("import_energy kWh", "write '<quantity> <name> <unit> [<carrier>]'"),
        ("import_energy total kW", "import_energy is in kWh, not in W"),
        ("imports total kWh", "quantity 'imports' is none of"),
        ("import_energy total furlong", "unit: "),
        ("import_energy total x*kWh", "the factor of 'x*kWh' must be a number"),
        ("volume total m3 beer", "carrier 'beer' is none of"),
        ("volume to/tal m3", "name: "),
    ],
)
def test_a_wrong_line_says_what_to_write(text: str, words: str) -> None:
    """The text names the key, the faulty word and what is allowed."""
    with pytest.raises(MappingProblem) as caught:
        compile_mapping({"SML.x": text})
    assert "mapping 'SML.x'" in str(caught.value)
    assert words in str(caught.value)


def test_a_key_without_section_counts_everywhere() -> None:
    """`""` is the section of such keys."""
    compiled = compile_mapping({"SML.a": "volume total m3", "b": "volume total m3"})
    assert set(compiled["SML"]) == {"a"}
    assert set(compiled[""]) == {"b"}
