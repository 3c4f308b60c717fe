"""The MQTT source against a real Mosquitto: sessions, redelivery, windows, passwords, TLS, silence."""

import asyncio
import subprocess
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from itertools import count
from pathlib import Path
from typing import cast

import pytest
from aiomqtt import ConnectError
from pydantic_core import from_json

from services.ingest.adapters.mqtt import MqttSource
from services.ingest.ports import Delivery, Outgoing, Unavailable
from services.ingest.service import run_ingest
from services.ingest.telemetry import IngestTelemetry
from services.runtime.settings import IngestSettings, MqttSettings, Settings
from tests.contract.certificates import Certificates, make_certificates
from tests.contract.worlds import Connections, publish
from tests.fakes import FakeSink, counting_normaliser, payload, sent_numbers
from tests.servers.running import Mosquitto, free_port

pytestmark = pytest.mark.servers

_names = count()


def _settings(port: int, **others: object) -> MqttSettings:
    return MqttSettings.model_validate(
        {
            "port": port,
            "client_id": f"source-{next(_names)}",
            "reconnect_least_s": 0.05,
            "reconnect_most_s": 0.2,
            **others,
        }
    )


@asynccontextmanager
async def _connected(settings: MqttSettings) -> AsyncIterator[tuple[MqttSource, Connections]]:
    events = Connections()
    async with MqttSource(settings, ("counting/+",), events) as source:
        await events.first()
        yield source, events


async def _take(source: MqttSource, number: int, *, acknowledge: bool = False) -> list[Delivery]:
    taken: list[Delivery] = []
    async with asyncio.timeout(60):
        async for batch in source.batches(512, 0.02):
            taken += batch
            if acknowledge:
                await source.acknowledge(batch)
            if len(taken) >= number:
                return taken
    raise AssertionError


def _payloads(deliveries: Sequence[Delivery]) -> list[bytes]:
    return [each.message.payload for each in deliveries]


async def test_what_was_not_acknowledged_comes_again_to_the_next_process(mosquitto: Mosquitto) -> None:
    """The broker replays right after CONNACK, before our SUBSCRIBE: nothing of it is lost, and it is marked."""
    settings = _settings(mosquitto.port)
    sent = [payload(number) for number in range(10)]
    async with _connected(settings) as (source, events):
        await publish(mosquitto.port, sent)
        first = await _take(source, 10)
        await source.acknowledge(first[:4])
        assert events.made == [False]
    async with _connected(settings) as (source, events):
        again = await _take(source, 6)
        assert sent[4:] == _payloads(again)
        assert all(each.redelivered for each in again)
        assert events.made == [True]
        await source.acknowledge(again)
    async with _connected(settings) as (source, _events):
        await publish(mosquitto.port, [payload(99)])
        assert _payloads(await _take(source, 1)) == [payload(99)]


async def test_an_acknowledgement_of_the_last_connection_is_a_no_op_on_the_next(mosquitto: Mosquitto) -> None:
    """After a cut the same packet ids are in use again: only the new deliveries can be acknowledged."""
    settings = _settings(mosquitto.port)
    async with _connected(settings) as (source, events):
        await publish(mosquitto.port, [payload(number) for number in range(5)])
        before = await _take(source, 5)
        assert source._connection is not None
        source._connection.cut("the test cut it")
        await events.until(lambda seen: len(seen.made) == 2)
        again = await _take(source, 5)
        assert {each.generation for each in before} == {1}
        assert {each.generation for each in again} == {2}
        assert {each.packet_id for each in before} == {each.packet_id for each in again}
        await source.acknowledge(before)
    async with _connected(settings) as (source, _events):
        assert _payloads(await _take(source, 5)) == _payloads(before)


class _ClosedTransport:
    """A transport of uvloop whose handle is closed."""

    def write(self, _data: bytes) -> None:
        """As uvloop words it."""
        raise RuntimeError("unable to perform operation on <TCPTransport closed=True>; the handler is closed")


