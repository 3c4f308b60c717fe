"""Hostile messages by the thousand: the short form of `python -m tests.security.fuzz`."""

from services.ingest.profiles import discover
from tests.cases import find_cases
from tests.security.fuzz import fuzz, fuzz_whole
from tests.security.hostile import BOMBS, hostile_messages


def test_hostile_messages_are_accounted_for_and_no_profile_fails() -> None:
    """Twenty thousand, with bombs among them: each has one end, and what goes on survives the way to Kafka."""
    *_, harvest = fuzz(hostile_messages(1), 20_000, parts=4)
    assert harvest.messages == 20_000
    assert harvest.faults == {}
    assert sum(harvest.ends.values()) == 20_000
    # Else the damage would be so great that nothing is ever read.
    assert harvest.ends["events"] > 1000


def test_hostile_messages_pass_the_whole_path_and_the_audit_adds_up() -> None:
    """Five hundred through event log and aggregator into a time series: none is lost between any two of them."""
    *_, harvest = fuzz_whole(hostile_messages(2), 500, part=250)
    assert harvest.messages == 500
    assert harvest.events > 250


def test_the_damage_reaches_every_family_and_every_bomb_goes_off() -> None:
    """Messages begin as golden ones of all profiles; within 100,000 each bomb has been sent."""
    topics = {case.message.topic: case.profile for case in find_cases()}
    messages = hostile_messages(3)
    reached, bombs = set(), set()
    for _ in range(100_000):
        message = next(messages)
        reached.add(topics.get(message.topic))
        if len(message.payload) > 1000:
            bombs.add(message.payload)
    assert set(discover()) <= reached
    assert set(BOMBS) <= bombs
