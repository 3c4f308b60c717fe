"""What `garonne doctor` sees without servers of its own: certificates that ended or end soon, secrets that are open."""

import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from socket import create_server

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from services.operations.findings import Finding
from services.operations.inspecting import inspect_files, inspect_servers
from services.runtime.settings import MqttSettings, Settings


def _certificate(folder: Path, days: int) -> Path:
    """Key and certificate of localhost in one file, signed by itself, that ends in so many days."""
    key, name = (
        ec.generate_private_key(ec.SECP256R1()),
        x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")]),
    )
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - timedelta(days=400))
        .not_valid_after(now + timedelta(days=days, hours=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    plain = serialization.NoEncryption()
    pem = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, plain)
    path = folder / f"server{days}.pem"
    path.write_bytes(pem + made.public_bytes(serialization.Encoding.PEM))
    return path


@contextmanager
def _server(certificate: Path) -> Iterator[int]:
    """Greets one client over TLS; gives its port."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate)
    with create_server(("localhost", 0)) as listening:

        def greet() -> None:
            connection, _ = listening.accept()
            with connection:
                try:
                    context.wrap_socket(connection, server_side=True).close()
                except OSError:
                    return  # it is not trusted: that is what the test is about

        thread = threading.Thread(target=greet)
        thread.start()
        yield int(listening.getsockname()[1])
        thread.join()


@pytest.mark.parametrize(
    ("days", "verdict", "says"),
    [(-10, "bad", "certificate has expired"), (5, "warning", "ends in 5 days"), (90, "good", "lasts for 90 more days")],
)
async def test_the_certificate_of_a_server_is_told_with_its_days(
    tmp_path: Path, days: int, verdict: str, says: str
) -> None:
    """Ended: it is not trusted. Soon: a warning, with what renews it."""
    certificate = _certificate(tmp_path, days)
    with _server(certificate) as port:
        mqtt = MqttSettings(host="localhost", port=port, tls=True, ca_file=certificate)
        found = await inspect_servers(Settings(storage="embedded", mqtt=mqtt))
    assert found[-1].verdict == verdict
    assert says in found[-1].text
    assert (verdict == "good") is (found[-1].advice == "")


async def test_a_certificate_of_another_authority_is_not_trusted(tmp_path: Path) -> None:
    """And the keys that may be wrong are named."""
    (tmp_path / "other").mkdir()
    with _server(_certificate(tmp_path, 90)) as port:
        other = _certificate(tmp_path / "other", 90)
        mqtt = MqttSettings(host="localhost", port=port, tls=True, ca_file=other)
        (finding,) = await inspect_servers(Settings(storage="embedded", mqtt=mqtt))
    assert (finding.verdict, "ca_file" in finding.advice) == ("bad", True)


def _about(settings: Settings) -> dict[str, Finding]:
    return {each.about: each for each in inspect_files(settings)}


def test_a_secret_that_everybody_can_read_is_told_with_the_command_that_closes_it(tmp_path: Path) -> None:
    """Mode and path, never content."""
    password = tmp_path / "mqtt.password"
    password.write_text("geheim", "utf-8")
    password.chmod(0o644)
    mqtt = MqttSettings(username="u", password_file=password, ca_file=tmp_path / "none.crt")
    found = _about(Settings(storage="embedded", mqtt=mqtt))
    assert found["mqtt.password_file"].verdict == "bad"
    assert found["mqtt.password_file"].advice == f"run: chmod o-rwx {password}"
    assert found["mqtt.ca_file"].text == f"there is no file {tmp_path / 'none.crt'}"
    assert "geheim" not in repr(found)
    password.chmod(0o440)
    assert _about(Settings(storage="embedded", mqtt=mqtt))["mqtt.password_file"].verdict == "good"
