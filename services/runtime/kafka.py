"""What every Kafka client of ours needs: address, TLS, SASL, and topics that exist."""

import ssl
from collections.abc import Iterable
from contextlib import suppress
from typing import Any, Final

from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.conn import create_conn
from aiokafka.errors import (
    AuthenticationFailedError,
    InvalidReplicationFactorError,
    KafkaConnectionError,
    KafkaError,
    SaslAuthenticationFailed,
)
from aiokafka.helpers import create_ssl_context

from schemas.envelope import TOPICS
from services.runtime.settings import KafkaSettings

__all__ = ["RECORD_BYTES", "NotLetIn", "TooFewBrokers", "connection_options", "ensure_topics", "knock"]

RECORD_BYTES: Final = 2 * 1024 * 1024
"""The largest record that our topics take (`max.message.bytes`)."""


class NotLetIn(KafkaError):  # type: ignore[misc] # aiokafka ships no types
    """Kafka is there and does not let us in; the text says why, and which key of the configuration to look at."""

    def __str__(self) -> str:
        """The text alone: aiokafka puts the name of the class before it."""
        return str(self.args[0])


class TooFewBrokers(KafkaError):  # type: ignore[misc] # aiokafka ships no types
    """Topics cannot have as many copies as `kafka.replication` says; it may be that not all brokers are up yet."""

    def __str__(self) -> str:
        """The text alone."""
        return str(self.args[0])


def connection_options(settings: KafkaSettings) -> dict[str, Any]:
    """Addresses, TLS and SASL, as every aiokafka client takes them.

    Raises:
        OSError: a certificate or password file cannot be read.
    """
    options: dict[str, Any] = {
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


async def knock(settings: KafkaSettings) -> None:
    """Find out why no client can connect: aiokafka tells only that it could not.

    Raises:
        NotLetIn: the credentials, or the certificate of Kafka.
    """
    options = connection_options(settings)
    for each in options.pop("bootstrap_servers").split(","):
        host, _, port = each.strip().rpartition(":")
        try:
            connection = await create_conn(host, int(port), request_timeout_ms=5000, **options)
        except (AuthenticationFailedError, SaslAuthenticationFailed) as refusal:
            text = "it refuses the credentials; look at kafka.username and kafka.password_file"
            raise NotLetIn(text) from refusal
        except ssl.SSLError as fault:
            why = getattr(fault, "verify_message", None) or fault.reason
            raise NotLetIn(f"TLS fails: {why}; look at kafka.ca_file and kafka.security_protocol") from fault
        except (KafkaError, OSError, TimeoutError, ValueError):
            continue
        connection.close()


async def ensure_topics(settings: KafkaSettings, names: Iterable[str]) -> None:
    """Make the topics that are missing, as the settings say. Whoever comes first makes them, or Kafka would.

    Kafka's own retention of a week would throw the record away, and keep single vehicles longer than they are needed.

    A broker that refuses has its topics made by its operator, or makes them by itself.

    Args:
        settings: where Kafka is, and how long it keeps what.
        names: of the topics.

    Raises:
        TooFewBrokers: they cannot have their copies.
        KafkaError, OSError: no answer.
    """
    admin = AIOKafkaAdminClient(**connection_options(settings))
    try:
        try:
            await admin.start()
        except KafkaConnectionError:
            await knock(settings)
            raise
        missing = sorted(set(names) - set(await admin.list_topics()))
        if missing:
            answer = None
            with suppress(KafkaError):
                answer = await admin.create_topics([_topic(settings, name) for name in missing])
            if answer is not None:
                _check_copies(settings, answer.topic_errors)
    finally:
        await admin.close()


def _topic(settings: KafkaSettings, name: str) -> NewTopic:
    return NewTopic(name, settings.partitions, settings.replication, topic_configs=_limits(settings, name))


def _check_copies(settings: KafkaSettings, errors: Iterable[tuple[Any, ...]]) -> None:
    """Kafka would make the topics by itself then, with fewer copies than were asked for.

    Raises:
        TooFewBrokers: it says that it has fewer brokers than copies.
    """
    if any(code == InvalidReplicationFactorError.errno for _, code, *_ in errors):
        text = f"topics cannot have {settings.replication} copies: fewer brokers are up; look at kafka.replication"
        raise TooFewBrokers(text)


def _limits(settings: KafkaSettings, topic: str) -> dict[str, str]:
    hours = settings.vehicle_retention_h if topic == TOPICS["vehicle_state"] else 24 * settings.retention_days
    return {
        "max.message.bytes": str(RECORD_BYTES),
        "retention.ms": str(hours * 3_600_000),
        # With `acks=all`: what is acknowledged survives the loss of any one broker, and one may be away.
        "min.insync.replicas": str(max(1, settings.replication - 1)),
    }
