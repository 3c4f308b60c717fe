"""What is tried at the event log: TLS, SCRAM and the rights of `deploy/kafka/set_up.py` are those that are shipped."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.errors import KafkaError, for_code
from aiokafka.protocol.admin import CreateAclsRequest

from services.runtime.kafka import connection_options
from services.runtime.settings import KafkaSettings, read_settings
from tests.security.clients import CLOSED, Log
from tests.security.registry import attack

ENERGY, REJECTED = "garonne.energy", "garonne.rejected"
_TOPIC, _GROUP, _CLUSTER = "TopicAuthorizationFailed", "GroupAuthorizationFailed", "ClusterAuthorizationFailed"
_STRANGER: Final = "who reached the inner network"
_PATIENCE_S: Final = 30.0


def _settings(log: Log, user: str | None, *, password: Path | None = None, protocol: str = "SASL_SSL") -> KafkaSettings:
    shipped = read_settings(log.site / "deploy/garonne.toml").kafka
    here = {"bootstrap": log.server.bootstrap, "username": user, "security_protocol": protocol}
    file = password or log.site / f"deploy/secrets/kafka_{user}.password"
    return shipped.model_copy(update={**here, "password_file": file})


def _tried(work: Callable[[], Awaitable[str]]) -> str:
    """What came of it: the name of Kafka's refusal."""

    async def bounded() -> str:
        async with asyncio.timeout(_PATIENCE_S):
            return await work()

    try:
        return asyncio.run(bounded())
    except KafkaError as refusal:
        name = type(refusal).__name__.removesuffix("Error")
        return CLOSED if name in {"KafkaConnection", "NoBrokersAvailable"} else name


@asynccontextmanager
async def _admin(settings: KafkaSettings) -> AsyncIterator[AIOKafkaAdminClient]:
    admin = AIOKafkaAdminClient(**connection_options(settings), request_timeout_ms=10_000)
    try:
        await admin.start()
        yield admin
    finally:
        await admin.close()


def _lists(settings: KafkaSettings) -> str:
    async def work() -> str:
        async with _admin(settings) as admin:
            return f"sees {len(await admin.list_topics())} topics"

    return _tried(work)


def _writes(log: Log, user: str, topic: str) -> str:
    async def work() -> str:
        producer = AIOKafkaProducer(**connection_options(_settings(log, user)), request_timeout_ms=10_000)
        await producer.start()
        try:
            await producer.send_and_wait(topic, b"forged", b"h")
        finally:
            await producer.stop()
        return "written"

    return _tried(work)


def _reads(log: Log, user: str, topic: str) -> str:
    async def work() -> str:
        consumer = AIOKafkaConsumer(**connection_options(_settings(log, user)), auto_offset_reset="earliest")
        await consumer.start()
        try:
            consumer.assign([TopicPartition(topic, 0)])
            await consumer.seek_to_beginning()
            await consumer.getmany(timeout_ms=2000)
        finally:
            await consumer.stop()
        return "read"

    return _tried(work)


def _asks(log: Log, user: str, work: Callable[[AIOKafkaAdminClient], Awaitable[Any]], place: str) -> str:
    """An answer that has its refusal in a list of that name."""

    async def asked() -> str:
        async with _admin(_settings(log, user)) as admin:
            answer = await work(admin)
            codes = [part for each in getattr(answer, place) for part in each if type(part) is int]
            return "taken" if codes[0] == 0 else str(for_code(codes[0]).__name__).removesuffix("Error")

    return _tried(asked)


@attack("kafka", "kafka-plain", who=_STRANGER, tries="speaks without TLS", refusal=CLOSED)
def _plain(log: Log) -> str:
    return _lists(_settings(log, None, protocol="PLAINTEXT"))


@attack("kafka", "kafka-no-log-in", who=_STRANGER, tries="speaks TLS and does not log in", refusal=CLOSED)
def _no_login(log: Log) -> str:
    return _lists(_settings(log, None, protocol="SSL"))


@attack("kafka", "kafka-wrong-password", who=_STRANGER, tries="logs in as ingest with a wrong password", refusal=CLOSED)
def _wrong(log: Log) -> str:
    return _lists(_settings(log, "ingest", password=log.site / "deploy/secrets/kafka_auditor.password"))


@attack("kafka", "kafka-unknown-user", who=_STRANGER, tries="logs in with a name that nobody has", refusal=CLOSED)
def _unknown(log: Log) -> str:
    return _lists(_settings(log, "nobody", password=log.site / "deploy/secrets/kafka_ingest.password"))


@attack("kafka", "kafka-forged-readings", who="who took over the aggregator", tries="writes readings", refusal=_TOPIC)
def _forged(log: Log) -> str:
    return _writes(log, "aggregator", ENERGY)


@attack("kafka", "kafka-forged-ledger", who="who took over the aggregator", tries="writes the ledger", refusal=_TOPIC)
def _ledger(log: Log) -> str:
    return _writes(log, "aggregator", "garonne.ledger")


@attack("kafka", "kafka-auditor-writes", who="an auditor", tries="writes readings", refusal=_TOPIC)
def _auditor(log: Log) -> str:
    return _writes(log, "auditor", ENERGY)


@attack("kafka", "kafka-ingest-reads", who="who took over ingest", tries="reads what homes used", refusal=_TOPIC)
def _ingest(log: Log) -> str:
    return _reads(log, "ingest", ENERGY)


@attack("kafka", "kafka-sealed", who="who took over the aggregator", tries="reads refused messages", refusal=_TOPIC)
def _sealed(log: Log) -> str:
    return _reads(log, "aggregator", REJECTED)


@attack(
    "kafka",
    "kafka-group",
    who="an auditor",
    tries="joins the aggregator's group to take its partitions",
    refusal=_GROUP,
)
def _group(log: Log) -> str:
    async def work() -> str:
        group = _settings(log, "auditor").group
        consumer = AIOKafkaConsumer(ENERGY, **connection_options(_settings(log, "auditor")), group_id=group)
        try:
            await consumer.start()
            await consumer.getmany(timeout_ms=20_000)
        finally:
            await consumer.stop()
        return "joined"

    return _tried(work)


@attack("kafka", "kafka-delete-topic", who="an operator's stolen password", tries="deletes the record", refusal=_TOPIC)
def _delete(log: Log) -> str:
    return _asks(log, "operator", lambda admin: admin.delete_topics([ENERGY]), "topic_error_codes")


@attack("kafka", "kafka-create-topic", who="who took over ingest", tries="makes a topic", refusal=_TOPIC)
def _create(log: Log) -> str:
    return _asks(log, "ingest", lambda admin: admin.create_topics([NewTopic("own", 1, 1)]), "topic_errors")


@attack(
    "kafka", "kafka-retention", who="who took over ingest", tries="shortens the retention to lose it", refusal=_TOPIC
)
def _retention(log: Log) -> str:
    async def work(admin: AIOKafkaAdminClient) -> Any:
        resource = ConfigResource(ConfigResourceType.TOPIC, ENERGY, {"retention.ms": "1"})
        return (await admin.alter_configs([resource]))[0]

    return _asks(log, "ingest", work, "resources")


@attack("kafka", "kafka-own-rights", who="who took over ingest", tries="gives itself rights", refusal=_CLUSTER)
def _rights(log: Log) -> str:
    async def work(admin: AIOKafkaAdminClient) -> Any:
        return await admin._send_request(CreateAclsRequest(2, ENERGY, 3, "User:ingest", "*", 3, 3))

    return _asks(log, "ingest", work, "creation_responses")
