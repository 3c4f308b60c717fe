"""Passages against SUMO's truth: the short form of what docs/accuracy-of-passages.md shows in full (docs/adr/0028)."""

import random

import pytest
from pycrate_asn1dir import ITS_CAM_2

from tests.cases import ROOT
from tests.microsimulation.accuracy import Accuracy
from tests.microsimulation.disturbance import LEVELS, Sending
from tests.microsimulation.payloads import Awareness, cam_octets, cam_tree
from tests.microsimulation.play import Played, Town, play, town

pytestmark = pytest.mark.servers
NONE, USUAL = LEVELS[0], next(each for each in LEVELS if each.name == "usual")
LASTS_S = 100
VEHICLES = 500


@pytest.fixture(scope="module")
def driven(tmp_path_factory: pytest.TempPathFactory) -> Town:
    """Twelve junctions and five hundred vehicles."""
    return town(tmp_path_factory.mktemp("town"), LASTS_S, VEHICLES)


@pytest.fixture(scope="module")
def undisturbed(driven: Town) -> Played:
    """Every message of three junctions, as it was meant."""
    return next(play(driven.only(3), [NONE]))


@pytest.fixture(scope="module")
def usual(driven: Town) -> Played:
    """All twelve junctions as they are heard on a usual day."""
    return next(play(driven, [USUAL]))


def test_five_hundred_vehicles_speak_ten_times_a_second(driven: Town, usual: Played) -> None:
    """All of them, at every tenth of a second, and a tenth of what they say is lost."""
    numbers = [len(seen) for _, seen in driven.driven.instants()]
    assert set(numbers) == {VEHICLES}
    assert len(numbers) == 10 * LASTS_S
    heard = usual.heard.outcomes
    arrived = heard["vehicle_state"] + heard["outside-all-junctions"]
    assert arrived == pytest.approx(10 * LASTS_S * VEHICLES * 0.9 * 1.01, rel=0.02)
    assert heard["rejected"] == 0
    assert heard["intersection_geometry"] > 0 < heard["signal_state"]


def test_without_disturbance_the_truth_comes_out(undisturbed: Played) -> None:
    """Every crossing once, on its lane, within tenths of a second in everything; no arrival, no violation is off."""
    found = undisturbed.accuracy
    assert found.crossings > 100
    assert found.matched >= 0.99 * found.crossings  # one that crosses while SUMO ends is not seen beyond the line
    assert found.surplus == 0
    assert found.lane_right == found.seen_whole == found.stops_right == found.arrival_right == 1
    for name, largest in (("stop line", 0.05), ("delay", 0.1), ("idle", 0.3), ("stopped", 0.3)):
        assert found.every[name].largest <= largest, name
    assert found.missed == found.accused == found.doubted == 0


def test_disturbed_as_usual_the_errors_are_within_what_is_stated(usual: Played) -> None:
    """The stated tolerances of docs/accuracy-of-passages.md: of vehicles that kept their name, and of junctions."""
    found = usual.accuracy
    assert found.crossings > 300
    assert found.matched >= 0.97 * found.crossings
    assert found.surplus <= 0.02 * found.crossings
    assert found.lane_right >= 0.97
    _within(found, "stop line", bias=0.15, mean=0.4, p95=1.0)
    _within(found, "delay", bias=0.3, mean=0.5, p95=1.2)
    _within(found, "stopped", bias=0.4, mean=0.6, p95=1.0)
    _within(found, "idle", bias=0.4, mean=0.6, p95=1.0)
    assert found.stops_right_seen >= 0.97
    assert found.arrival_wrong <= 0.05
    assert abs(found.green[0] - found.green[1]) <= 0.05


@pytest.mark.parametrize(
    ("sending", "stopped", "idle"),
    [("1 Hz", (0.2, 0.35, 1.5), (0.25, 0.3, 1.0)), ("ETSI", (0.45, 0.55, 4.2), (0.45, 0.5, 2.8))],
)
def test_who_stands_and_says_little_is_seen_to_stand(
    driven: Town, sending: Sending, stopped: tuple[float, float, float], idle: tuple[float, float, float]
) -> None:
    """Once a second at most, a tenth of it lost in a row: stops and seconds as stated, bias, mean error, 95 %."""
    level = next(each for each in LEVELS if each.sending == sending)
    found = next(play(driven, [level])).accuracy
    assert found.crossings > 300
    for name, (bias, mean, p95) in (("stopped", stopped), ("idle", idle)):
        _within(found, name, bias=bias, mean=mean, p95=p95)
    assert found.stops_right_seen >= 0.975


def test_who_stopped_at_red_is_not_accused(usual: Played) -> None:
    """Of all crossings at most one in five hundred is a violation that is told as certain and did not happen."""
    found = usual.accuracy
    assert found.accused <= found.crossings / 500


def test_a_payload_is_what_the_encoder_makes_of_it() -> None:
    """The numbers that are put into a CAM encoded once are those that pycrate would have encoded."""
    chance, kind = random.Random(3), ITS_CAM_2.CAM_PDU_Descriptions.CAM  # noqa: S311 - repeatable
    for _ in range(200):
        said = Awareness(
            chance.randrange(1 << 32),
            chance.randrange(65_536),
            chance.randrange(256),
            chance.randint(-900_000_000, 900_000_001),
            chance.randint(-1_800_000_000, 1_800_000_001),
            chance.randint(0, 3601),
            chance.randint(0, 16_383),
        )
        octets = cam_octets(said)  # its first call encodes with the same kind
        kind.set_val(cam_tree(said))
        assert octets == kind.to_uper()


def _within(found: Accuracy, name: str, *, bias: float, mean: float, p95: float) -> None:
    errors = found.seen[name]
    assert abs(errors.bias) <= bias, (name, errors)
    assert errors.mean <= mean, (name, errors)
    assert errors.p95 <= p95, (name, errors)


def test_the_page_has_the_figures_of_every_level() -> None:
    """The long form was run with the levels that are written down here."""
    text = (ROOT / "docs/accuracy-of-passages.md").read_text("utf-8")
    assert [level.name for level in LEVELS if text.count(f"| {level.name} |") < 9] == []
