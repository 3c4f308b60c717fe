"""Both systems on the same servers, one after the other, in turns: throughput, CPU, memory, latency."""

import functools
import re
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Final, Literal, NamedTuple

from benchmarks.contenders import GARONNE_TOPIC, TELEGRAF_TOPIC, WINDOW, Telegraf, aggregator, ingester
from benchmarks.load import FIRST_KWH, forget_session, publish, publish_paced
from benchmarks.measure import Drained, Topics, drain, quantile, scrape
from tests.e2e.site import Site, wait_until
from tests.servers.running import Server

__all__ = ["Latency", "Pace", "bench_site", "end_to_end", "halves", "latencies", "open_session"]

System = Literal["garonne", "telegraf"]
Latency = dict[str, float]

_WARM_UP_S: Final = 4.0
_STEP_KWH: Final = 0.001
_TOTAL: Final = re.compile(rb'(?:"name":"total","value":|"Total":)([0-9.]+)')
_SETTLE_S: Final = 1.0
_EVENTS: Final = "garonne_aggregator_events_total"
_WAY_KWH: Final = 2 * FIRST_KWH
_PROBES_PER_S: Final = 20
_LATENCY_BATCH: Final = 250


class Pace(NamedTuple):
    """So many messages a second, for so long."""

    per_second: int
    seconds: float

    @property
    def number(self) -> int:
        """Of messages."""
        return int(self.per_second * self.seconds)


@contextmanager
def bench_site(folder: Path) -> Iterator[tuple[Site, Topics]]:
    """Servers with nothing in them, whose topics note when a record was appended."""
    with ExitStack() as exits:
        site = exits.enter_context(Site(folder, max_inflight_messages=WINDOW))
        topics = exits.enter_context(Topics(site.kafka.bootstrap))
        topics.create(GARONNE_TOPIC, TELEGRAF_TOPIC)
        site.influx.create_bucket("telegraf")
        yield site, topics


def halves(site: Site, topics: Topics, program: Path | None, number: int, *, reverse: bool) -> dict[str, Drained]:
    """The same backlog through each half of each system; `reverse` has Telegraf first."""
    first = ingester(site, "bench-ingest")
    open_session(site, first)
    systems: list[System] = ["garonne"]
    telegraf = None
    if program is not None:
        telegraf = Telegraf(site.folder / "telegraf-1", program, site, "first", batch=1000, flush="20ms")
        open_session(site, telegraf)
        systems = ["telegraf", "garonne"] if reverse else ["garonne", "telegraf"]
    spent_s = publish(site.mosquitto.port, number)
    _say(f"published {number:,} messages in {spent_s:.1f} s")
    found: dict[str, Drained] = {}
    for system in systems:
        service: Server = first if system == "garonne" or telegraf is None else telegraf
        topic = GARONNE_TOPIC if system == "garonne" else TELEGRAF_TOPIC
        found[f"mqtt_kafka/{system}"] = _drained(service, lambda topic=topic: topics.count(topic), number)
    for service in (first, telegraf):
        if service is not None:
            forget_session(site.mosquitto.port, _client(service))
    for system in systems:
        found[f"kafka_influx/{system}"] = _second_half(site, program, system, number)
    return found


def _second_half(site: Site, program: Path | None, system: System, number: int) -> Drained:
    if system == "garonne" or program is None:
        garonne = aggregator(site, "bench-aggregate")
        return _drained(garonne, lambda: garonne.counted(_EVENTS), number)
    telegraf = Telegraf(site.folder / "telegraf-2", program, site, "second", batch=5000, flush="100ms")
    before = _stored(site)
    return _drained(telegraf, lambda: _stored(site) - before, number)


def _stored(site: Site) -> float:
    """Points that InfluxDB took so far, by its own count."""
    return scrape(f"{site.influx.url}/metrics", "storage_writer_ok_points_sum")


def _drained(service: Server, done: Callable[[], float], number: int) -> Drained:
    with service:
        pid = service.pid
        assert pid is not None
        result = drain(done, number, lambda: (pid,))
        service.stop()
    _say(f"{service.data.name}: {result.per_second:,.0f}/s, {result.cpu_us:.1f} µs, {result.peak_mib:.0f} MiB")
    return result


def open_session(site: Site, service: Server) -> None:
    """Start it until the broker has its subscription, and stop it: from now on the broker keeps what is published."""
    with service:
        wait_until(lambda: _subscribed(site, service), "it is subscribed")
        time.sleep(_SETTLE_S)
        service.stop()


def _client(service: Server) -> str:
    return "telegraf-bench" if isinstance(service, Telegraf) else service.data.name


def _subscribed(site: Site, service: Server) -> bool:
    return f" as {_client(service)} " in site.mosquitto.log.read_text("utf-8", "replace")