async def test_an_acknowledgement_on_a_connection_that_has_just_ended_ends_nothing(mosquitto: Mosquitto) -> None:
    """On uvloop a closed transport raises an error of its own kind: it is no defect of ours, and all comes again."""
    async with _connected(_settings(mosquitto.port)) as (source, events):
        await publish(mosquitto.port, [payload(number) for number in range(3)])
        taken = await _take(source, 3)
        connection = source._connection
        assert connection is not None
        right, connection._writer = connection._writer, cast("asyncio.StreamWriter", _ClosedTransport())
        await source.acknowledge(taken)
        with pytest.raises(ConnectError):
            await connection.puback_all([1])
        connection._writer = right
        connection.cut("the test cut it")
        await events.until(lambda seen: len(seen.made) == 2)
        assert len(await _take(source, 3)) == 3


async def test_a_broker_with_twenty_in_flight_does_not_stall(mosquitto: Mosquitto) -> None:
    """The broker's window is smaller than the batch: batches go out when nothing more comes."""
    async with _connected(_settings(mosquitto.port)) as (source, _events):
        publishing = asyncio.create_task(publish(mosquitto.port, [payload(number) for number in range(1000)]))
        taken = await _take(source, 1000, acknowledge=True)
        await publishing
        assert [payload(number) for number in range(1000)] == _payloads(taken)


async def test_a_burst_at_qos_0_arrives_whole_and_has_nothing_to_acknowledge(mosquitto: Mosquitto) -> None:
    """Meters that publish at QoS 0 are delivered at QoS 0, many in one read of the socket."""
    async with _connected(_settings(mosquitto.port)) as (source, events):
        await publish(mosquitto.port, [payload(number) for number in range(500)], qos=0)
        taken = await _take(source, 500)
        assert [payload(number) for number in range(500)] == _payloads(taken)
        assert {each.packet_id for each in taken} == {None}
        assert events.dropped == 0


async def test_retained_messages_are_marked_and_come_once_per_subscription(mosquitto: Mosquitto) -> None:
    """State, not news; a resumed subscription does not send it again."""
    settings = _settings(mosquitto.port)
    topic = "counting/retained"
    await publish(mosquitto.port, [payload(7)], topic=topic, retain=True)
    try:
        async with _connected(settings) as (source, _events):
            taken = await _take(source, 1)
            assert all(each.message.retained for each in taken)
            await source.acknowledge(taken)
            await publish(mosquitto.port, [payload(8)], topic=topic, retain=True)
            live = await _take(source, 1)
            assert not any(each.message.retained for each in live)
            await source.acknowledge(live)
        async with _connected(settings) as (source, _events):
            await publish(mosquitto.port, [payload(9)])
            assert _payloads(await _take(source, 1)) == [payload(9)]
    finally:
        await publish(mosquitto.port, [b""], topic=topic, retain=True)


async def test_a_broker_that_forgot_the_session_raises_the_alarm_and_the_flow_goes_on(tmp_path: Path) -> None:
    """Restarted without its store: resubscribed at once, the gap is told, in the log and in health."""
    telemetry, stop, sink = IngestTelemetry(), asyncio.Event(), FakeSink()
    with Mosquitto(tmp_path) as server:
        settings = Settings(
            mqtt=_settings(server.port), ingest=IngestSettings(batch=64, linger_s=0.005, metrics_port=0)
        )
        async with asyncio.TaskGroup() as group:
            group.create_task(
                run_ingest(settings, counting_normaliser(), ("counting/+",), sink, stop, telemetry=telemetry)
            )
            await _until_connections(telemetry, 1)
            await publish(server.port, [payload(number) for number in range(50)])
            await sink.until(50)
            await asyncio.to_thread(server.stop)
            server.forget()
            await asyncio.to_thread(server.start)
            await _until_connections(telemetry, 2)
            await publish(server.port, [payload(number) for number in range(50, 100)])
            await sink.until(101)
            stop.set()
    assert sorted(sent_numbers(each.value for each in sink.log)) == list(range(100))
    (gap,) = [from_json(each.value)["data"] for each in sink.log if each.topic == "garonne.status"]
    assert gap["missing_from"] < gap["missing_until"]
    assert "messages may be missing" in telemetry.health.readyz()["session"].text
    assert telemetry.registry.get_sample_value("garonne_ingest_session_lost_total") == 1


