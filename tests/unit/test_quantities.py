"""Quantities for indicators, with the worked examples of meters.md."""

from collections.abc import Sequence
from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.aggregator.quantities import (
    Amount,
    Slot,
    baseload_w,
    choose,
    family_of,
    gas_kwh,
    leak_sign,
    litres_per_person,
    load_factor,
    peak_w,
    solar,
    solar_by_hour,
    standby_share,
    summed,
    tariff_split,
)

PARIS = ZoneInfo("Europe/Paris")
MIDNIGHT = datetime(2026, 1, 12, tzinfo=PARIS)
KNOWN = st.floats(0, 50)


def _slots(values: Sequence[float], start: datetime = MIDNIGHT, coverage: float = 1) -> list[Slot]:
    return [
        Slot(start + timedelta(minutes=30 * n), 0.5, Amount(value, coverage)) for n, value in enumerate(values)
    ]  # fmt: skip


def test_the_total_wins_over_phases_and_says_by_how_much_they_differ() -> None:
    """A netted total of 75 423 Wh against 77 386 of the phases: the total is billed, 1 963 Wh are the difference."""
    phases = {"L1": Amount(30.0), "L2": Amount(20.0), "L3": Amount(27.386)}
    chosen = choose({"total": Amount(75.423), **phases})
    assert chosen is not None
    assert (chosen.amount.value, chosen.family, chosen.amount.flags) == (75.423, "total", ("sum_mismatch",))
    assert chosen.differences == {"phase": pytest.approx(1.963)}


def test_two_splits_of_one_energy_are_never_added() -> None:
    """EAST, EASF01..10 and EASD01..04 say 27 553.175 kWh three times; it is one energy."""
    splits = {
        "supplier_01": 10_000.0,
        "supplier_02": 17_553.175,
        "distributor_01": 20_000.0,
        "distributor_02": 7553.175,
    }
    with_total = choose({"total": Amount(27_553.175), **{name: Amount(value) for name, value in splits.items()}})
    without = choose({name: Amount(value) for name, value in splits.items()})
    assert with_total is not None
    assert without is not None
    assert with_total.amount.value == without.amount.value == pytest.approx(27_553.175)
    assert with_total.amount.flags == without.amount.flags == ()
    assert (with_total.family, without.family) == ("total", "supplier")


def test_a_total_that_was_not_measured_gives_way_to_tariffs_that_were() -> None:
    """0.63 in T1 and 0.90 in T2 are 1.53, where the total was silent half of the time."""
    tariffs = {"T1": Amount(0.63), "T2": Amount(0.9)}
    chosen = choose({"total": Amount(0.7, 0.5), **tariffs})
    assert chosen is not None
    assert chosen.family == "tariff"
    assert chosen.amount.value == pytest.approx(1.53)
    poor = choose({"total": Amount(0.7, 0.5), "T1": Amount(0.63, 0.4), "T2": Amount(0.9)})
    assert poor is not None
    assert poor.family == "total"


def test_a_sum_of_phases_is_flagged() -> None:
    """Nothing else is known, but it is not what is billed."""
    chosen = choose({"L1": Amount(1.0), "L2": Amount(2.0)})
    assert chosen is not None
    assert chosen.amount == Amount(3.0, 1.0, ("not_netted",))


def test_without_registers_nothing_is_chosen() -> None:
    """No number is made up; a name that nobody knows is not energy of the meter."""
    assert choose({}) is None
    assert choose({"pulse": Amount(1.0)}) is None


@pytest.mark.parametrize(
    ("register", "family"),
    [
        ("total", "total"), ("supplier_01", "supplier"), ("distributor_04", "distributor"), ("T2", "tariff"),
        ("HC", "contract"), ("base", "contract"), ("tempo_blue_hc", "contract"), ("L3", "phase"),
        ("channel_1", "channel"), ("at_set_date", "other"),
    ],
)  # fmt: skip
def test_every_register_name_belongs_to_a_split(register: str, family: str) -> None:
    """The names of the schema."""
    assert family_of(register) == family


def test_the_tariff_split_is_checked_against_the_total() -> None:
    """1.4 off-peak and 4.2 peak of 5.6: a quarter and three quarters; 5.7 are not explained by the display."""
    tiers = {"HC": Amount(1.4), "HP": Amount(4.2)}
    assert tariff_split(tiers, Amount(5.602)) == ({"HC": 0.25, "HP": pytest.approx(0.75)}, True)
    assert tariff_split(tiers, Amount(5.7))[1] is False
    assert tariff_split({"HC": Amount(0.0), "HP": Amount(0.0)}, Amount(0.0)) == ({"HC": None, "HP": None}, True)


def test_a_summer_day_of_a_home_with_panels() -> None:
    """Import 5.31, production 18.40, export 12.92: used 10.79, own 5.48, 29.78 % of production, 50.79 % of use."""
    day = solar(5.31, 18.4, 12.92)
    assert day.consumption_kwh == pytest.approx(10.79)
    assert day.self_consumed_kwh == pytest.approx(5.48)
    assert day.self_consumption == pytest.approx(0.2978, abs=5e-5)
    assert day.self_sufficiency == pytest.approx(0.5079, abs=5e-5)


