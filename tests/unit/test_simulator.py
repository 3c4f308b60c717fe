"""The simulated city: repeatable, honest about its truth, and written in formats that devices write."""

import json
from collections import Counter, defaultdict
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest

from services.simulator import Bordeaux, Winter, last_two_winters
from services.simulator.formats import Publication
from services.simulator.home import FAULTS
from services.simulator.meters import EVERY_HOURS

PARIS = ZoneInfo("Europe/Paris")
NOW_S = 1_795_500_000
MARCH = (
    Winter("baseline", date(2025, 3, 26), date(2025, 4, 2)),
    Winter("challenge", date(2026, 3, 25), date(2026, 4, 1)),
)
"""Both weeks have the night in which the clock goes forward."""


def _city(seed: int = 33, families: int = 26) -> Bordeaux:
    return Bordeaux(MARCH, NOW_S, seed=seed, families=families, traffic_minutes=4)


def _by_meter(messages: list[Publication]) -> dict[str, list[tuple[datetime, int]]]:
    """Instant and index in Wh of each message of the meters with a clock, by counter."""
    found: dict[str, list[tuple[datetime, int]]] = defaultdict(list)
    for topic, payload in messages:
        try:
            message = json.loads(payload)
        except ValueError:
            continue
        if topic.startswith("teleinfo/"):
            wall, index_wh = message["DATE"]["timestamp"]["date"].rstrip("Z"), int(message["EAST"]["raw"])
            name = topic
        elif topic.endswith("/SENSOR"):
            wall, name = message["Time"], topic
            if "TIC" in message:
                index_wh = message["TIC"]["BASE"]
            else:
                index_wh = round(message["ENERGY"]["Total"] * 1000)
                name += message["ENERGY"]["TotalStartTime"]
        else:
            continue
        found[name].append((datetime.fromisoformat(wall).replace(tzinfo=PARIS).astimezone(UTC), index_wh))
    return found


def test_the_same_seed_gives_the_same_city() -> None:
    """Message for message; another seed gives another one."""
    assert list(_city().messages()) == list(_city().messages())
    assert list(_city().messages()) != list(_city(seed=34).messages())


def test_a_winter_has_all_its_hours() -> None:
    """From 1 December to 30 April, an hour less for summer time, two whole winters before today."""
    baseline, challenge = last_two_winters(date(2026, 11, 24))
    assert (baseline.first, baseline.after) == (date(2024, 12, 1), date(2025, 5, 1))
    assert (challenge.first, challenge.after) == (date(2025, 12, 1), date(2026, 5, 1))
    assert challenge.hours == 151 * 24 - 1
    assert [each.first for each in last_two_winters(date(2026, 4, 30))] == [date(2023, 12, 1), date(2024, 12, 1)]
    assert last_two_winters(date(2026, 11, 24), days=3)[1].after == date(2025, 12, 4)


@pytest.mark.parametrize("winter", MARCH, ids=lambda winter: winter.name)
def test_meters_are_read_at_midnight_and_by_the_clock_on_the_wall(winter: Winter) -> None:
    """Every three hours, also in the week in which an hour is missing."""
    city = _city()
    messages = list(city.messages())
    serial = next(each for each in city.families if each.metering == "linky_standard" and each.fault is None).serials[0]
    instants = [at for at, _ in _by_meter(messages)[f"teleinfo/{serial}"] if _within(at, winter)]
    walls = [at.astimezone(PARIS) for at in instants]
    assert {wall.hour for wall in walls} == set(range(0, 24, EVERY_HOURS))
    assert {wall.date() for wall in walls if wall.hour == 0} == {
        winter.first + timedelta(days=n) for n in range((winter.after - winter.first).days + 1)
    }
    steps = {round((after - before).total_seconds() / 3600) for before, after in pairwise(instants)}
    assert steps == {EVERY_HOURS, EVERY_HOURS - 1}


def _within(at: datetime, winter: Winter) -> bool:
    return winter.first <= at.astimezone(PARIS).date() <= winter.after