async def test_a_gap_is_in_the_record_even_if_ingest_is_stopped_at_once(tmp_path: Path) -> None:
    """The event log is away while the session is lost; it comes back after the stop was asked for."""
    telemetry, stop, log = IngestTelemetry(), asyncio.Event(), FakeSink()
    sink = _FromThenOn(log, stop)
    with Mosquitto(tmp_path) as server:
        settings = Settings(mqtt=_settings(server.port), ingest=IngestSettings(batch=64, metrics_port=0))
        async with asyncio.TaskGroup() as group:
            group.create_task(
                run_ingest(settings, counting_normaliser(), ("counting/+",), sink, stop, telemetry=telemetry)
            )
            await _until_connections(telemetry, 1)
            await asyncio.to_thread(server.stop)
            server.forget()
            await asyncio.to_thread(server.start)
            await _until_connections(telemetry, 2)
            stop.set()
    assert [each.topic for each in log.log] == ["garonne.status"]


class _FromThenOn:
    """A sink that is away until an event is set."""

    def __init__(self, inner: FakeSink, then: asyncio.Event) -> None:
        self._inner = inner
        self._then = then

    async def send(self, batch: Sequence[Outgoing]) -> None:
        """Not before."""
        if not self._then.is_set():
            raise Unavailable("not yet")
        await self._inner.send(batch)


async def _until_connections(telemetry: IngestTelemetry, number: int) -> None:
    name = "garonne_ingest_connections_total"
    await _until(lambda: (telemetry.registry.get_sample_value(name) or 0) >= number)


async def _until(holds: Callable[[], bool]) -> None:
    """For what has no event to wait for."""
    async with asyncio.timeout(60):
        while not holds():  # noqa: ASYNC110 - see above
            await asyncio.sleep(0.005)


async def test_a_forgotten_session_loses_nothing_that_had_reached_us(tmp_path: Path) -> None:
    """What waited here untaken is handed on as orphans: it will not come again."""
    with Mosquitto(tmp_path) as server:
        async with _connected(_settings(server.port)) as (source, events):
            await publish(server.port, [payload(number) for number in range(10)])
            first = await _take(source, 10)
            await source.acknowledge(first[:3])
            await publish(server.port, [payload(number) for number in range(10, 15)])
            await _until(lambda: len(source._arrived) == 5)
            await asyncio.to_thread(server.stop)
            server.forget()
            await asyncio.to_thread(server.start)
            await events.until(lambda seen: len(seen.made) == 2)
            orphans = await _take(source, 5)
            assert [payload(number) for number in range(10, 15)] == _payloads(orphans)
            assert {each.generation for each in orphans} == {0}
            assert len(events.gaps) == 1


async def test_a_broker_restarted_with_its_store_is_no_gap(tmp_path: Path) -> None:
    """The session is resumed; no alarm."""
    with Mosquitto(tmp_path) as server:
        async with _connected(_settings(server.port)) as (source, events):
            await publish(server.port, [payload(1)])
            await _take(source, 1)
            await asyncio.to_thread(server.restart)
            await events.until(lambda seen: len(seen.made) == 2)
            assert events.made == [False, True]
            assert events.gaps == []
            assert _payloads(await _take(source, 1)) == [payload(1)]


@pytest.fixture
def users(tmp_path: Path) -> Path:
    """Mosquitto's password file with one user, `garonne`, whose password is `right`."""
    path = tmp_path / "users"
    subprocess.run(["mosquitto_passwd", "-b", "-c", str(path), "garonne", "right"], check=True, capture_output=True)
    path.chmod(0o644)
    return path


