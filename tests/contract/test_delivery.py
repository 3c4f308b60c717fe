"""The delivery contract, written once and kept by fakes, the embedded servers and the real ones.

Accepted + rejected = sent, none twice in the log, nothing acknowledged before it is stored, all of it in the end.
"""

from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Iterator
from contextlib import AbstractAsyncContextManager
from itertools import chain, repeat
from pathlib import Path
from random import Random

import pytest
from pydantic_core import from_json

from schemas.codec import decode
from schemas.ledger import LedgerEntry
from tests.contract import worlds
from tests.contract.worlds import Stage, playing
from tests.fakes import Failure, at_random, payload, poison, sent_numbers
from tests.servers.running import Kafka, Mosquitto

_SENT = 300


def _rejected(values: list[bytes]) -> list[str]:
    events = [from_json(value) for value in values]
    return [event["id"] for event in events if event["data"]["kind"] == "rejected"]


class DeliveryContract(ABC):
    """What every pair of source and sink must keep."""

    @abstractmethod
    def world(self, folder: Path) -> AbstractAsyncContextManager[Stage]:
        """The source and the sink under test, fresh."""

    async def test_everything_sent_is_stored_once_and_acknowledged(self, tmp_path: Path) -> None:
        """The downstream succeeds."""
        async with self.world(tmp_path) as stage:
            async with playing(stage, iter(())) as (source, _sink):
                await stage.publish([payload(number) for number in range(_SENT)])
                await source.until_acknowledged(_SENT)
            assert sorted(sent_numbers(await stage.values())) == list(range(_SENT))
            assert source.too_early == []

    async def test_what_can_never_be_read_is_rejected_and_acknowledged(self, tmp_path: Path) -> None:
        """The payload fails for good: it is in the log as rejected, its neighbours as records."""
        async with self.world(tmp_path) as stage:
            async with playing(stage, iter(())) as (source, _sink):
                await stage.publish([poison(n) if n % 5 == 0 else payload(n) for n in range(_SENT)])
                await source.until_acknowledged(_SENT)
            values = await stage.values()
            assert sorted(sent_numbers(values)) == [n for n in range(_SENT) if n % 5]
            assert len(_rejected(values)) == len(set(_rejected(values))) == _SENT // 5
            assert source.too_early == []

    async def test_a_downstream_that_fails_for_now_loses_and_doubles_nothing(self, tmp_path: Path) -> None:
        """The first calls are refused; the same batches are sent again until they are stored."""
        async with self.world(tmp_path) as stage:
            async with playing(stage, repeat(Failure.BEFORE, 5)) as (source, sink):
                await stage.publish([payload(number) for number in range(_SENT)])
                await source.until_acknowledged(_SENT)
            assert sink.failures == 5
            assert sorted(sent_numbers(await stage.values())) == list(range(_SENT))
            assert source.too_early == []

    @pytest.mark.parametrize("seed", [1, 2, 3])
    async def test_failures_of_all_kinds_at_random_still_account_for_every_message(
        self, tmp_path: Path, seed: int
    ) -> None:
        """Poison and refusals are mixed; accepted + rejected = sent, none twice."""
        chance = Random(seed)  # noqa: S311 - repeatable
        good = [chance.random() < 0.8 for _ in range(_SENT)]
        script: Iterator[Failure] = chain([Failure.BEFORE], at_random(seed, share=0.2))
        async with self.world(tmp_path) as stage:
            async with playing(stage, script) as (source, sink):
                await stage.publish([payload(n) if good[n] else poison(n) for n in range(_SENT)])
                await source.until_acknowledged(_SENT)
            assert sink.failures > 0
            values = await stage.values()
            assert sorted(sent_numbers(values)) == [n for n in range(_SENT) if good[n]]
            assert len(_rejected(values)) == len(set(_rejected(values))) == good.count(False)
            assert source.too_early == []

    async def test_a_lost_answer_gives_the_same_event_again_never_another(self, tmp_path: Path) -> None:
        """The log stored the batch and could not say so: the second copy has the same id."""
        script = chain([Failure.AFTER], at_random(4, share=0.2, kinds=(Failure.AFTER, Failure.BEFORE)))
        async with self.world(tmp_path) as stage:
            async with playing(stage, script) as (source, _sink):
                await stage.publish([payload(number) for number in range(_SENT)])
                await source.until_acknowledged(_SENT)
            values = await stage.values()
            events = [value for value in values if decode(value).record.kind != "ledger_entry"]
            assert sorted({*sent_numbers(events)}) == list(range(_SENT))
            assert len({from_json(value)["id"] for value in events}) == _SENT < len(events)
            assert source.too_early == []

    async def test_every_message_is_in_the_ledger_once(self, tmp_path: Path) -> None:
        """Whatever failed: the entries, each once, sum up to what was sent, and name every message."""
        script = at_random(5, share=0.3, kinds=(Failure.AFTER, Failure.BEFORE))
        sent = [payload(number) if number % 3 else poison(number) for number in range(_SENT)]
        async with self.world(tmp_path) as stage:
            async with playing(stage, script) as (source, _sink):
                await stage.publish(sent)
                await source.until_acknowledged(_SENT)
            events = [decode(value) for value in await stage.values()]
            entries = {each.id: each.record for each in events if isinstance(each.record, LedgerEntry)}.values()
            accounts = [account for entry in entries for account in entry.accounts]
            assert sum(each.received for each in accounts) == _SENT
            assert sum(each.rejected for each in accounts) == len(sent[::3])
            assert sum(each.normalised for each in accounts) == _SENT - len(sent[::3])
            named = Counter(entry.prints[i : i + 8] for entry in entries for i in range(0, len(entry.prints), 8))
            ids = {each.id for each in events if not isinstance(each.record, LedgerEntry)}
            assert named == Counter(bytes.fromhex(each[:16]) for each in ids)


