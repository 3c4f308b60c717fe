"""Clients that an attacker would use: an MQTT client that tells how it was received, and certificates to try."""

import ssl
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from queue import Empty, Queue
from types import TracebackType
from typing import Self

import paho.mqtt.client as mqtt
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from paho.mqtt.enums import CallbackAPIVersion

from tests.deploy.shipped import ShippedKafka, ShippedMosquitto

__all__ = ["CLOSED", "Broker", "Client", "Log", "certificate"]

CLOSED = "connection closed"
_PATIENCE_S = 20.0


@dataclass(frozen=True)
class Broker:
    """The shipped Mosquitto with its secrets."""

    server: ShippedMosquitto
    site: Path

    @property
    def secrets(self) -> Path:
        """The folder of secrets."""
        return self.site / "deploy/secrets"

    def password(self, user: str) -> str:
        """Of a device or of Garonne itself."""
        own = {"garonne-ingest": "mqtt_ingest.password", "garonne-health": "mqtt_health.password"}
        return (self.secrets / own.get(user, f"devices/{user}.password")).read_text("utf-8")

    def device(self, user: str, **others: object) -> "Client":
        """A device with its right password."""
        values: dict[str, object] = {"user": user, "password": self.password(user), **others}
        return Client(self, self.server.own_port if user.startswith("garonne") else self.server.port, **values)  # type: ignore[arg-type]

    def station(self, files: tuple[Path, Path], **others: object) -> "Client":
        """A client with a key and a certificate, at the port for roadside units."""
        return Client(self, self.server.stations_port, certificate=files, **others)  # type: ignore[arg-type]


@dataclass(frozen=True)
class Log:
    """The shipped Kafka with its secrets."""

    server: ShippedKafka
    site: Path


class Client:
    """An MQTT 5 connection; `welcome` is the broker's answer, or that it closed the connection."""

    def __init__(  # noqa: PLR0917 - the parts of a log-in
        self,
        broker: Broker,
        port: int,
        user: str | None = None,
        password: str | None = None,
        certificate: tuple[Path, Path] | None = None,
        client_id: str = "",
        will: str | None = None,
        *,
        tls: bool = True,
    ) -> None:
        self._user = user
        self._answers: Queue[str] = Queue()
        self._published: Queue[str] = Queue()
        self.received: Queue[str] = Queue()
        client = self._client = mqtt.Client(CallbackAPIVersion.VERSION2, client_id, protocol=mqtt.MQTTv5)
        client.reconnect_delay_set(600, 600)
        if user is not None:
            client.username_pw_set(user, password)
        if tls:
            context = ssl.create_default_context(cafile=broker.secrets / "ca.crt")
            if certificate is not None:
                context.load_cert_chain(certificate[1], certificate[0])
            client.tls_set_context(context)
        if will is not None:
            client.will_set(will, b"{}", qos=1)
        client.on_connect = lambda _c, _u, _f, code, _p: self._answers.put(str(code))
        client.on_disconnect = lambda _c, _u, _f, _r, _p: self._closed()
        client.on_publish = lambda _c, _u, _m, code, _p: self._published.put(str(code))
        client.on_subscribe = lambda _c, _u, _m, codes, _p: self._answers.put(str(codes[0]))
        client.on_message = lambda _c, _u, message: self.received.put(message.topic)
        try:
            client.connect("127.0.0.1", port)
        except (ssl.SSLError, OSError):
            self.welcome = CLOSED
            return
        client.loop_start()
        self.welcome = self._answers.get(timeout=_PATIENCE_S)

    def _closed(self) -> None:
        self._answers.put(CLOSED)
        self._published.put(CLOSED)

    def publish(self, topic: str, payload: bytes = b"{}", *, retain: bool = False) -> str:
        """The broker's answer to a message at QoS 1."""
        self._client.publish(topic, payload, qos=1, retain=retain)
        answer = self._published.get(timeout=_PATIENCE_S)
        return "Success" if answer == "No matching subscribers" else answer

    def subscribe(self, *topics: str) -> None:
        """Subscribe; the broker may say yes and give nothing."""
        for topic in topics:
            self._client.subscribe(topic, qos=1)
            self._answers.get(timeout=_PATIENCE_S)

    def heard(self) -> str:
        """What was delivered until now: the answer to a message of its own comes behind it."""
        assert self.publish(f"stat/{self._user}/PROBE") == "Success"
        try:
            return f"hears {self.received.get_nowait()}"
        except Empty:
            return "hears nothing"

    def drop(self) -> None:
        """Break off without a goodbye: the broker publishes the will."""
        socket = self._client.socket()
        if socket is not None:
            socket.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._client.disconnect()
        self._client.loop_stop()
        self._client._reset_sockets()  # else those of a connection that was refused stay open


def certificate(
    folder: Path,
    name: str,
    *,
    signer: tuple[Path, Path] | None,
    begins: timedelta = timedelta(hours=-1),
    ends: timedelta = timedelta(days=1),
) -> tuple[Path, Path]:
    """Key and certificate of `name`, signed by the authority of `signer` (key, certificate), or by itself."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    issuer, signing = subject, key
    if signer is not None:
        signing = serialization.load_pem_private_key(signer[0].read_bytes(), None)  # type: ignore[assignment]
        issuer = x509.load_pem_x509_certificate(signer[1].read_bytes()).subject
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now + begins)
        .not_valid_after(now + ends)
        .add_extension(x509.BasicConstraints(ca=signer is None, path_length=None), critical=True)
        .sign(signing, hashes.SHA256())
    )
    files = folder / f"{name}.key", folder / f"{name}.crt"
    files[0].write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    files[1].write_bytes(made.public_bytes(serialization.Encoding.PEM))
    return files
