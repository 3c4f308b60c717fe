"""Plain words: what a name and a unit say for certain has a meaning, the rest has none."""

import pytest

from schemas.energy import Gauge, Register
from services.ingest.codecs.plainwords import Parts, meaning
from services.ingest.profiles import Unparseable


@pytest.mark.parametrize(
    ("name", "unit", "told"),
    [
        ("Energy/Import", "Wh", ("electricity", "import_energy", "total", 0.001)),
        ("energyExportL2", "kWh", ("electricity", "export_energy", "L2", 1.0)),
        ("pv_energy", "MJ", ("electricity", "production", "total", 1 / 3.6)),
        ("import_HP", "kWh", ("electricity", "import_energy", "HP", 1.0)),
        ("heat.energy", "GJ", ("heat", "import_energy", "total", 1000 / 3.6)),
        ("compteur/eau", "L", ("water", "volume", "total", 0.001)),
        ("gaz", "m3", ("gas", "volume", "total", 1.0)),
        ("Power/Active", "kW", ("electricity", "active_power", "net", 1000.0)),
        ("power_export", "W", ("electricity", "active_power", "export", 1.0)),
        ("voltage", "V", ("electricity", "voltage", "total", 1.0)),
        ("current_L3", "mA", ("electricity", "current", "L3", 0.001)),
        ("gas_flow", "l/min", ("gas", "flow", "total", 0.06)),
    ],
)
def test_words_and_unit_say_what_it_is(name: str, unit: str, told: tuple[str, str, str, float]) -> None:
    """Carrier, quantity, name, and one of the device's unit in ours."""
    what = meaning(name, unit, {})
    assert what is not None
    made = what(1.0, name)
    assert [what.carrier, made.quantity, made.name] == list(told[:3])
    assert made.value == pytest.approx(told[3])


@pytest.mark.parametrize(
    ("name", "unit"),
    [
        ("volume", "m3"),  # water or gas?
        ("meter", "kWh"),  # to the home or from it?
        ("energy_today", "kWh"),
        ("power max", "W"),
        ("import", "furlong"),
        ("import", None),
        ("indoor", "Cel"),
        ("heat power", "W"),
    ],
)
def test_what_is_not_certain_has_no_meaning(name: str, unit: str | None) -> None:
    """No carrier, no direction, a value of a day, an unknown unit."""
    assert meaning(name, unit, {}) is None


def test_the_line_of_the_site_decides_and_the_unit_of_the_device_scales() -> None:
    """`b` is import by the mapping; the device says that it is in Wh."""
    what = meaning("a/b", "Wh", {"b": "import_energy HP kWh"})
    assert what is not None
    assert what(412.0, "b") == Register(quantity="import_energy", name="HP", value=0.412, unit="kWh")
    without = meaning("a/b", None, {"a/b": "active_power net kW", "b": "import_energy HP kWh"})
    assert without is not None
    assert without(2.0, "b") == Gauge(quantity="active_power", name="net", value=2000.0, unit="W")


def test_a_unit_of_another_kind_is_refused() -> None:
    """Volts are no energy, whatever the site says."""
    with pytest.raises(Unparseable, match="unit"):
        meaning("b", "V", {"b": "import_energy HP kWh"})


def test_an_index_that_no_meter_shows_is_refused() -> None:
    """Ten digits of kWh are more than any meter has; a power is not bounded so."""
    what = meaning("import", "MWh", {})
    assert what is not None
    assert what(1e7, "v").value == 1e10
    with pytest.raises(Unparseable, match="larger than any meter shows"):
        what(1.1e7, "v")


def test_of_two_equal_parts_the_first_counts() -> None:
    """A second total of the same instant does not replace the first."""
    parts = Parts()
    for value in (1.0, 2.0):
        parts.add("electricity", Register(quantity="import_energy", name="total", value=value, unit="kWh"))
    assert [each.value for each in parts["electricity"][0]] == [1.0]
