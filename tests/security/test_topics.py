"""A device reaches its family's topics by its own name, or by what `garonne devices enrol` gave it."""

import re
import runpy
import subprocess
from collections.abc import Iterator
from types import SimpleNamespace

import pytest

from services.ingest.profiles import discover
from tests.cases import ROOT, find_cases
from tests.deploy.shipped import ShippedMosquitto
from tests.security.clients import Broker

BY_HAND = frozenset((
    "ams_reader_no", "dsmr_p1_raw", "etsi_uper", "geonetworking_btp", "homeassistant_discovery",
    "homeassistant_statestream", "it_sinapsi_alfa", "j2735_uper", "jpo_ode_json", "linky_tic_raw", "senml",
    "sunspec_solaredge", "vanetza_nap_json", "wmbusmeters", "zigbee2mqtt_plug", "zlinky_zigbee2mqtt",
))  # fmt: skip
"""Families whose topics do not say who speaks: a gateway is given them, and trusted."""
FILES = frozenset(("enedis_csv", "garonne_csv", "grdf_csv", "temperature_csv"))
"""History files go the way of messages, and no device may publish one."""
OURS = frozenset(("garonne_probe",))
"""Published by `garonne doctor`, whose user has its topic in the ACL, and by no device."""
_MAKE_SECRETS = SimpleNamespace(**runpy.run_path(str(ROOT / "deploy/make_secrets.py")))
_PATTERNS = re.findall(r"^pattern write (\S+)$", (ROOT / "deploy/mosquitto/acl").read_text("utf-8"), re.MULTILINE)


def _fits(topic_filter: str, topic: str) -> bool:
    levels, parts = topic.split("/"), topic_filter.split("/")
    for at, part in enumerate(parts):
        if part == "#":
            return True
        if at >= len(levels) or part not in {"+", levels[at]}:
            return False
    return len(levels) == len(parts)


def _owner(topic: str) -> str | None:
    """The name under which a topic may be written, if a pattern gives it to a name."""
    for name in dict.fromkeys(topic.split("/")):
        may_be_called_so = _MAKE_SECRETS.DEVICE_NAME.fullmatch(name) and name not in _MAKE_SECRETS.TOPIC_WORDS
        if may_be_called_so and any(_fits(each.replace("%u", name), topic) for each in _PATTERNS):
            return name
    return None


def _own() -> dict[str, tuple[str, str]]:
    """Of each family that is not given by hand, a topic with its owner."""
    found: dict[str, tuple[str, str]] = {}
    for case in find_cases():
        owner = _owner(case.message.topic)
        if owner is not None and case.profile not in BY_HAND | FILES:
            found.setdefault(case.profile, (owner, case.message.topic))
    return found


def test_every_family_is_reached_by_name_given_by_hand_or_a_file() -> None:
    """A new profile must come into the ACL, or into one of the lists."""
    assert set(_own()) | BY_HAND | FILES | OURS == set(discover())
    assert not set(_own()) & (BY_HAND | FILES | OURS)
    for case in find_cases():
        assert _owner(case.message.topic) is None or case.profile not in FILES


@pytest.fixture(scope="module")
def enrolled(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Broker]:
    """The broker with a device for each family, and a gateway that was given all of those by hand."""
    site = tmp_path_factory.mktemp("enrolled")
    subprocess.run(["cp", "-r", ROOT / "deploy", site / "deploy"], check=True)
    subprocess.run(["rm", "-rf", site / "deploy/secrets"], check=True)
    devices = [word for name in sorted({name for name, _ in _own().values()}) for word in ("--device", name)]
    given = [word for each in sorted(BY_HAND) for topic in discover()[each].topics for word in ("--topic", topic)]
    for arguments in (devices, ["--device", "passerelle-1", *given]):
        command = [str(site / "deploy/make-secrets"), *arguments]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
    with ShippedMosquitto(tmp_path_factory.mktemp("enrolled-mosquitto"), site) as server:
        yield Broker(server, site)


@pytest.mark.servers
def test_a_device_of_every_family_may_speak_for_itself_and_no_other(enrolled: Broker) -> None:
    """Its golden topic is taken from it, and refused from the device of another family."""
    own = _own()
    names = sorted({name for name, _ in own.values()})
    for family, (owner, topic) in own.items():
        with enrolled.device(owner) as device:
            assert device.publish(topic) == "Success", family
        other = next(each for each in names if each not in topic.split("/"))
        with enrolled.device(other) as device:
            assert device.publish(topic) == "Not authorized", family


@pytest.mark.servers
def test_a_gateway_may_speak_where_it_was_enrolled_and_nobody_else(enrolled: Broker) -> None:
    """A topic of each family that is given by hand; a device that was given nothing is refused."""
    topics = {case.profile: case.message.topic for case in find_cases() if case.profile in BY_HAND}
    assert set(topics) == BY_HAND
    with enrolled.device("passerelle-1") as gateway:
        assert {gateway.publish(topic) for topic in topics.values()} == {"Success"}
    name = min(name for name, _ in _own().values())
    for family, topic in topics.items():
        with enrolled.device(name) as device:
            assert device.publish(topic) == "Not authorized", family


def test_what_stands_in_the_shipped_acl_is_what_is_read() -> None:
    """Every pattern opens topics that a profile reads, or the commands of a device: none is there for nothing."""
    filters = [each for profile in discover().values() for each in profile.topics]
    for pattern in _PATTERNS:
        sample = "/".join("x9" if level in {"%u", "+", "#"} else level for level in pattern.split("/"))
        assert any(_fits(each, sample) or _fits(pattern.replace("%u", "+"), each) for each in filters), pattern
