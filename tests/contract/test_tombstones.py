"""A tombstone on Kafka itself: it is a record with an empty value, and separates what was from what comes."""

import time

from services.aggregator.adapters.kafka_scan import KafkaScan
from services.aggregator.erasure import split
from services.ingest.adapters.kafka import KafkaSink
from services.ingest.ports import Outgoing
from services.runtime.settings import KafkaSettings
from tests.servers.running import Kafka


async def test_readers_of_kafka_see_a_tombstone_and_take_only_what_comes_after_it(kafka: Kafka) -> None:
    """Sent by ingest's producer, read in order; another household's records stay."""
    settings = KafkaSettings(bootstrap=kafka.bootstrap)
    sink, now_ms = KafkaSink(settings), int(time.time() * 1000)
    sent = [(b"h_gone", b"{1}"), (b"h_stays", b"{2}"), (b"h_gone", b""), (b"h_gone", b"{3}")]
    for key, value in sent:
        await sink.send([Outgoing("garonne.energy", key, value, now_ms)])
    await sink.close()
    scan = KafkaScan(settings)
    keys = {key for key, _ in sent}
    found = [each async for batch in scan.read(await scan.ends(["garonne.energy"])) for each in batch]
    living, erased = split([each for each in found if each.key in keys])
    assert sorted(each.value for each in living) == [b"{2}", b"{3}"]
    assert [(each.key, each.tags) for each in erased] == [(b"h_gone", {"household": "h_gone"})]
