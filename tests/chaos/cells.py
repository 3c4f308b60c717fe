"""The faults, and how each is done."""

import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import partial
from itertools import count
from typing import Final

from services.runtime.settings import MqttSettings
from tests.chaos.failing import AGGREGATOR_POINTS, INGEST_POINTS
from tests.chaos.influxproxy import Play, Script, as_it_is
from tests.chaos.load import cell_load
from tests.chaos.world import Cell, World
from tests.e2e.publisher import Sent
from tests.e2e.site import wait_until
from tests.servers.running import Server

__all__ = ["CELLS", "GROUPS"]

_pause = threading.Event().wait


def _die(command: str, point: str, world: World, times: int) -> None:
    """End the service at a hand-over, again and again, at the first to third time that it comes there."""
    service = world.ingest if command == "ingest" else world.aggregator
    world.until_moving(f"garonne_{'ingest_acknowledged' if command == 'ingest' else 'aggregator_points'}_total")
    service.stop()
    small = {"lines_per_request": 20} if command == "aggregate" else {}
    for _ in range(times):
        once = point == "before the subscription"
        service.die_at(point, 1 if once else world.chance.randint(1, 3), **small)
    service.start()


def _server(name: str) -> Callable[[World], Server]:
    return lambda world: getattr(world.site, name)


def _killed(server: Callable[[World], Server], away_s: float, world: World, times: int) -> None:
    """Kill -9, and back after a while."""
    for _ in range(times):
        _working(world)
        server(world).kill()
        world.server_kills += 1
        _pause(away_s)
        server(world).start()


def _stopped(server: Callable[[World], Server], away_s: float, world: World, times: int) -> None:
    for _ in range(times):
        _working(world)
        server(world).stop()
        _pause(away_s)
        server(world).start()


def _log_stopped(away_s: float, world: World, times: int) -> None:
    """The event log is away for so long, or for as long as it takes until health is red."""
    for _ in range(times):
        _working(world)
        world.site.kafka.stop()
        _pause(away_s)
        _bounded(world)
        world.site.kafka.start()


def _bounded(world: World) -> None:
    """Nothing can be stored: health is red, the connection stands, and no more is held than the receive maximum."""
    wait_until(lambda: world.ingest.get("/healthz")[0] == 503, "health is red")
    assert world.ingest.metric("garonne_ingest_connected") == 1
    wait_until(lambda: world.ingest.metric("garonne_ingest_in_flight") > 0, "something is held")
    held = world.ingest.metric("garonne_ingest_in_flight")
    assert held <= MqttSettings().receive_maximum, f"{held} messages are held"


def _disk_full(server: Callable[[World], Server], world: World, times: int) -> None:
    """Nothing is left of the small file system that the server writes to; then there is room, and it is restarted.

    Kafka ends itself, and InfluxDB does not open a shard again that it could not open once.
    """
    for _ in range(times):
        _working(world)
        ballast = server(world).data / "ballast"
        with ballast.open("wb", buffering=0) as file, suppress(OSError):
            while True:
                file.write(bytes(65_536))
        service = world.ingest if server(world) is world.site.kafka else world.aggregator
        wait_until(lambda at=service: at.get("/readyz")[0] == 503, "the service says so")  # type: ignore[misc]
        _pause(3.0)
        ballast.unlink()
        server(world).restart()


def _frozen(server: Callable[[World], Server], away_s: float, world: World, times: int) -> None:
    """Connections stay, and nobody answers."""
    for _ in range(times):
        _working(world)
        server(world).pause()
        _pause(away_s)
        server(world).resume()


def _working(world: World) -> None:
    world.until_connected()
    world.until_moving()
    world.until_moving("garonne_aggregator_points_total")


