"""`python -m benchmarks.junctions`: CAM to passages: processor time per message, and a paced run on real servers.

First on one core and without network: bytes to events (what ingest computes), events to points (what the aggregator
computes), in UPER and in JSON. Then, with `--paced`, 5,000 CAM a second from MQTT by Kafka to InfluxDB, half of them in
either encoding: the lag at the end, processor time per message and peak memory of both services; and how long an
aggregator that is killed then takes until it has caught up.
"""

import argparse
import asyncio
import socket
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Final, NamedTuple
from zoneinfo import ZoneInfo

import psutil

from benchmarks.junction_traffic import JUNCTIONS, cam_json, cam_uper, cams, junctions_file, mapem, spatem
from schemas.codec import encode
from schemas.envelope import key_of, topic_of
from services.aggregator.pipeline import Pipeline, Sealing
from services.aggregator.ports import Incoming
from services.aggregator.telemetry import AggregatorTelemetry
from services.ingest.normalise import Normaliser
from services.ingest.profiles import Context, Message, discover
from services.ingest.zones import load_zones
from services.runtime.settings import AggregatorSettings
from tests.cases import KEYS, NAMES
from tests.e2e.site import Service, Site, wait_until
from tests.fakes_aggregator import MemoryLog, MemoryStore
from tests.servers.running import free_port

_RATE: Final = 5000
_BATCH_S: Final = 0.25
_DELAY_MS: Final = 80
_PATIENCE_S: Final = 600.0
_PACKETS: Final = 32_768


class Sent(NamedTuple):
    """A message, and its instant."""

    topic: str
    payload: bytes
    at_ms: int


def messages(start_ms: int, seconds: float, encoding: str) -> Iterator[Sent]:
    """CAM with the SPATEM and MAPEM of each second, by time; `encoding` is uper, json or both."""
    next_ms = start_ms
    for said in cams(start_ms, seconds):
        while said.at_ms >= next_ms:
            for number in range(JUNCTIONS):
                yield Sent(f"default/outQueue/v2x/spatem/rsu_{number}/0/3", spatem(number, next_ms), next_ms)
                yield Sent(f"default/outQueue/v2x/mapem/rsu_{number}/0/3", mapem(number, next_ms), next_ms)
            next_ms += 1000
        if encoding == "uper" or (encoding == "both" and said.station_id % 2):
            yield Sent("v2x/cam", cam_uper(said, said.at_ms), said.at_ms)
        else:
            topic = f"default/outQueue/v2x/cam/car_{said.station_id}/0/3"
            yield Sent(topic, cam_json(said, said.at_ms), said.at_ms)


