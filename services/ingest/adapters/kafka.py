"""Kafka by aiokafka's batch interface: idempotent, acks=all, one batch per partition and call."""

import asyncio
from collections import defaultdict
from collections.abc import Sequence
from contextlib import suppress

from aiokafka import AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.errors import KafkaError, TopicAlreadyExistsError
from aiokafka.helpers import create_ssl_context
from aiokafka.partitioner import DefaultPartitioner

from schemas.envelope import TOPICS
from services.ingest.ports import Outgoing, Unavailable
from services.runtime.settings import KafkaSettings

__all__ = ["KafkaSink", "connection_options"]

_BATCH_BYTES = 900_000
_PARTITIONS = 4
_partition = DefaultPartitioner()


def connection_options(settings: KafkaSettings) -> dict[str, object]:
    """Addresses, TLS and SASL, as every aiokafka client takes them."""
    options: dict[str, object] = {
        "bootstrap_servers": settings.bootstrap,
        "security_protocol": settings.security_protocol,
    }
    if settings.security_protocol != "PLAINTEXT":
        options["ssl_context"] = create_ssl_context(cafile=str(settings.ca_file) if settings.ca_file else None)
    if settings.security_protocol == "SASL_SSL":
        options["sasl_mechanism"] = "SCRAM-SHA-512"
        options["sasl_plain_username"] = settings.username
        if settings.password_file is not None:
            options["sasl_plain_password"] = settings.password_file.read_text("utf-8").strip()
    return options


class KafkaSink:
    """The `Sink` port. A producer that failed is closed and made anew at the next call."""

    def __init__(self, settings: KafkaSettings) -> None:
        self._settings = settings
        self._producer: AIOKafkaProducer | None = None
        self._starting = asyncio.Lock()

    async def send(self, batch: Sequence[Outgoing]) -> None:
        """Store a batch; returns when every in-sync replica has it.

        Raises:
            Unavailable: not certain that all of it is stored.
        """
        producer = await self._ready()
        try:
            async with asyncio.timeout(self._settings.delivery_timeout_s):
                await self._send(producer, batch)
        except (KafkaError, TimeoutError, OSError, AssertionError) as fault:
            await self._discard(producer)
            raise Unavailable(f"Kafka at {self._settings.bootstrap}: {str(fault) or type(fault).__name__}") from fault

    async def _send(self, producer: AIOKafkaProducer, batch: Sequence[Outgoing]) -> None:
        waiting = []
        for (topic, partition), records in (await _divided(producer, batch)).items():
            builder = producer.create_batch()
            for record in records:
                stamp = record.timestamp_ms
                if builder.append(timestamp=stamp, key=record.key, value=record.value) is None:
                    waiting.append(await producer.send_batch(builder, topic, partition=partition))
                    builder = producer.create_batch()
                    builder.append(timestamp=stamp, key=record.key, value=record.value)
            builder.close()
            waiting.append(await producer.send_batch(builder, topic, partition=partition))
        await asyncio.gather(*waiting)

    async def _ready(self) -> AIOKafkaProducer:
        async with self._starting:
            if self._producer is not None:
                return self._producer
            producer = AIOKafkaProducer(
                **connection_options(self._settings),
                enable_idempotence=True,
                acks="all",
                compression_type=None if self._settings.compression == "none" else self._settings.compression,
                max_batch_size=_BATCH_BYTES,
                request_timeout_ms=int(self._settings.delivery_timeout_s * 1000),
            )
            try:
                async with asyncio.timeout(self._settings.delivery_timeout_s):
                    await producer.start()
                    await self._create_topics()
            except (KafkaError, TimeoutError, OSError) as fault:
                with suppress(KafkaError, OSError):
                    await producer.stop()
                where = self._settings.bootstrap
                raise Unavailable(f"no Kafka answers at {where}: {str(fault) or type(fault).__name__}") from fault
            self._producer = producer
            return producer

    async def _create_topics(self) -> None:
        """Topics with several partitions; a broker that does not let us has them made by its operator."""
        admin = AIOKafkaAdminClient(**connection_options(self._settings))
        await admin.start()
        try:
            missing = set(TOPICS.values()) - set(await admin.list_topics())
            wanted = [NewTopic(name, num_partitions=_PARTITIONS, replication_factor=-1) for name in sorted(missing)]
            if wanted:
                with suppress(TopicAlreadyExistsError):
                    await admin.create_topics(wanted)
        finally:
            await admin.close()

    async def _discard(self, producer: AIOKafkaProducer) -> None:
        if self._producer is producer:
            self._producer = None
        # A producer whose batches never expire would wait for Kafka in stop(): leave it after a moment.
        with suppress(KafkaError, TimeoutError, OSError):
            await asyncio.wait_for(producer.stop(), 2.0)

    async def close(self) -> None:
        """Flush and disconnect."""
        if self._producer is not None:
            await self._discard(self._producer)


async def _divided(producer: AIOKafkaProducer, batch: Sequence[Outgoing]) -> dict[tuple[str, int], list[Outgoing]]:
    """The batch by topic and partition, keys placed as Kafka's own producers place them (murmur2)."""
    divided: dict[tuple[str, int], list[Outgoing]] = defaultdict(list)
    partitions: dict[str, list[int]] = {}
    for record in batch:
        known = partitions.get(record.topic)
        if known is None:
            known = partitions[record.topic] = sorted(await producer.partitions_for(record.topic))
        divided[record.topic, _partition(record.key, known, known)].append(record)
    return divided