def _session_lost(world: World, times: int) -> None:
    """Ingest holds what Kafka does not take, and the broker comes back without its store.

    Nothing is published meanwhile: what comes when nobody is subscribed is nobody's.
    """
    for _ in range(times):
        _working(world)
        lost = world.ingest.metric("garonne_ingest_session_lost_total")
        world.site.kafka.pause()
        seen = len(world.witness.seen)
        wait_until(lambda at=seen: len(world.witness.seen) > at + 200, "ingest has more than it can store")  # type: ignore[misc]
        world.publisher.hold()
        wait_until(lambda: world.unseen == 0, "ingest has all that the broker has")
        world.site.mosquitto.stop()
        world.site.mosquitto.forget()
        world.site.mosquitto.start()
        wait_until(lambda at=lost: world.ingest.metric("garonne_ingest_session_lost_total") > at, "alarm")  # type: ignore[misc]
        world.site.kafka.resume()
        world.until_connected()
        world.publisher.go_on()


def _killed_while_kafka_is_frozen(world: World, times: int) -> None:
    """Ingest holds what it cannot store, and the broker comes back with a store that is older than that."""
    for _ in range(times):
        _working(world)
        world.site.kafka.pause()
        seen = len(world.witness.seen)
        wait_until(lambda at=seen: len(world.witness.seen) > at + 200, "ingest has more than it can store")  # type: ignore[misc]
        world.site.mosquitto.kill()
        world.server_kills += 1
        world.site.mosquitto.start()
        world.until_connected()
        world.site.kafka.resume()


def _half_open(world: World, times: int) -> None:
    for _ in range(times):
        _working(world)
        made = world.witness.connections
        world.witness.freeze()
        wait_until(lambda at=made: world.witness.connections > at, "ingest finds the connection dead")  # type: ignore[misc]
        world.until_connected()


def _clock(world: World, times: int) -> None:
    """Half an hour ahead, ten minutes behind: within what Kafka takes, and beyond what is believed of devices."""
    world.ingest.stop()
    world.ingest.fault(clock=True)
    world.ingest.start()
    for _ in range(times):
        for offset_s in (1800.0, -600.0, 7200.0, 0.0):
            world.ingest.clock(offset_s)
            if offset_s > 3600:
                _pause(5.0)  # Kafka takes no record from more than an hour ahead
            else:
                world.until_moving()
    world.ingest.stop()
    world.ingest.fault()
    world.ingest.start()


def _slowly(command: str, point: str, delay_s: float, world: World, times: int) -> None:
    service = world.ingest if command == "ingest" else world.aggregator
    service.stop()
    service.fault(slow=point, delay_s=delay_s)
    service.start()
    _pause(6.0 * times)
    service.stop()
    service.fault()
    service.start()


def _for_a_while(lasting_s: float, world: World, times: int) -> None:
    """Nothing but the load."""
    del world
    _pause(lasting_s * times)


def _answers(script: Script, lasting_s: float, world: World, times: int) -> None:
    """InfluxDB answers by a script for a while, and then as it is."""
    for _ in range(times):
        world.until_moving("garonne_aggregator_points_total")
        faults = world.proxy.faults
        world.proxy.script = script
        _pause(lasting_s)
        wait_until(lambda at=faults: world.proxy.faults > at, "a write meets the fault")  # type: ignore[misc]
        world.proxy.script = as_it_is


def _says(status: int, message: str = "", **headers: str) -> Script:
    """Nothing gets through."""
    more = tuple((name.replace("_", "-"), value) for name, value in headers.items())
    return lambda _lines: Play([], status, message, more)


def _stored_but(status: int) -> Script:
    """All gets through, and the answer says that it did not."""
    return lambda lines: Play(lines, status, "scripted")


