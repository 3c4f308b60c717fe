"""The memory of profiles: what was put in comes out, and no more is kept than the capacity."""

from hypothesis import given
from hypothesis import strategies as st

from services.ingest.memory import Memory

STEPS = st.lists(st.tuples(st.sampled_from("abcdef"), st.integers(1, 4)), max_size=40)


@given(steps=STEPS)
def test_the_weight_never_exceeds_the_capacity(steps: list[tuple[str, int]]) -> None:
    """Whatever is remembered, in whatever order."""
    memory, weights = Memory(capacity=6), dict[str, int]()
    for key, weight in steps:
        memory.remember((key,), key, weight)
        weights[key] = weight
        kept = [key for key in weights if memory.recall((key,)) is not None]
        assert sum(weights[key] for key in kept) <= 6
        assert len(kept) == len(memory)


def test_what_was_not_used_for_longest_goes_first() -> None:
    """A recalled value is used."""
    memory = Memory(capacity=2)
    memory.remember(("a",), 1)
    memory.remember(("b",), 2)
    assert memory.recall(("a",)) == 1
    memory.remember(("c",), 3)
    assert [memory.recall((key,)) for key in "abc"] == [1, None, 3]


def test_a_value_replaces_the_former_and_can_be_forgotten() -> None:
    """One value a key."""
    memory = Memory()
    memory.remember(("a",), 1, 5)
    memory.remember(("a",), 2)
    assert memory.recall(("a",)) == 2
    memory.forget(("a",))
    memory.forget(("a",))
    assert memory.recall(("a",)) is None
    assert len(memory) == 0


def test_what_is_heavier_than_all_there_is_room_for_is_not_kept() -> None:
    """It would push out everything else, and then itself."""
    memory = Memory(capacity=3)
    memory.remember(("a",), 1, 4)
    assert len(memory) == 0
