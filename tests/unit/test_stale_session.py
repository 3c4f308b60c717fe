"""A broker that was killed can come back with a session older than what it had sent: nothing of that is dropped."""

import asyncio
from typing import cast

from aiomqtt import PublishPacket, QoS

from services.ingest.adapters.mqtt import MqttSource
from services.ingest.adapters.mqtt_connection import Connection
from services.ingest.ports import Delivery
from services.runtime.settings import MqttSettings
from tests.contract.worlds import Connections


def _source() -> MqttSource:
    source = MqttSource(MqttSettings(), ("counting/+",), Connections())
    _connect(source, resumed=False)
    return source


def _connect(source: MqttSource, *, resumed: bool) -> None:
    source._begin(cast("Connection", None), resumed=resumed)


def _arrive(source: MqttSource, packet_id: int, payload: bytes, *, again: bool = False) -> None:
    source._take(PublishPacket("counting/one", payload, qos=QoS.AT_LEAST_ONCE, packet_id=packet_id, duplicate=again))


async def _taken(source: MqttSource, number: int) -> list[Delivery]:
    taken: list[Delivery] = []
    async with asyncio.timeout(30):
        async for batch in source.batches(100, 0.001):
            taken += batch
            if len(taken) >= number:
                break
    return taken


async def test_what_the_broker_sends_again_is_not_handed_on_twice() -> None:
    """The copy of the lost connection is replaced by the one that can be acknowledged."""
    source = _source()
    _arrive(source, 1, b"first")
    _arrive(source, 2, b"second")
    _connect(source, resumed=True)
    _arrive(source, 1, b"first", again=True)
    _arrive(source, 2, b"second", again=True)
    assert [(each.message.payload, each.generation) for each in await _taken(source, 2)] == [
        (b"first", 2),
        (b"second", 2),
    ]
    assert source._doubtful == {}


async def test_a_number_that_names_another_message_shows_that_the_first_is_forgotten() -> None:
    """It is processed all the same, and acknowledged to nobody."""
    source = _source()
    _arrive(source, 1, b"forgotten")
    _connect(source, resumed=True)
    _arrive(source, 1, b"another")
    found = {each.message.payload: each.generation for each in await _taken(source, 2)}
    assert found == {b"forgotten": 0, b"another": 2}


async def test_what_does_not_come_again_in_time_is_processed() -> None:
    """The session is there and the message is not in it."""
    source = _source()
    _arrive(source, 7, b"forgotten")
    _connect(source, resumed=True)
    source._hand_on(1)
    assert list(source._doubtful) == [7], "a timer of an older connection hands nothing on"
    source._hand_on(2)
    assert [(each.message.payload, each.generation) for each in await _taken(source, 1)] == [(b"forgotten", 0)]


async def test_connections_that_break_again_and_again_keep_one_copy_of_each() -> None:
    """Memory stays bounded while the event log takes nothing and the network flaps."""
    source = _source()
    for _ in range(50):
        for packet_id in range(1, 21):
            _arrive(source, packet_id, b"%d" % packet_id, again=True)
        _connect(source, resumed=True)
    assert len(source._doubtful) + len(source._arrived) == 20