def test_over_almost_nothing_there_is_no_ratio() -> None:
    """A winter day with 0.09 kWh of production, a closed home with 0.05 kWh of use."""
    assert solar(9.0, 0.09, 0.0).self_consumption is None
    assert solar(0.05, 0.0, 0.0).self_sufficiency is None


def test_hours_that_one_meter_missed_are_left_out_of_all() -> None:
    """Export unknown at noon: 2 kWh of production there are neither own use nor given away."""
    hours = [datetime(2026, 6, 21, hour, tzinfo=UTC) for hour in (10, 11, 12)]
    imported = {hour: Amount(0.1) for hour in hours}
    produced = {hours[0]: Amount(1.0), hours[1]: Amount(1.0), hours[2]: Amount(2.0)}
    exported = {hours[0]: Amount(0.6), hours[1]: Amount(0.4), hours[2]: Amount(0.0, 0.2)}
    matched = solar_by_hour(imported, produced, exported)
    assert matched is not None
    assert matched.self_consumption == 0.5
    assert matched.matched == pytest.approx(2 / 3)
    assert solar_by_hour(imported, {}, exported) is None


@given(produced=KNOWN, own_share=st.floats(0, 1), imported=KNOWN)
def test_shares_of_own_energy_lie_between_nothing_and_all(produced: float, own_share: float, imported: float) -> None:
    """Whatever a home does, if its meters are right."""
    result = solar(imported, produced, produced * (1 - own_share))
    for ratio in (result.self_consumption, result.self_sufficiency):
        assert ratio is None or -1e-9 <= ratio <= 1 + 1e-9


def test_the_baseload_is_the_tenth_percentile_of_seven_nights() -> None:
    """Means of 100 to 169 W in 70 half hours: 106.9 W; days, and nights that were not measured, do not count."""
    slots = []
    for number in range(70):
        start = MIDNIGHT + timedelta(days=number // 10, minutes=30 * (number % 10))
        slots += [Slot(start, 0.5, Amount((100 + number) / 2000)), Slot(start + timedelta(hours=12), 0.5, Amount(0.0))]
    assert baseload_w(slots) == pytest.approx(106.9)
    assert baseload_w(slots[:-20]) is None
    assert baseload_w([slot._replace(amount=slot.amount._replace(flags=("estimated",))) for slot in slots]) is None


def test_a_home_that_heats_water_at_night_is_seen_at_another_time() -> None:
    """2 000 W until 05:00, 150 W from 09:00 to 11:00."""
    night = [slot for day in range(7) for slot in _slots([1.0] * 10, MIDNIGHT + timedelta(days=day))]
    morning = [slot for day in range(7) for slot in _slots([0.075] * 4, MIDNIGHT + timedelta(days=day, hours=9))]
    assert baseload_w([*night, *morning]) == pytest.approx(2000)
    assert baseload_w([*night, *morning], night=(time(9), time(11))) == pytest.approx(150)


def test_peak_and_load_factor_are_of_what_was_measured() -> None:
    """0.5, 1.5 and 1.0 kWh in half hours: peak 3 000 W, mean 2 000 W, two thirds."""
    slots = [*_slots([0.5, 1.5, 1.0]), *_slots([9.0], MIDNIGHT + timedelta(hours=5), coverage=0.3)]
    assert peak_w(slots) == 3000
    assert load_factor(slots) == pytest.approx(2 / 3)
    assert peak_w([]) is None
    assert load_factor(_slots([0.0])) is None


def test_standby_is_a_share_of_the_day() -> None:
    """100 W are 2.4 kWh of 12: a fifth."""
    assert standby_share(100, 12) == pytest.approx(0.2)
    assert standby_share(100, 0) is None


def test_gas_becomes_energy_by_the_operators_factor() -> None:
    """3.2 m3 at 11.2 kWh/m3: 35.84 kWh; a factor in Wh or MJ is refused."""
    assert gas_kwh(3.2, 11.2) == pytest.approx(35.84)
    for wrong in (0.0112, 40.3, 11_200.0):
        with pytest.raises(ValueError, match="unit"):
            gas_kwh(3.2, wrong)


def test_water_is_in_litres_per_person() -> None:
    """0.42 m3 for three: 140 L each."""
    assert litres_per_person(0.42, 3) == pytest.approx(140)
    assert litres_per_person(0.42, 0) is None


def test_water_that_never_stands_still_is_a_sign_of_a_leak() -> None:
    """48 half hours with flow: yes. One still: no. One unknown: nobody knows. The meter's own word: yes."""
    flow = [0.002] * 48
    assert leak_sign(_slots(flow)) is True
    assert leak_sign(_slots([*flow[:20], 0.0, *flow[21:]])) is False
    assert leak_sign(_slots(flow[:47])) is None
    assert leak_sign([*_slots(flow[:47]), *_slots([0.0], MIDNIGHT + timedelta(hours=23.5), coverage=0)]) is None
    assert leak_sign([], ["LEAKING POWER_LOW"]) is True


def test_a_month_is_its_days_weighted_by_their_hours() -> None:
    """A day of 25 hours that was half measured and one of 24 that was whole."""
    month = summed([(25, Amount(10.0, 0.5, ("gap",))), (24, Amount(12.0))])
    assert month is not None
    assert (month.value, month.flags) == (22.0, ("gap",))
    assert month.coverage == pytest.approx(36.5 / 49)
    assert summed([]) is None