def test_the_truth_is_what_the_counters_say() -> None:
    """Rises of all counters of a home, added up from its messages, are what its truth calls visible."""
    city = _city()
    shown = _by_meter(list(city.messages()))
    for family in city.families:
        if family.metering == "linky_historique":
            continue
        counters = [
            points
            for name, points in shown.items()
            if any(serial in name for serial in family.serials) or f"/{family.device}/" in name
        ]
        for winter in MARCH:
            truth = city.truth.homes[family.name, winter.name]
            rises_wh = 0
            for points in counters:
                inside = sorted({(at, index) for at, index in points if index and _within(at, winter)})
                assert [index for _, index in inside] == sorted(index for _, index in inside), family
                rises_wh += inside[-1][1] - inside[0][1] if inside else 0
            # What is used before the first reading of a winter, less than a minute after midnight, is not seen.
            first_minute_wh = max(truth.by_day_kwh.values()) * 1000 / 24 / 60 * 3
            assert rises_wh == pytest.approx(truth.visible_kwh * 1000, abs=first_minute_wh + 3), family
            assert sum(truth.by_day_kwh.values()) == pytest.approx(truth.consumed_kwh)


def test_every_fault_is_in_the_city() -> None:
    """Each of them in the challenge, and in its messages."""
    city = _city()
    messages = list(city.messages())
    shown = _by_meter(messages)
    assert {each.fault for each in city.families} == {None, *FAULTS}
    unseen = {
        each.fault
        for each in city.families
        if city.truth.homes.get((each.name, "challenge")) and _unseen(city, each.name)
    }
    assert unseen == {"reset", "changed_meter"}
    by_fault = {each.fault: each for each in city.families[:6]}
    glitching = by_fault["glitch"].serials[0]
    assert 0 in [index for _, index in shown[f"teleinfo/{glitching}"]]
    late = [at for at, _ in shown[f"teleinfo/{by_fault['late'].serials[0]}"]]
    assert late != sorted(late)
    gaps = [
        after - before for before, after in pairwise(at for at, _ in shown[f"teleinfo/{by_fault['gap'].serials[0]}"])
    ]
    assert any(timedelta(days=2) < gap < timedelta(days=3) for gap in gaps)
    twice = Counter(messages)
    assert sum(number > 1 for number in twice.values()) > 10
    assert city.truth.unmetered_messages == sum(topic.endswith("/STATE") for topic, _ in messages) > 0


def _unseen(city: Bordeaux, family: str) -> bool:
    return city.truth.homes[family, "challenge"].unseen_kwh > 0


def test_the_winters_differ_and_heating_follows_the_weather() -> None:
    """The challenge is milder; a home with electric heating takes more on its coldest days than on its mildest."""
    winters = last_two_winters(date(2026, 11, 24))
    city = Bordeaux(winters, NOW_S, families=12, traffic_minutes=0)
    for _ in city.messages():
        pass
    means = {winter.name: sum(city._temperatures[winter.name]) / (winter.hours + 1) for winter in winters}
    assert 5 < means["baseline"] < means["challenge"] < 11
    heated = next(each for each in city.families if each.heat_w_per_k > 100)
    winter, hourly = winters[0], city._temperatures["baseline"]
    days = city.truth.homes[heated.name, "baseline"].by_day_kwh
    mildness = {
        winter.first + timedelta(days=day): sum(hourly[start:end]) / (end - start)
        for day, (start, end) in enumerate(pairwise(winter.midnights))
    }
    by_mildness = sorted(days, key=mildness.__getitem__)
    assert sum(days[day] for day in by_mildness[:20]) > 1.5 * sum(days[day] for day in by_mildness[-20:])


def test_teams_save_differently() -> None:
    """The efforts of the teams lie on both sides of the goal of 8 %."""
    city = Bordeaux(last_two_winters(date(2026, 11, 24)), NOW_S)
    assert len(city.families) == 100
    efforts: dict[str, list[float]] = defaultdict(list)
    for family in city.families:
        efforts[family.team].append(family.saving)
    means = {team: sum(each) / len(each) for team, each in efforts.items()}
    assert len(means) == 12
    assert min(means.values()) < 0.08 < max(means.values())


def test_meters_without_a_clock_go_on_counting() -> None:
    """Historique frames carry no time; each frame shows a little more, and the truth says how much."""
    city = _city()
    frames = [list(city.frames_now()) for _ in range(4)]
    first, last = (int(json.loads(each[0].payload)["BASE"]["raw"]) for each in (frames[0], frames[-1]))
    name = next(each.name for each in city.families if each.metering == "linky_historique")
    assert last - first == city.truth.live_wh[name] > 0
    assert "DATE" not in json.loads(frames[0][0].payload)
