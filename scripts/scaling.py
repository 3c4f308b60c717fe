"""The page on size: from measured costs to processes, partitions, brokers, disks and shards, by arithmetic that is run.

Every figure is either measured here (with its command), an assumption about a city, or a rule of thumb that says so.
"""

# ruff: noqa: E501 - the lines of a page

from dataclasses import dataclass, replace
from math import ceil
from typing import Final

__all__ = ["Load", "Need", "need_of", "scaling_page"]

_BUSY: Final = 0.6
"""A process is planned to use this much of a core: the rest catches up after a stop."""
_BROKER_PER_S: Final = 30_000
"""What one Mosquitto passed on while Kafka and our load shared its two cores (`make bench`)."""
_POINT_US: Final = 15.0
"""Processor time of InfluxDB 2.7 for a point of four fields; 12 to 15 were measured."""
_REPLICAS: Final = 3
_SERIES: Final = 1_000_000
"""Above so many series a single InfluxDB 2 wants more than a common machine: its maker's rule of thumb, not verified."""


@dataclass(frozen=True)
class Load:
    """A city's messages of one kind, and what each was measured to cost.

    Attributes:
        title: for people.
        senders: meters or junctions.
        each_per_s: messages of a sender a second, on average.
        peak: how much more comes at the worst time.
        ingest_us, aggregate_us: processor time of a message, microseconds.
        record_bytes: in the event log, before and after lz4 in batches of 500.
        points: written to InfluxDB for a message.
        series: of a sender.
        kept_h: how long Kafka keeps records.
        memory_kib: that an aggregator keeps for a sender.
    """

    title: str
    senders: int
    each_per_s: float
    peak: float
    ingest_us: float
    aggregate_us: float
    record_bytes: tuple[int, int]
    points: float
    series: int
    kept_h: int
    memory_kib: float


@dataclass(frozen=True)
class Need:
    """What a load needs; the attributes are as the page explains them."""

    peak_per_s: float
    brokers: int
    ingest: int
    aggregators: int
    partitions: int
    kafka_in_mb_s: float
    kafka_disk_tb: float
    points_per_s: float
    influx_cores: float
    series: int
    shards: int
    memory_gib: float


METERS: Final = Load("a million meters, a reading a minute", 1_000_000, 1 / 60, 2.0, 31.0, 59.0, (1093, 87), 1.35, 4,
                     24 * 1098, 63.0)  # fmt: skip
JUNCTIONS: Final = Load("10,000 junctions, 25 CAM and a SPATEM and MAPEM a second", 10_000, 27.0, 1.5, 61.8, 67.8,
                        (709, 64), 0.084, 20, 72, 1024.0)  # fmt: skip


def need_of(load: Load) -> Need:
    """The arithmetic.

    >>> need_of(METERS).ingest
    2
    """
    mean = load.senders * load.each_per_s
    peak = mean * load.peak
    aggregators = _processes(peak, load.aggregate_us)
    _, packed = load.record_bytes
    series = load.senders * load.series
    influx_cores = peak * load.points * _POINT_US / 1e6
    return Need(
        peak_per_s=peak,
        brokers=ceil(peak / (_BUSY * _BROKER_PER_S)),
        ingest=_processes(peak, load.ingest_us),
        aggregators=aggregators,
        partitions=_partitions(aggregators),
        kafka_in_mb_s=peak * packed / 1e6,
        kafka_disk_tb=mean * packed * 3600 * load.kept_h * _REPLICAS / 1e12,
        points_per_s=peak * load.points,
        influx_cores=influx_cores,
        series=series,
        shards=max(ceil(series / _SERIES), ceil(influx_cores / 4)),
        memory_gib=load.senders * load.memory_kib / 1024 / 1024,
    )


def _processes(per_s: float, each_us: float) -> int:
    return ceil(per_s * each_us / 1e6 / _BUSY)


def _partitions(processes: int) -> int:
    """Twice as many as processes, in dozens: twelve can be divided by 2, 3, 4 and 6."""
    return 12 * ceil(2 * processes / 12)


def _row(title: str, *values: object) -> str:
    return f"| {title} | " + " | ".join(str(each) for each in values) + " |\n"


