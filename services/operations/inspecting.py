"""What `garonne doctor` looks at on this machine and on the wire: files, addresses, TLS, certificates, clocks."""

import asyncio
import os
import socket
import ssl
import stat
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from cryptography import x509

from services.checking import check_configuration
from services.operations.findings import Finding, bad, good, unseen, warning
from services.runtime.settings import Settings

__all__ = ["inspect_files", "inspect_servers"]

_SOON_DAYS: Final = 21
"""`deploy/make-secrets` renews in the last thirty days: nine are left to run it."""
_PATIENCE_S: Final = 8.0
_KEEP_CLOSED: Final = "run: chmod o-rwx "


def inspect_files(settings: Settings) -> Iterator[Finding]:
    """Configuration, secrets that others can read, certificates that end."""
    own = [each for each in check_configuration(settings) if "_file: there is no file" not in each]
    for problem in own:
        yield bad("configuration", problem, "mend it and run: garonne check")
    if not own:
        yield good("configuration", "every key, registry, junction and profile is right")
    secrets, certificates = _secrets(settings), _certificates(settings)
    for key, path in (secrets | certificates).items():
        if not path.is_file():
            yield bad(key, f"there is no file {path}", f"make it, or set {key} to the right one")
    yield from (_openness(key, path) for key, path in secrets.items() if path.is_file())
    yield from (_lifetime(key, path) for key, path in certificates.items() if path.is_file())
    if settings.storage == "embedded":
        yield _folder(settings.embedded.folder)


def _secrets(settings: Settings) -> dict[str, Path]:
    """What must stay secret, and this user needs."""
    named = {"key_file": settings.key_file, "mqtt.password_file": settings.mqtt.password_file}
    named["mqtt.private_key_file"] = settings.mqtt.private_key_file
    if settings.storage == "servers":
        named |= {
            "kafka.password_file": settings.kafka.password_file,
            "influxdb.token_file": settings.influxdb.token_file,
        }
    return {key: path for key, path in named.items() if path is not None}


def _certificates(settings: Settings) -> dict[str, Path]:
    named = {"mqtt.ca_file": settings.mqtt.ca_file, "mqtt.certificate_file": settings.mqtt.certificate_file}
    if settings.storage == "servers":
        named |= {"kafka.ca_file": settings.kafka.ca_file, "influxdb.ca_file": settings.influxdb.ca_file}
    return {key: path for key, path in named.items() if path is not None}


def _openness(key: str, path: Path) -> Finding:
    if not os.access(path, os.R_OK):
        return bad(key, f"{path} cannot be read by this user", "give this user's group the right to read it")
    mode = stat.S_IMODE(path.stat().st_mode)
    if mode & stat.S_IRWXO:
        return bad(key, f"{path} is open to everybody on this machine (mode {mode:o})", _KEEP_CLOSED + str(path))
    return good(key, f"{path} is closed to others")


def _lifetime(key: str, path: Path) -> Finding:
    try:
        ends = min(each.not_valid_after_utc for each in x509.load_pem_x509_certificates(path.read_bytes()))
    except (OSError, ValueError) as problem:
        return bad(key, f"{path} holds no certificate: {type(problem).__name__}", "put the right file there")
    return _ending(key, f"the certificate in {path}", ends)


def _ending(about: str, what: str, ends: datetime) -> Finding:
    days = (ends - datetime.now(UTC)).days
    renew = "renew it (deploy/make-secrets does in the last thirty days), then restart its server"
    if days < 0:
        return bad(about, f"{what} ended on {ends:%F}", renew)
    if days < _SOON_DAYS:
        return warning(about, f"{what} ends in {days} days", renew)
    return good(about, f"{what} lasts for {days} more days")


def _folder(folder: Path) -> Finding:
    if not os.access(folder, os.W_OK):
        return bad("embedded.folder", f"{folder} cannot be written", "make it, or give this user the right to write it")
    return good("embedded.folder", f"{folder} can be written")


async def inspect_servers(settings: Settings) -> list[Finding]:
    """Whether every server's name is known, its port open and its TLS trusted; ends early at the first that is not."""
    at = settings.mqtt
    wanted = [("MQTT", at.host, at.port, at.tls, at.ca_file)]
    if settings.storage == "servers":
        secure = settings.kafka.security_protocol != "PLAINTEXT"
        for each in settings.kafka.bootstrap.split(","):
            host, _, port = each.strip().rpartition(":")
            wanted.append(("Kafka", host, int(port) if port.isdigit() else 9092, secure, settings.kafka.ca_file))
        url = urlsplit(settings.influxdb.url)
        tls = url.scheme == "https"
        wanted.append(
            ("InfluxDB", url.hostname or "", url.port or (443 if tls else 80), tls, settings.influxdb.ca_file)
        )
    found = await asyncio.gather(*(asyncio.to_thread(_reach, *each) for each in wanted))
    return [finding for findings in found for finding in findings]


def _reach(name: str, host: str, port: int, tls: bool, authority: Path | None) -> list[Finding]:  # noqa: FBT001
    where = f"{host}:{port}"
    try:
        socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except socket.gaierror:
        return [
            bad(name, f"no machine is called {host}", "look at the name, and at the DNS or network of this machine")
        ]
    try:
        with socket.create_connection((host, port), _PATIENCE_S) as plain:
            if not tls:
                return [
                    warning(name, f"{where} answers, without TLS", "use TLS wherever the network is not this machine")
                ]
            return _greet(name, where, host, plain, authority)
    except TimeoutError:
        return [bad(name, f"{where} does not answer within {_PATIENCE_S:.0f} s", "is a firewall in between?")]
    except OSError as problem:
        why = problem.strerror or type(problem).__name__
        return [bad(name, f"{where} cannot be reached: {why}", f"start {name}, or set its address right")]


def _greet(name: str, where: str, host: str, plain: socket.socket, authority: Path | None) -> list[Finding]:
    try:
        context = ssl.create_default_context(cafile=None if authority is None else str(authority))
    except OSError as problem:
        return [unseen(name, f"TLS of {where}: {authority} cannot be used ({problem.strerror or 'no certificate'})")]
    try:
        with context.wrap_socket(plain, server_hostname=host) as secure:
            certificate = secure.getpeercert() or {}
            said, version = str(certificate.get("notAfter", "")), secure.version()
    except ssl.SSLCertVerificationError as problem:
        advice = "renew the certificate" if "expired" in problem.verify_message else "look at the ca_file and the name"
        return [bad(name, f"the certificate of {where} is not trusted: {problem.verify_message}", advice)]
    except (ssl.SSLError, OSError) as problem:
        why = getattr(problem, "reason", None) or type(problem).__name__
        return [bad(name, f"{where} does not speak TLS as set: {why}", "is this the port for TLS?")]
    ends = datetime.fromtimestamp(ssl.cert_time_to_seconds(said), UTC)
    return [good(name, f"{where} answers over {version}"), _ending(name, f"the certificate of {where}", ends)]
