"""The event log knows when a process last took messages, in a life before this one."""

from datetime import timedelta
from pathlib import Path

from services.ingest.ledger import Ledger, hour_of
from services.lastcontact import LastContact
from tests.fakes import counting_normaliser, payload
from tests.operated import AT, World

_DEVICE = "d_0000000000000000"


async def test_the_last_hour_of_an_earlier_life_is_found_and_this_life_is_not(tmp_path: Path) -> None:
    """The first start has no life before it, whatever it has taken in by the time that it asks."""
    async with World(tmp_path) as world:
        await world.take_in(counting_normaliser(), [payload(1)])
        first = world.ledger.run
        assert await LastContact(world.scan)(_DEVICE, first) is None
        world.ledger = Ledger(_DEVICE)
        await world.take_in(counting_normaliser(), [payload(2)], minute=180)
        assert await LastContact(world.scan)(_DEVICE, world.ledger.run) == hour_of(AT)
        assert await LastContact(world.scan)(_DEVICE, "another") == hour_of(AT + timedelta(hours=3))


async def test_another_process_is_no_life_of_ours(tmp_path: Path) -> None:
    """Entries are told apart by the pseudonym of the process."""
    async with World(tmp_path) as world:
        await world.take_in(counting_normaliser(), [payload(1)])
        assert await LastContact(world.scan)("d_1111111111111111", "another") is None