async def test_a_wrong_password_says_what_to_look_at_and_is_tried_again(tmp_path: Path, users: Path) -> None:
    """Refused until the password file is right; no restart needed."""
    password = tmp_path / "password"
    password.write_text("wrong\n", "utf-8")
    with Mosquitto(tmp_path / "server", anonymous=False, extra=[f"password_file {users}"]) as server:
        events = Connections()
        settings = _settings(server.port, username="garonne", password_file=password)
        async with MqttSource(settings, ("counting/+",), events):
            await events.until(lambda seen: len(seen.lost) >= 2)
            assert "mqtt.password_file" in events.lost[0]
            assert "refuses" in events.lost[0]
            password.write_text("right\n", "utf-8")
            await events.first()


@pytest.fixture
def ours(tmp_path: Path) -> Certificates:
    """Certificates that broker and ingest share."""
    return make_certificates(tmp_path)


@pytest.fixture
def stranger(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    """Certificates of somebody else."""
    return make_certificates(tmp_path_factory.mktemp("stranger"))


async def test_tls_with_a_client_certificate(tmp_path: Path, ours: Certificates, stranger: Certificates) -> None:
    """The broker is checked against the authority, and checks us."""
    extra = [f"cafile {ours.authority}", f"certfile {ours.server}", f"keyfile {ours.server_key}"]
    client = {"tls": True, "certificate_file": ours.client, "private_key_file": ours.client_key}
    with Mosquitto(tmp_path / "server", extra=[*extra, "require_certificate true"]) as server:
        async with _connected(_settings(server.port, **client, ca_file=ours.authority)) as (_source, events):
            assert events.lost == []
        events = Connections()
        settings = _settings(server.port, **client, ca_file=stranger.authority)
        async with MqttSource(settings, ("counting/+",), events):
            await events.until(lambda seen: bool(seen.lost))
            assert "TLS" in events.lost[0]
            assert "mqtt.ca_file" in events.lost[0]


async def test_no_broker_is_said_and_waited_for() -> None:
    """Ingest may start before its broker."""
    port, events = free_port(), Connections()
    async with MqttSource(_settings(port), ("counting/+",), events):
        await events.until(lambda seen: bool(seen.lost))
        assert f"127.0.0.1:{port}" in events.lost[0]
        assert events.made == []


@pytest.mark.slow
async def test_a_broker_that_falls_silent_is_noticed(tmp_path: Path) -> None:
    """The socket stays open and nothing answers: keepalive ends the connection, and a new one is made."""
    with Mosquitto(tmp_path) as server:
        async with _connected(_settings(server.port, keepalive_s=5)) as (source, events):
            server.pause()
            await events.until(lambda seen: bool(seen.lost))
            server.resume()
            await events.until(lambda seen: len(seen.made) == 2)
            await publish(server.port, [payload(1)])
            assert _payloads(await _take(source, 1)) == [payload(1)]
            assert events.gaps == []


async def test_a_resumed_session_that_sends_more_than_the_receive_maximum_is_taken(tmp_path: Path) -> None:
    """Mosquitto 2.0 resumes with all that was in flight for us: it is taken on one connection, in order, each once."""
    with Mosquitto(tmp_path / "wide", max_inflight_messages=0) as wide:
        settings = _settings(wide.port, receive_maximum=16)
        async with _connected(settings):
            pass
        sent = [payload(number) for number in range(500)]
        await publish(wide.port, sent)
        async with _connected(settings) as (source, events):
            assert sent == _payloads(await _take(source, 500, acknowledge=True))
            assert events.lost == []


async def test_what_was_acknowledged_just_before_a_stop_does_not_come_again(mosquitto: Mosquitto) -> None:
    """The goodbye waits until the broker has read it: twenty quick restarts get the rest, and nothing else."""
    sent = [payload(number) for number in range(10)]
    for _ in range(20):
        settings = _settings(mosquitto.port)
        async with _connected(settings) as (source, _events):
            await publish(mosquitto.port, sent)
            await source.acknowledge((await _take(source, 10))[:4])
        async with _connected(settings) as (source, _events):
            again = await _take(source, 6, acknowledge=True)
            assert sent[4:] == _payloads(again)