def _half(status: int) -> Script:
    """The first half gets through."""
    return lambda lines: Play(lines[: len(lines) // 2], status, "scripted")


def _too_large(lines: list[bytes]) -> Play:
    return Play(lines) if len(lines) <= 8 else Play([], 413, "request too large")


def _unparsable(lines: list[bytes]) -> Play:
    """400 for a batch with a reading of the first home of any cell; the others are taken."""
    return _condemn(lines, 400, "unable to parse line protocol")


def _beyond(lines: list[bytes]) -> Play:
    """422 as of InfluxDB: what is good is stored, the number of those dropped is told."""
    good = [each for each in lines if not _marked(each)]
    if len(good) == len(lines):
        return Play(lines)
    dropped = len(lines) - len(good)
    message = f"failure writing points to database: partial write: points beyond retention policy dropped={dropped}"
    return Play(good, 422, message)


def _condemn(lines: list[bytes], status: int, message: str) -> Play:
    return Play([], status, message) if any(map(_marked, lines)) else Play(lines)


def _marked(line: bytes) -> bool:
    """One reading in ten."""
    return line.startswith(b"meter,") and line.rstrip(b"0")[-1:] == b"7"


def _replay(world: World) -> None:
    """What InfluxDB refused for good is brought back in now that it takes it again."""
    world.garonne("rejected", "replay", "--stage", "store", "--json")


_numbers = count()


def _poisonous(number: int, seed: int) -> Iterator[Sent]:
    return cell_load(number, seed, poison=0.7)


def _plain(number: int, seed: int) -> Iterator[Sent]:
    return cell_load(number, seed, vehicles=False)


def _long(number: int, seed: int) -> Iterator[Sent]:
    return cell_load(number, seed, homes=150)


def _rebalanced(world: World, times: int) -> None:
    """A second aggregator comes, works, and goes again; the last time it is killed."""
    for _ in range(times):
        _working(world)
        second = world.service("aggregate", f"second-{next(_numbers)}")
        wait_until(lambda each=second: each.metric("garonne_aggregator_points_total") > 0, "the second stores")  # type: ignore[misc]
        second.terminate()
        third = world.service("aggregate", f"third-{next(_numbers)}")
        wait_until(lambda each=third: each.metric("garonne_aggregator_points_total") > 0, "the third stores")  # type: ignore[misc]
        third.kill()
        world.server_kills += 1


def _frozen_member(world: World, times: int) -> None:
    """The aggregator sleeps longer than its session while another goes on; then it wakes up."""
    for _ in range(times):
        second = world.service("aggregate", f"other-{next(_numbers)}")
        wait_until(lambda each=second: each.metric("garonne_aggregator_points_total") > 0, "the second stores")  # type: ignore[misc]
        world.until_moving("garonne_aggregator_points_total")
        world.aggregator.pause()
        before = second.metric("garonne_aggregator_points_total")
        wait_until(
            lambda at=before, each=second: (
                each.metric("garonne_aggregator_lag") >= 0  # type: ignore[misc]
                and each.get("/metrics")[1].count("garonne_aggregator_lag{") == 16
                and each.metric("garonne_aggregator_points_total") > at
            ),
            "the second has all",
        )
        world.aggregator.resume()
        world.until_moving()
        second.terminate()


def _leaders(world: World, times: int) -> None:
    """Each broker of three in turn is killed, and comes back: the leader of a quarter of everything each time."""
    assert world.cluster is not None
    for number in range(times):
        _working(world)
        node = world.cluster.nodes[number % 3]
        node.kill()
        world.server_kills += 1
        world.until_moving()
        node.start()


def _all_down(away_s: float, world: World, times: int) -> None:
    """The whole event log is away."""
    assert world.cluster is not None
    for _ in range(times):
        _working(world)
        for node in world.cluster.nodes:
            node.kill()
            world.server_kills += 1
        _pause(away_s)
        _bounded(world)
        for node in world.cluster.nodes:
            node.launch()
        for node in world.cluster.nodes:
            node.until_ready()


_NO_SPACE: Final = "engine: error writing WAL entry: write /var/lib/influxdb: no space left on device"
_BROKER, _KAFKA, _INFLUX = _server("mosquitto"), _server("kafka"), _server("influx")

_INGEST: Final = (
    *(
        Cell(f"ingest killed {point}", partial(_die, "ingest", point), short, 17)
        for point, short in zip(INGEST_POINTS, (0, 0, 0, 1, 1, 0), strict=True)
    ),
    Cell("broker stopped and started", partial(_stopped, _BROKER, 2.0), 0, 2),
    Cell("broker killed", partial(_killed, _BROKER, 1.0), 0, 5),
    Cell("broker killed while ingest holds what Kafka does not take", _killed_while_kafka_is_frozen, 1, 5),
    Cell("session lost by the broker", _session_lost, 0, 3),
    Cell("half-open connection to the broker", _half_open, 1, 3),
    Cell("Kafka stopped", partial(_log_stopped, 6.0), 1, 2, 300.0),
    Cell("Kafka killed", partial(_killed, _KAFKA, 2.0), 0, 3),
    Cell("Kafka frozen: every connection half-open", partial(_frozen, _KAFKA, 15.0), 0, 2),
    Cell("clock of ingest jumps: +30 min, −10 min, +2 h", _clock, 0, 2, load=_plain),
    Cell("poison messages in number", partial(_for_a_while, 5.0), 0, 4, 400.0, _poisonous),
    Cell(
        "publisher faster than the system",
        partial(_slowly, "ingest", "before produce", 1.5),
        0,
        5,
        1500.0,
    ),
)
_AGGREGATOR: Final = (
    *(
        Cell(f"aggregator killed {point}", partial(_die, "aggregate", point), short, 17)
        for point, short in zip(AGGREGATOR_POINTS, (0, 0, 0, 0, 1, 0), strict=True)
    ),
    Cell("InfluxDB killed", partial(_killed, _INFLUX, 2.0), 0, 5),
    Cell("InfluxDB frozen", partial(_frozen, _INFLUX, 8.0), 0, 2),
    Cell(
        "InfluxDB answers 400 for some points, then they are replayed",
        partial(_answers, _unparsable, 3.0),
        1,
        2,
        after=_replay,
    ),
    Cell("InfluxDB answers 400 and says nothing of points", partial(_answers, _says(400, "bad request"), 3.0), 0, 2),
    Cell("InfluxDB answers 413 above 8 points", partial(_answers, _too_large, 3.0), 0, 2),
    Cell(
        "InfluxDB answers 422, half of it stored, then replayed", partial(_answers, _beyond, 3.0), 0, 2, after=_replay
    ),
    Cell("InfluxDB answers 429", partial(_answers, _says(429, "slow down", Retry_After="1"), 3.0), 0, 2),
    Cell("InfluxDB answers 500", partial(_answers, _says(500, "internal error"), 5.0), 0, 2),
    Cell("InfluxDB answers 500: no space left on device", partial(_answers, _says(500, _NO_SPACE), 5.0), 0, 2),
    Cell("InfluxDB answers 503", partial(_answers, _says(503, "unavailable", Retry_After="1"), 3.0), 0, 2),
    Cell("InfluxDB does not answer in time", partial(_answers, lambda lines: Play(lines, 204, pause_s=5.0), 6.0), 0, 2),
    Cell("InfluxDB hangs up without an answer", partial(_answers, lambda _l: Play([], mute=True), 3.0), 0, 2),
    Cell("InfluxDB stores all and answers 503", partial(_answers, _stored_but(503), 4.0), 0, 2),
    Cell("InfluxDB stores half and answers 500", partial(_answers, _half(500), 4.0), 1, 2),
    Cell("slow consumer", partial(_slowly, "aggregate", "before the write", 2.0), 0, 5),
    Cell("an aggregator frozen beyond its session, another goes on", _frozen_member, 0, 3),
)
_CLUSTER: Final = (
    Cell("three brokers: each killed in turn, leaders change", _leaders, 1, 6),
    Cell("aggregators come, go and are killed: rebalance", _rebalanced, 0, 2),
    Cell("Kafka down 20 s", partial(_all_down, 20.0), 0, 0, 300.0),
    Cell("Kafka down 10 min", partial(_all_down, 600.0), 0, 1, 300.0, _long),
)
_DISK: Final = (
    Cell("disk of InfluxDB full", partial(_disk_full, _INFLUX), 0, 1),
    Cell("disk of Kafka full", partial(_disk_full, _KAFKA), 0, 1),
)
GROUPS: Final = {"ingest": _INGEST, "aggregator": _AGGREGATOR, "cluster": _CLUSTER, "disk": _DISK}
CELLS: Final = tuple((group, cell) for group, cells in GROUPS.items() for cell in cells)