def main() -> None:
    """Measure and print tables."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.junctions", description=__doc__)
    parser.add_argument("--seconds", type=float, default=30.0, help="of traffic at 5,000 CAM a second")
    parser.add_argument("--paced", type=float, default=0.0, help="seconds of traffic on the real servers; 0: none")
    options = parser.parse_args()
    head = f"{'':<8}{'CAM':>10}{'ingest µs':>12}{'aggregate µs':>14}{'CAM/s/core':>12}{'passages':>10}\n"
    sys.stdout.write(head)
    for encoding in ("uper", "json"):
        sys.stdout.write(_in_process(encoding, options.seconds) + "\n")
        sys.stdout.flush()
    if options.paced:
        with tempfile.TemporaryDirectory(prefix="garonne-junctions-") as name:
            _paced(Path(name), options.paced)


def _in_process(encoding: str, seconds: float) -> str:
    start_ms = 1_778_482_800_000
    sent = list(messages(start_ms, seconds, encoding))
    with tempfile.TemporaryDirectory() as name:
        path = Path(name) / "junctions.geojson"
        path.write_text(junctions_file(), "utf-8")
        context = Context(names=NAMES, zones=load_zones(path), timezone=ZoneInfo("Europe/Paris"), mapping={})
    profiles = discover()
    normalise = Normaliser(profiles, dict.fromkeys(profiles, context), KEYS, None)
    log: list[Incoming] = []
    began_s = time.process_time()
    for each in sent:
        received_at = datetime.fromtimestamp((each.at_ms + _DELAY_MS) / 1000, UTC)
        for event in normalise(Message(each.topic, each.payload, received_at)).events:
            record = event.record
            value = encode(event)
            log.append(Incoming(topic_of(record), 0, len(log), key_of(record).encode(), value, each.at_ms + _DELAY_MS))
    ingest_s = time.process_time() - began_s
    store, began_s = MemoryStore(), time.process_time()
    asyncio.run(_aggregate(log, store))
    aggregate_s = time.process_time() - began_s
    passages = sum(
        int(row["passages"]) for (name, _), rows in store.content.items() if name == "passage" for row in rows.values()
    )
    number = len(sent)
    rate = number / (ingest_s + aggregate_s)
    each_us = (ingest_s / number * 1e6, aggregate_s / number * 1e6)
    return f"{encoding:<8}{number:>10,}{each_us[0]:>12.1f}{each_us[1]:>14.1f}{rate:>12,.0f}{passages:>10,}"


async def _aggregate(log: Sequence[Incoming], store: MemoryStore) -> None:
    """In the batches of a quarter of a second that a live flow comes in."""
    sealing = Sealing(lambda topic, content: topic.encode() + content, "d_0123456789abcdef")
    zone = ZoneInfo("Europe/Paris")
    pipeline = Pipeline(MemoryLog(), store, sealing, AggregatorSettings(), zone, AggregatorTelemetry())
    batch = int(_RATE * _BATCH_S)
    for begin in range(0, len(log), batch):
        await pipeline.store(log[begin : begin + batch])


def _paced(folder: Path, seconds: float) -> None:
    with ExitStack() as exits:
        site = exits.enter_context(Site(folder, max_inflight_messages=4096))
        junctions = folder / "junctions.geojson"
        junctions.write_text(junctions_file(), "utf-8")
        services = [exits.enter_context(_with_junctions(site, each, junctions)) for each in ("ingest", "aggregate")]
        wait_until(lambda: services[0].metric("garonne_ingest_connected") == 1, "ingest is subscribed")
        idle_s = [_cpu_s(each) for each in services]
        number, spent_s = _publish(site.mosquitto.port, seconds)
        sys.stdout.write(f"\npublished {number:,} messages in {spent_s:.1f} s: {number / spent_s:,.0f}/s\n")
        began_s = time.monotonic()
        wait_until(lambda: services[0].metric("garonne_ingest_acknowledged_total") >= number, "ingested", _PATIENCE_S)
        ingested_s = time.monotonic() - began_s
        wait_until(lambda: _events(services[1]) >= number, "aggregated", _PATIENCE_S)
        lag_s = time.monotonic() - began_s
        sys.stdout.write(f"after the last one ingest was done in {ingested_s:.1f} s, the aggregator in {lag_s:.1f} s\n")
        for name, service, before_s in zip(("ingest", "aggregate"), services, idle_s, strict=True):
            cpu_us = (_cpu_s(service) - before_s) / number * 1e6
            sys.stdout.write(f"{name:<12}{cpu_us:>8.1f} µs CPU a message{_peak_mib(service):>8.0f} MiB at most\n")
        services[1].kill()
        began_s = time.monotonic()
        _publish(site.mosquitto.port, 2.0)
        services[1].start()
        wait_until(lambda: _events(services[1]) > 0, "it reads again", _PATIENCE_S)
        sys.stdout.write(f"killed: its first batch was stored {time.monotonic() - began_s - 2:.1f} s after its start\n")


def _with_junctions(site: Site, command: str, junctions: Path) -> Service:
    """A service, its configuration file with the junctions."""
    section = {"ingest": "ingest", "aggregate": "aggregator"}[command]
    port = free_port()
    path = site.configure(command, **{section: {"metrics_port": port}})
    path.write_text(f'junctions_file = "{junctions}"\n{path.read_text("utf-8")}', "utf-8")
    return Service(site.folder / command, command, path, port)


def _publish(port: int, seconds: float) -> tuple[int, float]:
    """Publish in the pace of the clock, at QoS 1; gives how many, and the seconds that it took."""
    with socket.create_connection(("127.0.0.1", port)) as connection:
        connection.sendall(b"\x10\x11\x00\x04MQTT\x04\x02\x00\x3c\x00\x05bench")
        connection.recv(4)
        draining = threading.Thread(target=_drain, args=(connection,), daemon=True)
        draining.start()
        began_s, number, packets = time.monotonic(), 0, bytearray()
        start_ms = time.time_ns() // 1_000_000
        for each in messages(start_ms, seconds, "both"):
            ahead_s = (each.at_ms - start_ms) / 1000 - (time.monotonic() - began_s)
            if ahead_s > 0:
                connection.sendall(packets)
                packets.clear()
                time.sleep(ahead_s)
            number += 1
            packets += _packet(each, number % 65_535 + 1)
            if len(packets) > _PACKETS:
                connection.sendall(packets)
                packets.clear()
        connection.sendall(packets)
        spent_s = time.monotonic() - began_s
        connection.shutdown(socket.SHUT_WR)
        draining.join(10)
        return number, spent_s


def _drain(connection: socket.socket) -> None:
    """Take the acknowledgements."""
    with suppress(OSError):
        while connection.recv(65_536):
            pass


def _packet(sent: Sent, number: int) -> bytes:
    """A PUBLISH at QoS 1 (MQTT 3.1.1, clause 3.3)."""
    topic = sent.topic.encode()
    left = 2 + len(topic) + 2 + len(sent.payload)
    size = bytearray()
    while left > 127:
        size.append(left % 128 + 128)
        left //= 128
    size.append(left)
    return b"\x32" + size + len(topic).to_bytes(2, "big") + topic + number.to_bytes(2, "big") + sent.payload


def _events(service: Service) -> float:
    return service.metric("garonne_aggregator_events_total")


def _cpu_s(service: Service) -> float:
    times = psutil.Process(service.pid).cpu_times()
    return float(times.user + times.system)


def _peak_mib(service: Service) -> float:
    text = Path(f"/proc/{service.pid}/status").read_text("utf-8")
    return int(text.split("VmHWM:")[1].split()[0]) / 1024


if __name__ == "__main__":
    main()