def _table(loads: tuple[Load, ...]) -> str:
    needs = [need_of(each) for each in loads]
    return (
        _row("", *(each.title for each in loads))
        + "|---|" + "---|" * len(loads) + "\n"
        + _row("messages/s on average; at the worst time",
               *(f"{x.senders * x.each_per_s:,.0f}; {n.peak_per_s:,.0f}" for x, n in zip(loads, needs, strict=True)))
        + _row("ingest: µs a message → processes", *(f"{x.ingest_us} → {n.ingest}" for x, n in zip(loads, needs, strict=True)))
        + _row("aggregator: µs a message → processes",
               *(f"{x.aggregate_us} → {n.aggregators}" for x, n in zip(loads, needs, strict=True)))
        + _row("partitions of the topic (`kafka.partitions`)", *(n.partitions for n in needs))
        + _row("MQTT brokers of Mosquitto's kind (one thread)", *(n.brokers for n in needs))
        + _row("into Kafka, MB/s at the worst time, lz4", *(f"{n.kafka_in_mb_s:.1f}" for n in needs))
        + _row("Kafka's disks, three copies, TB",
               *(f"{n.kafka_disk_tb:,.1f} ({x.kept_h / 24:,.0f} days)" for x, n in zip(loads, needs, strict=True)))
        + _row("points/s into InfluxDB → its cores", *(f"{n.points_per_s:,.0f} → {n.influx_cores:.1f}" for n in needs))
        + _row("series → InfluxDB shards", *(f"{n.series:,} → {n.shards}" for n in needs))
        + _row("memory of all aggregators, GiB", *(f"{n.memory_gib:,.0f}" for n in needs))
    )  # fmt: skip


def scaling_page() -> str:
    """The page as Markdown."""
    meters, junctions = need_of(METERS), need_of(JUNCTIONS)
    disk_30_days = meters.kafka_disk_tb * 30 / 1098
    return f"""<!-- Written by scripts/scaling.py: change it there, then run scripts/generate. -->
# A million meters, ten thousand junctions

Nobody has run Garonne at this size. What follows is arithmetic from costs that were measured on one machine of two cores, so that somebody who plans it knows
what grows with what, and where the limit is.

{_table((METERS, JUNCTIONS))}
A process is planned at {_BUSY:.0%} of a core. Costs: `make bench` (meters) and `python -m benchmarks.junctions --paced 60` (junctions: both services beside the servers);
bytes of a record before and after lz4: {METERS.record_bytes[0]} and {METERS.record_bytes[1]} (meter), {JUNCTIONS.record_bytes[0]} and {JUNCTIONS.record_bytes[1]} (vehicle), in batches of 500 alike;
points and series were counted over a day of ten smart plugs and 20 s of twelve junctions; 63 KiB a meter is for a reading every five minutes; at one a minute it was not measured and is more.
Assumed: a reading a minute and twice as many at the worst time; five equipped vehicles at 5 Hz at each junction, half as many more at the rush hour; 1 MiB a junction.

## What follows

- **Ingest** is no problem of size: {meters.ingest} processes for the meters, {junctions.ingest} for the vehicles, one shared subscription (`mqtt.share_group`) for each broker. They are a
  StatefulSet: a process that goes for good leaves a session with messages in flight, so their number changes by hand, and the session is ended only after it was drained.
- **Brokers** are divided by district: a broker takes its district's meters and roadside units, with a group of ingest processes of its own. Nothing is bridged; Kafka brings it together.
- **Aggregators** follow the lag of their consumer group ([`deploy/kubernetes`](../../deploy/kubernetes/garonne.yaml): a HorizontalPodAutoscaler, at most as many as partitions).
  A meter and a junction are keys: all of one is in one partition, so windows need no other process. **The number of partitions is for life**: more partitions send keys elsewhere, and the
  order of a meter breaks where it moves. Choose it at the beginning: {meters.partitions} for energy, {junctions.partitions} for mobility.
- **Kafka**: three brokers, `replication.factor` 3, `min.insync.replicas` 2. The rate is small; what is large is keeping all readings of a million meters for three winters
  ({meters.kafka_disk_tb:,.0f} TB). With 30 days on the brokers ({disk_30_days:,.1f} TB) and older segments in an object store (Kafka's tiered storage) a rebuild is as complete, only slower.
- **InfluxDB** is the limit. Version 2 is one process: {meters.series / 1e6:.0f} million series of meters are {meters.shards} of it. The unit is a **cell**: a district with its own broker, consumer group and
  InfluxDB, up to {_SERIES // METERS.series:,} meters and some thousand junctions. Cells share nothing, so a fault is one district's, and ten cells are ten times one.
  KPIs are computed in each cell; sums over cells (a city's total from districts' totals, each above its threshold) are not built yet.
- **The first thing to fail** at ten times today's load is one InfluxDB's memory for series, then the aggregator's memory for meters at a short cadence ({meters.memory_gib:,.0f} GiB for a million), never the rate.

## One step after the other

| households | MQTT | Kafka | aggregators | InfluxDB |
|---|---|---|---|---|
| 100 (Familles à énergie positive) | 1 | 1 broker, 4 partitions | 1 | 1 |
| 10,000 | 1 | 3 brokers, 12 partitions | 1 | 1 |
| {_SERIES // METERS.series:,} (a cell) | 1 | 3 brokers, 12 partitions | {need_of(replace(METERS, senders=_SERIES // METERS.series)).aggregators} | 1 |
| 1,000,000 ({meters.shards} cells) | {max(meters.shards, meters.brokers)} | 3 brokers, {meters.partitions} partitions a cell or together | {meters.aggregators} at least, {meters.shards} in cells | {meters.shards} |
"""