class TestFakes(DeliveryContract):
    """In memory."""

    def world(self, folder: Path) -> AbstractAsyncContextManager[Stage]:
        """In memory."""
        return worlds.fakes(folder)


class TestEmbedded(DeliveryContract):
    """The embedded broker and the event log in a file."""

    def world(self, folder: Path) -> AbstractAsyncContextManager[Stage]:
        """In the folder of the test."""
        return worlds.embedded(folder)


@pytest.mark.servers
class TestRealServers(DeliveryContract):
    """Mosquitto and Kafka."""

    @pytest.fixture(autouse=True)
    def _servers(self, mosquitto: Mosquitto, kafka: Kafka) -> None:
        self._mosquitto, self._kafka = mosquitto, kafka

    def world(self, folder: Path) -> AbstractAsyncContextManager[Stage]:
        """On the servers of the module."""
        del folder
        return worlds.real(self._mosquitto, self._kafka)


async def test_a_reconnect_in_the_middle_loses_nothing_and_doubles_only_what_came_again() -> None:
    """What was unacknowledged at the reconnect comes again, is stored again with the same id, and acknowledged once."""
    async with worlds.fakes(Path()) as stage:
        async with playing(stage, repeat(Failure.BEFORE, 2)) as (source, _sink):
            await stage.publish([payload(number) for number in range(_SENT)])
            await source.until_acknowledged(50)
            stage.source.reconnect()  # type: ignore[attr-defined]
            before = len(source.acknowledged)
            await stage.publish([payload(_SENT)])
            while len(stage.source._in_flight) or len(stage.source._queued):  # type: ignore[attr-defined]
                await source.until_acknowledged(len(source.acknowledged) + 1)
        values = await stage.values()
        doubled = len(values) - (_SENT + 1)
        assert sorted({*sent_numbers(values)}) == list(range(_SENT + 1))
        assert doubled <= sum(each.redelivered for each in source.taken)
        assert source.too_early == []
        assert before >= 50
