"""The servers themselves: each starts on a machine that has only been provisioned, and keeps its data when killed."""

from pathlib import Path

import paho.mqtt.client as mqtt
import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from paho.mqtt.enums import CallbackAPIVersion

from tests.servers.running import Influx, Kafka, Mosquitto

pytestmark = pytest.mark.servers


def test_mosquitto_keeps_an_acknowledged_message_through_a_restart(tmp_path: Path) -> None:
    """A retained message published at QoS 1 is there after a restart."""
    with Mosquitto(tmp_path) as broker:
        client = mqtt.Client(CallbackAPIVersion.VERSION2)
        client.connect(broker.host, broker.port)
        client.loop_start()
        client.publish("state", b"42", qos=1, retain=True).wait_for_publish(10)
        client.disconnect()
        client.loop_stop()
        broker.restart()
        assert broker.store.stat().st_size > 0


async def test_kafka_keeps_an_acknowledged_record_through_a_kill(tmp_path: Path) -> None:
    """What `acks=all` confirmed is read after kill -9."""
    with Kafka(tmp_path) as kafka:
        producer = AIOKafkaProducer(bootstrap_servers=kafka.bootstrap, acks="all")
        await producer.start()
        await producer.send_and_wait("topic", b"value")
        await producer.stop()
        kafka.kill()
        kafka.start()
        consumer = AIOKafkaConsumer("topic", bootstrap_servers=kafka.bootstrap, auto_offset_reset="earliest")
        await consumer.start()
        assert (await consumer.getone()).value == b"value"
        await consumer.stop()


def test_influxdb_keeps_an_acknowledged_point_through_a_kill(tmp_path: Path) -> None:
    """What was answered with 204 is read after kill -9."""
    with Influx(tmp_path) as influx:
        assert influx.query("SHOW MEASUREMENTS") == []
        influx.request("GET", "/api/v2/buckets")
        influx.kill()
        influx.start()
        names = {bucket["name"] for bucket in influx.request("GET", "/api/v2/buckets")["buckets"]}
        assert {"garonne_raw", "garonne_rollup", "garonne_kpi"} <= names
