"""The acknowledgement engine releases in receive order, each delivery once, nothing before its predecessors."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.ingest.acknowledgement import AcknowledgementWindow
from services.ingest.ports import Delivery
from services.ingest.profiles import Message

_MESSAGE = Message("t", b"", datetime(2026, 1, 1, tzinfo=UTC))


def _deliveries(number: int, generation: int = 1, start: int = 0) -> list[Delivery]:
    return [Delivery(_MESSAGE, generation, each, each + 1) for each in range(start, start + number)]


@given(st.data(), st.integers(1, 60))
def test_any_order_of_completion_releases_in_receive_order_each_once(data: st.DataObject, number: int) -> None:
    """Whatever completes first, and however often it is said, the released sequence is 0, 1, 2 and so on."""
    window = AcknowledgementWindow()
    deliveries = _deliveries(number)
    window.received(deliveries, 0.0)
    completed: set[int] = set()
    released: list[int] = []
    repeated = data.draw(st.lists(st.sampled_from(deliveries), max_size=10))
    for delivery in data.draw(st.permutations([*deliveries, *repeated])):
        completed.add(delivery.sequence)
        now = [each.sequence for each in window.produced([delivery])]
        released += now
        assert all(set(range(each + 1)) <= completed for each in now)
        assert window.in_flight == number - len(released)
    assert list(range(number)) == released
    assert window.oldest_age_s(5.0) == 0.0


@given(st.lists(st.tuples(st.integers(1, 12), st.booleans()), max_size=20))
def test_nothing_of_an_older_connection_is_ever_released(steps: list[tuple[int, bool]]) -> None:
    """Completing late what a lost connection delivered acknowledges nothing on the new one."""
    window = AcknowledgementWindow()
    stale: list[Delivery] = []
    for generation, (number, complete) in enumerate(steps, 1):
        fresh = _deliveries(number, generation)
        window.received(fresh, 0.0)
        assert window.produced(stale) == []
        assert window.in_flight == number
        if complete:
            assert window.produced(fresh) == fresh
        stale += fresh


def test_a_message_that_comes_again_on_a_new_connection_is_acknowledged_there() -> None:
    """The new connection starts with an empty window and its own sequence."""
    window = AcknowledgementWindow()
    first, again = _deliveries(2, 1), _deliveries(2, 2)
    window.received(first, 0.0)
    window.received(again, 1.0)
    assert window.produced(first) == []
    assert window.produced(again) == again


def test_an_orphan_is_never_acknowledged_and_disturbs_nothing() -> None:
    """Generation 0 has no session: it passes through beside a living connection."""
    window = AcknowledgementWindow()
    orphans, living = _deliveries(3, 0), _deliveries(2, 1)
    window.received([*orphans, *living], 0.0)
    assert window.in_flight == 2
    assert window.produced(orphans) == []
    assert window.produced(living) == living


def test_a_source_that_loses_the_order_is_found_out() -> None:
    """A gap in the sequence would acknowledge the wrong message: it is refused."""
    window = AcknowledgementWindow()
    with pytest.raises(ValueError, match="delivery 3 came when 0 was expected"):
        window.received(_deliveries(1, start=3), 0.0)


def test_the_age_is_of_the_oldest_that_is_not_released() -> None:
    """Releasing the first batch leaves the age of the second."""
    window = AcknowledgementWindow()
    first, second = _deliveries(2), _deliveries(2, start=2)
    window.received(first, 10.0)
    window.received(second, 14.0)
    assert window.oldest_age_s(20.0) == 10.0
    window.produced(first)
    assert window.oldest_age_s(20.0) == 6.0
    window.produced(second)
    assert window.oldest_age_s(20.0) == 0.0
