"""A home's energy is counted once, in whatever registers its meter shows it."""

from datetime import date, timedelta
from random import Random

from hypothesis import given
from hypothesis import strategies as st

from services.aggregator.kpis.consumption import chosen_days, home_consumption
from services.aggregator.kpis.inputs import DayValue, Home, RegisterDays
from tests.kpi_cases import FACTORS

DAYS = [date(2025, 12, 1) + timedelta(days=offset) for offset in range(4)]
FAMILIES = {
    "total": ("total",),
    "supplier": ("supplier_01", "supplier_02"),
    "distributor": ("distributor_01", "distributor_02", "distributor_03"),
    "phases": ("L1", "L2", "L3"),
    "numbered": ("T1", "T2"),
    "contract": ("HC", "HP"),
    "tempo": ("tempo_blue_hc", "tempo_white_hp"),
}


def register(name: str, shares: dict[date, DayValue]) -> RegisterDays:
    """A register of the one meter."""
    return RegisterDays("m", "electricity", "import_energy", name, "kWh", shares)


energies = st.lists(st.integers(0, 100_000), min_size=len(DAYS), max_size=len(DAYS))
shown = st.sets(st.sampled_from(sorted(set(FAMILIES) - {"tempo"})), min_size=1)


@given(energies_wh=energies, families=shown, order=st.randoms(use_true_random=False))
def test_whatever_registers_tell_an_energy_it_is_counted_once(
    energies_wh: list[int], families: set[str], order: Random
) -> None:
    """Total, supplier, distributor, phases, tariffs: alone or beside each other, in any order, the day is the same."""
    registers = []
    for family in families:
        names = FAMILIES[family]
        for place, name in enumerate(names):
            parts = {
                day: DayValue(wh // len(names) + (wh % len(names) if place == 0 else 0), 1.0)
                for day, wh in zip(DAYS, energies_wh, strict=True)
            }
            registers.append(register(name, parts))
    order.shuffle(registers)
    used = home_consumption(Home("h", None, tuple(registers)), FACTORS)
    assert dict(used.days) == dict(zip(DAYS, (float(wh) for wh in energies_wh), strict=True))


@given(
    energies_wh=energies,
    covered=st.lists(st.sampled_from([0.0, 0.5, 1.0]), min_size=len(DAYS), max_size=len(DAYS)),
)
def test_a_day_that_was_not_measured_is_no_day_without_use(energies_wh: list[int], covered: list[float]) -> None:
    """It is missing from the home's days, so that it is in neither winter."""
    days = {day: DayValue(float(wh), share) for day, wh, share in zip(DAYS, energies_wh, covered, strict=True)}
    used = home_consumption(Home("h", None, (register("total", days),)), FACTORS)
    assert set(used.days) == {day for day, value in days.items() if value.coverage == 1.0}


def test_a_change_of_contract_goes_on_in_the_new_registers() -> None:
    """Base until the second day, then off-peak and peak: each day has its sum, none is missing."""
    base = register("base", {day: DayValue(10.0, 1.0) for day in DAYS[:2]})
    off_peak = register("HC", {day: DayValue(4.0, 1.0) for day in DAYS[2:]})
    peak = register("HP", {day: DayValue(6.0, 1.0) for day in DAYS[2:]})
    assert {day: value.value for day, value in chosen_days([base, off_peak, peak]).items()} == dict.fromkeys(DAYS, 10.0)


def test_two_meters_of_one_home_need_the_same_days() -> None:
    """A day on which one of them was silent is no day of the home."""
    first = register("total", {day: DayValue(5.0, 1.0) for day in DAYS})
    second = RegisterDays("gas", "gas", "volume", "total", "m3", {day: DayValue(1.0, 1.0) for day in DAYS[1:]})
    used = home_consumption(Home("h", None, (first, second)), FACTORS)
    assert dict(used.days) == dict.fromkeys(DAYS[1:], 16.2)
