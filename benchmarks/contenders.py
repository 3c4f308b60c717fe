"""Garonne and Telegraf on the same servers, at the same guarantee: acknowledged to MQTT after Kafka has it.

Telegraf's settings (its documentation, and `kafka_version` as its Kafka input needs it): a persistent session at QoS 1,
idempotent writes with `acks=all` and LZ4 as ours, the record's key the device, `max_undelivered_messages` and the
broker's window as large as ours, batches and flushes as ours. Its records are what its JSON serialiser makes.
"""

from pathlib import Path
from typing import Final, Literal

from benchmarks.measure import scrape
from tests.e2e.site import Service, Site
from tests.servers.running import Server, free_port

__all__ = ["GARONNE_TOPIC", "TELEGRAF_TOPIC", "WINDOW", "Garonne", "Telegraf", "aggregator", "ingester"]

WINDOW: Final = 4096
GARONNE_TOPIC: Final = "garonne.energy"
TELEGRAF_TOPIC: Final = "telegraf.meters"

_AGENT = """
[agent]
  interval = "1s"
  flush_interval = "{flush}"
  flush_jitter = "0s"
  metric_batch_size = {batch}
  metric_buffer_limit = 200000
  omit_hostname = true
  quiet = true
"""

_FIRST_HALF = """
[[inputs.mqtt_consumer]]
  servers = ["tcp://127.0.0.1:{mqtt}"]
  topics = ["tele/+/SENSOR"]
  qos = 1
  persistent_session = true
  client_id = "telegraf-bench"
  max_undelivered_messages = {window}
  topic_tag = ""
  data_format = "json_v2"
  [[inputs.mqtt_consumer.topic_parsing]]
    topic = "tele/+/SENSOR"
    tags = "_/device/_"
  [[inputs.mqtt_consumer.json_v2]]
    measurement_name = "meter"
    timestamp_path = "Time"
    timestamp_format = "2006-01-02T15:04:05Z07:00"
    [[inputs.mqtt_consumer.json_v2.object]]
      path = "ENERGY"

[[outputs.kafka]]
  brokers = ["{kafka}"]
  topic = "{topic}"
  version = "3.6.0"
  required_acks = -1
  idempotent_writes = true
  compression_codec = 3
  routing_tag = "device"
  data_format = "json"
"""

_SECOND_HALF = """
[[inputs.kafka_consumer]]
  brokers = ["{kafka}"]
  kafka_version = "3.6.0"
  topics = ["{topic}"]
  consumer_group = "telegraf-bench"
  offset = "oldest"
  max_undelivered_messages = 20000
  data_format = "json_v2"
  [[inputs.kafka_consumer.json_v2]]
    measurement_name = "meter"
    timestamp_path = "timestamp"
    timestamp_format = "unix"
    [[inputs.kafka_consumer.json_v2.tag]]
      path = "tags.device"
      rename = "device"
    [[inputs.kafka_consumer.json_v2.object]]
      path = "fields"

[[outputs.influxdb_v2]]
  urls = ["{influx}"]
  token = "{token}"
  organization = "{org}"
  bucket = "{bucket}"
  content_encoding = "gzip"
"""


class Telegraf(Server):
    """One half of the way, as `telegraf --config` runs it."""

    def __init__(  # noqa: PLR0913 - what there is to say of a run
        self,
        folder: Path,
        program: Path,
        site: Site,
        half: Literal["first", "second"],
        *,
        batch: int,
        flush: str,
        bucket: str = "telegraf",
    ) -> None:
        super().__init__(folder)
        self._program = program
        text = _AGENT + (_FIRST_HALF if half == "first" else _SECOND_HALF)
        self._configuration = folder / "telegraf.conf"
        self._configuration.write_text(
            text.format(
                flush=flush,
                batch=batch,
                window=WINDOW,
                mqtt=site.mosquitto.port,
                kafka=site.kafka.bootstrap,
                topic=TELEGRAF_TOPIC,
                influx=site.influx.url,
                token=site.influx.token,
                org=site.influx.org,
                bucket=bucket,
            ),
            "utf-8",
        )

    def command(self) -> list[str]:
        """The command line."""
        return [str(self._program), "--config", str(self._configuration)]

    def is_ready(self) -> bool:
        """It has no port: that it lives is all that can be asked here."""
        return self.running


class Garonne(Service):
    """`garonne ingest` or `garonne aggregate`."""

    def counted(self, *beginnings: str) -> float:
        """The sum of its metrics whose lines begin like this."""
        return scrape(f"http://127.0.0.1:{self._port}/metrics", *beginnings)


def ingester(site: Site, name: str, **changes: object) -> Garonne:
    """`garonne ingest` with everything on: pseudonyms, metrics, limits, ledger; every family of messages."""
    port = free_port()
    path = site.configure(
        name,
        mqtt={"client_id": name, "receive_maximum": WINDOW, "broker_inflight": WINDOW, **changes},
        kafka={"bootstrap": site.kafka.bootstrap},
        ingest={"metrics_port": port},
    )
    return Garonne(site.folder / name, "ingest", path, port)


def aggregator(site: Site, name: str, group: str | None = None) -> Garonne:
    """`garonne aggregate`, with every window."""
    port = free_port()
    kafka = {"bootstrap": site.kafka.bootstrap, **({} if group is None else {"group": group})}
    path = site.configure(name, kafka=kafka, aggregator={"metrics_port": port})
    return Garonne(site.folder / name, "aggregate", path, port)
