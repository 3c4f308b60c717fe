"""The comparison itself: it finds what is wrong, or a passed sample would prove nothing."""

from typing import Any

import pytest

from tests.cases import NAMES, find_cases
from tests.conformance.configuration import mapping_of
from tests.conformance.energy import check

PLUG = next(case for case in find_cases() if str(case) == "tasmota/plug")
TRUE: dict[str, Any] = {
    "quantity": "import_energy",
    "register": "total",
    "carrier": "electricity",
    "value": 88.412,
    "unit": "kWh",
    "observed_at": "2026-04-10T06:05:00Z",
    "kind": "counter",
}


def test_a_true_fact_holds() -> None:
    """The register of the golden case is found."""
    assert check(TRUE, PLUG.run().events, NAMES) is None


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"value": 88.413}, "value is 88.412"),
        ({"unit": "m3"}, "unit is kWh"),
        ({"observed_at": "2026-04-10T06:05:00.002Z"}, "observed_at"),
        ({"register": "HP"}, "no record"),
        ({"carrier": "gas"}, "no record"),
        ({"value": None}, "nothing may be made up"),
        ({"kind": "counter_since_local_midnight"}, "since_midnight"),
        ({"quality": "clock"}, "flag clock is missing"),
        ({"quantity": "heart_rate"}, "no record"),
        ({"quantity": "meter_id", "value": "77"}, "pseudonym"),
        ({"quantity": "availability", "value": "online"}, "no record"),
    ],
)
def test_a_wrong_fact_is_told(change: dict[str, Any], words: str) -> None:
    """Each part of a fact counts, and the message names it."""
    problem = check({**TRUE, **change}, PLUG.run().events, NAMES)
    assert problem is not None
    assert words in problem


@pytest.mark.parametrize("change", [{"tolerance": 0.01}, {"range": [88, 89]}, {"also_accept": [88.412]}])
def test_other_right_answers_are_accepted(change: dict[str, Any]) -> None:
    """`tolerance`, `range` and `also_accept` widen what is right."""
    assert check({**TRUE, "value": 88.42, **change}, PLUG.run().events, NAMES) is None


def test_a_net_power_is_a_fact_on_import_only_while_it_is_one() -> None:
    """55 W net are 55 W of import; a fact on export or of another value does not hold."""
    fact = {"quantity": "active_power", "register": "import", "value": 55, "unit": "W"}
    assert check(fact, PLUG.run().events, NAMES) is None
    assert check({**fact, "register": "export"}, PLUG.run().events, NAMES) is not None
    assert check({**fact, "value": 56}, PLUG.run().events, NAMES) is not None


def test_the_words_of_the_operator_become_a_mapping() -> None:
    """Names, units, scales and carriers as operators write them."""
    words = {
        "eau": "water volume, m3",
        "E1": "Wh, grid import",
        "E2": "Wh, PV production",
        "p2": "W, PV, negative = production",
        "pulse": "count, 1 count = 1 Wh of the utility meter",
        "rssi": "dBm",
    }
    assert mapping_of(words) == {
        "eau": "volume total m3 water",
        "E1": "import_energy total Wh",
        "E2": "production total Wh",
        "p2": "active_power production -1*W",
        "pulse": "import_energy pulse 1*Wh",
    }
    columns = {"names": ["v", "rssi"], "scales": [0.01, 1], "units": ["V", "dBm"]}
    assert mapping_of(columns) == {"#0": "voltage L1 0.01*V", "v": "voltage L1 0.01*V"}
