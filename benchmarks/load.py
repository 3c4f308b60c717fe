"""What is published: Tasmota messages of about 250 bytes from a thousand plugs, whose counters go on."""

import json
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion

__all__ = ["DEVICES", "messages", "publish"]

DEVICES = 1000
_STEP_S = 10
_UNACKNOWLEDGED = 2000


def messages(number: int) -> Iterator[tuple[str, bytes]]:
    """Topics and payloads; each device sends every ten seconds of its own clock, up to now."""
    rounds = -(-number // DEVICES)
    start = datetime.now(UTC).replace(microsecond=0) - timedelta(seconds=_STEP_S * rounds)
    for index in range(number):
        turn, device = divmod(index, DEVICES)
        at = start + timedelta(seconds=_STEP_S * turn)
        energy = {
            "TotalStartTime": "2025-09-01T00:00:00",
            "Total": round(1200 + device + turn * 0.002, 3),
            "Yesterday": 1.234,
            "Today": 0.456,
            "Power": 720,
            "ApparentPower": 731,
            "ReactivePower": 126,
            "Factor": 0.98,
            "Voltage": 231,
            "Current": 3.165,
        }
        yield (
            f"tele/plug-{device:04}/SENSOR",
            json.dumps({"Time": f"{at:%Y-%m-%dT%H:%M:%SZ}", "ENERGY": energy}).encode(),
        )


def publish(port: int, number: int) -> float:
    """Publish at QoS 1 and wait for every acknowledgement; gives the seconds it took."""
    client = mqtt.Client(CallbackAPIVersion.VERSION2, "bench-publisher")
    client.max_inflight_messages_set(_UNACKNOWLEDGED)
    client.max_queued_messages_set(0)
    done = threading.Event()
    acknowledged = 0

    def on_publish(*_: object) -> None:
        nonlocal acknowledged
        acknowledged += 1
        if acknowledged == number:
            done.set()

    client.on_publish = on_publish
    client.connect("127.0.0.1", port)
    client.loop_start()
    started_s = time.monotonic()
    for sent, (topic, payload) in enumerate(messages(number)):
        client.publish(topic, payload, qos=1)
        while sent - acknowledged > 2 * _UNACKNOWLEDGED:
            time.sleep(0.001)
    done.wait(600)
    spent_s = time.monotonic() - started_s
    client.disconnect()
    client.loop_stop()
    return spent_s