def latencies(site: Site, topics: Topics, program: Path | None, pace: Pace, *, reverse: bool) -> dict[str, Latency]:
    """From the publish of a message to its append at Kafka, by the clock of one machine; ms, after a warm-up."""
    services: dict[str, Server] = {"garonne": ingester(site, "bench-latency")}
    if program is not None:
        services["telegraf"] = Telegraf(
            site.folder / "telegraf-3", program, site, "first", batch=_LATENCY_BATCH, flush="20ms"
        )
    found = {}
    for system in sorted(services, reverse=reverse):
        service = services[system]
        topic = GARONNE_TOPIC if system == "garonne" else TELEGRAF_TOPIC
        expected = topics.count(topic) + pace.number
        with service:
            _ready(site, service)
            sent_s = _publish(site, "late", FIRST_KWH, pace)
            wait_until(functools.partial(_reached, topics, topic, expected), "all is in Kafka")
            service.stop()
        forget_session(site.mosquitto.port, _client(service))
        found[system] = _latency(topics.records(topic), sent_s, pace)
        _say(f"{system}: publish to Kafka " + _told(found[system]))
    return found


def _publish(site: Site, name: str, first_kwh: float, pace: Pace) -> list[float]:
    sent_s: list[float] = []
    sent = ((f"tele/{name}-{n % 1000:06}/SENSOR", first_kwh + n * _STEP_KWH) for n in range(pace.number))
    publish_paced(site.mosquitto.port, sent, pace.per_second, sent_s)
    return sent_s


def _reached(topics: Topics, topic: str, number: int) -> bool:
    return topics.count(topic) >= number


def _ready(site: Site, service: Server) -> None:
    wait_until(lambda: _subscribed(site, service), "it is connected")
    time.sleep(2 * _SETTLE_S)


def _latency(records: list[tuple[int, bytes]], sent_s: list[float], pace: Pace) -> Latency:
    delays = []
    for appended_ms, value in records:
        match = _TOTAL.search(value)
        index = -1 if match is None else round((float(match[1]) - FIRST_KWH) / _STEP_KWH)
        if _WARM_UP_S * pace.per_second <= index < len(sent_s):
            delays.append(appended_ms - sent_s[index] * 1000)
    return percentiles(delays)


def percentiles(values_ms: list[float]) -> Latency:
    """What is told of delays."""
    return {name: quantile(values_ms, share) for name, share in (("p50", 0.5), ("p95", 0.95), ("p99", 0.99))}


def end_to_end(site: Site, pace: Pace) -> Latency:
    """From the publish to what a query gives: a meter among others, asked for its highest counter again and again.

    Times the end of the first query that has the message; ms. Every meter has spoken once before.
    """
    first, second = ingester(site, "bench-way"), aggregator(site, "bench-way-2", "bench-way")
    every = max(1, pace.per_second // _PROBES_PER_S)
    names = ["probe" if n % every == 0 else f"{n % 1000:06}" for n in range(pace.number)]
    sent_s: list[float] = []
    with first, second:
        _ready(site, first)
        everybody = sorted(set(names))
        known = second.counted(_EVENTS) + len(everybody)
        once = ((f"tele/way-{name}/SENSOR", _WAY_KWH - 1) for name in everybody)
        publish_paced(site.mosquitto.port, once, pace.per_second, [])
        wait_until(lambda: second.counted(_EVENTS) >= known, "every meter is known")
        sent = ((f"tele/way-{name}/SENSOR", _WAY_KWH + n * _STEP_KWH) for n, name in enumerate(names))
        publishing = threading.Thread(target=publish_paced, args=(site.mosquitto.port, sent, pace.per_second, sent_s))
        publishing.start()
        seen = _watch(site, range(0, pace.number, every))
        publishing.join()
    delays = [(at_s - sent_s[index]) * 1000 for index, at_s in seen.items() if index >= _WARM_UP_S * pace.per_second]
    result = percentiles(delays)
    _say("end to end: " + _told(result))
    return result


def _watch(site: Site, probes: range) -> dict[int, float]:
    """When the probes were first seen, by index."""
    field = "import_energy_total_kwh"
    meter = ""
    seen: dict[int, float] = {}
    deadline_s = time.monotonic() + 300
    while len(seen) < len(probes):
        if time.monotonic() > deadline_s:
            raise TimeoutError(f"{len(probes) - len(seen)} of {len(probes)} messages cannot be read from InfluxDB")
        if not meter:
            rows = site.influx.query(f"SELECT {field}, meter FROM meter WHERE {field} = {_WAY_KWH}")  # noqa: S608
            meter = rows[0]["meter"] if rows else ""
            continue
        rows = site.influx.query(f"SELECT max({field}) FROM meter WHERE meter = '{meter}'")  # noqa: S608
        highest = round((rows[0]["max"] - _WAY_KWH) / _STEP_KWH) if rows else -1
        now_s = time.time()
        for index in probes[len(seen) :]:
            if index > highest:
                break
            seen[index] = now_s
    return seen


def _told(latency: Latency) -> str:
    return ", ".join(f"{name} {value:.1f} ms" for name, value in latency.items())


def _say(text: str) -> None:
    sys.stderr.write(text + "\n")
