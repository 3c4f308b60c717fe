"""Make every secret of the deployment, once: keys, passwords, certificates. Needs Python 3.11 and `openssl` 3.

What is there is kept, so the command may be run again at any time: it makes what is missing and renews server
certificates in their last thirty days. To change a secret, delete its file and run this again.

The folder is for its owner alone. The files in it can be read by one group, which `docker-compose.yml` gives to the
containers: so none of them runs as root, and no file is open to everybody.
"""

# ruff: noqa: INP001, T201, S603, S607 - a script of its own that says what it does and starts openssl

import argparse
import base64
import hashlib
import os
import re
import secrets
import shutil
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT_GID = 10001
"""The group of Garonne's own image, for secrets that root makes: members of root's group could read more."""
INGEST_USER, HEALTH_USER = "garonne-ingest", "garonne-health"
PASSWORDS = (
    "mqtt_ingest.password",
    "mqtt_health.password",
    "kafka_broker.password",
    "kafka_ingest.password",
    "kafka_aggregator.password",
    "influxdb_admin.password",
    "influxdb_operator.token",
    "grafana_admin.password",
)
TOKENS = ("aggregator.token", "report.token", "grafana.token")
"""InfluxDB makes these itself: `influxdb/set_up.py` writes them into the empty files that stand here before."""
RENEW_BEFORE_S = 30 * 86_400
DEVICE_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.:-]{0,63}")


class Secrets:
    """A folder of secrets that one group can read."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.gid = ROOT_GID if os.geteuid() == 0 else os.getgid()
        folder.mkdir(parents=True, exist_ok=True)
        folder.chmod(0o700)

    def subfolder(self, name: str) -> Path:
        """A folder that is mounted as a whole: its group may enter."""
        path = self.folder / name
        path.mkdir(exist_ok=True)
        os.chown(path, -1, self.gid)
        path.chmod(0o750)
        return path

    def put(self, name: str, content: bytes, mode: int = 0o440) -> Path:
        """Write a file that is whole or absent, and never open to others in between."""
        path = self.folder / name
        partial = path.with_name(path.name + ".partial")
        partial.unlink(missing_ok=True)
        with os.fdopen(os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            file.write(content)
        os.chown(partial, -1, self.gid)
        partial.chmod(mode)
        partial.replace(path)
        print(f"made {path}")
        return path

    def ensure(self, name: str, content: bytes, mode: int = 0o440) -> Path:
        """Write a file if there is none."""
        path = self.folder / name
        return path if path.exists() else self.put(name, content, mode)

    def text(self, name: str) -> str:
        """What a secret says."""
        return (self.folder / name).read_text("utf-8")


def openssl(*arguments: str) -> None:
    """Run openssl.

    Raises:
        SystemExit: it failed; its words are shown.
    """
    done = subprocess.run(["openssl", *arguments], capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(f"make-secrets: openssl {arguments[0]} failed:\n{done.stderr}")


def authority(store: Secrets) -> None:
    """The certificate authority of this deployment; devices get `ca.crt`, nobody gets `ca.key`."""
    key, certificate = store.folder / "ca.key", store.folder / "ca.crt"
    if key.exists() and certificate.exists():
        return
    extensions = ("basicConstraints=critical,CA:TRUE,pathlen:0", "keyUsage=critical,keyCertSign,cRLSign")
    options = [option for each in extensions for option in ("-addext", each)]
    new = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-noenc", "-days", "3650", "-subj", "/CN=Garonne"]
    openssl("req", "-x509", *new, *options, "-keyout", str(key), "-out", str(certificate))
    key.chmod(0o400)
    store.put("ca.crt", certificate.read_bytes())


def server_certificate(store: Secrets, name: str, names: list[str]) -> tuple[bytes, bytes]:
    """Key and certificate of a server, signed by the authority."""
    work = store.folder / f".{name}"
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir(mode=0o700)
    try:
        key, request, certificate, extensions = (work / each for each in ("key", "csr", "crt", "ext"))
        alternatives = ",".join(f"{'IP' if re.fullmatch(r'[0-9.]+|.*:.*', each) else 'DNS'}:{each}" for each in names)
        extensions.write_text(
            f"subjectAltName={alternatives}\nbasicConstraints=critical,CA:FALSE\n"
            "keyUsage=critical,digitalSignature\nextendedKeyUsage=serverAuth,clientAuth\n"
            "subjectKeyIdentifier=hash\nauthorityKeyIdentifier=keyid\n",
            "utf-8",
        )
        new = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-noenc", "-subj", f"/CN={name}"]
        openssl("req", "-new", *new, "-keyout", str(key), "-out", str(request))
        signer = ["-CA", str(store.folder / "ca.crt"), "-CAkey", str(store.folder / "ca.key")]
        serial = ["-set_serial", str(secrets.randbits(63))]
        files = ["-in", str(request), "-out", str(certificate), "-extfile", str(extensions)]
        openssl("x509", "-req", *files, *signer, *serial, "-days", "397")
        return key.read_bytes(), certificate.read_bytes()
    finally:
        shutil.rmtree(work)


def is_current(certificate: Path) -> bool:
    """Whether a certificate is there and lasts for another month."""
    check = ["openssl", "x509", "-checkend", str(RENEW_BEFORE_S), "-noout", "-in", str(certificate)]
    return certificate.exists() and subprocess.run(check, capture_output=True, check=False).returncode == 0


def certificates(store: Secrets, names: list[str]) -> None:
    """Certificates of the broker and of Kafka."""
    authority(store)
    store.ensure("mosquitto/ca.crt", (store.folder / "ca.crt").read_bytes())
    if not is_current(store.folder / "mosquitto" / "server.crt"):
        key, certificate = server_certificate(store, "mosquitto", ["mosquitto", "localhost", "127.0.0.1", *names])
        store.put("mosquitto/server.key", key)
        store.put("mosquitto/server.crt", certificate)
    if not is_current(store.folder / "kafka.crt"):
        key, certificate = server_certificate(store, "kafka", ["kafka", "localhost", "127.0.0.1"])
        store.put("kafka.pem", key + certificate)
        store.put("kafka.crt", certificate)


def mosquitto_hash(password: str) -> str:
    """The form of Mosquitto's password file: PBKDF2-HMAC-SHA512. Few rounds do, for our passwords are random."""
    rounds, salt = 101, secrets.token_bytes(12)
    digest = hashlib.pbkdf2_hmac("sha512", password.encode(), salt, rounds)
    return f"$7${rounds}${base64.b64encode(salt).decode()}${base64.b64encode(digest).decode()}"


def hash_fits(known: str, password: str) -> bool:
    """Whether a line of Mosquitto's password file is of this password."""
    kind, rounds, salt, digest = known.split("$")[1:]
    made = hashlib.pbkdf2_hmac("sha512", password.encode(), base64.b64decode(salt), int(rounds))
    return kind == "7" and base64.b64encode(made).decode() == digest


def mosquitto_passwords(store: Secrets) -> None:
    """The broker's password file: a line for each user whose password lies here; lines that fit are kept."""
    users = {INGEST_USER: "mqtt_ingest.password", HEALTH_USER: "mqtt_health.password"}
    users |= {path.stem: f"devices/{path.name}" for path in sorted((store.folder / "devices").glob("*.password"))}
    path = store.folder / "mosquitto" / "passwords"
    old = dict(line.split(":", 1) for line in path.read_text("utf-8").split()) if path.exists() else {}
    new = {}
    for user, name in users.items():
        password = store.text(name)
        known = old.get(user)
        new[user] = known if known is not None and hash_fits(known, password) else mosquitto_hash(password)
    if new != old:
        store.put("mosquitto/passwords", "".join(f"{user}:{known}\n" for user, known in new.items()).encode())


def enrol(store: Secrets, name: str) -> None:
    """A credential for a device: its name is the level of the topic that is its own."""
    if not DEVICE_NAME.fullmatch(name) or name in {INGEST_USER, HEALTH_USER}:
        sys.exit(f"make-secrets: {name!r} cannot name a device: letters, digits and . : _ - only, 64 at most")
    path = store.ensure(f"devices/{name}.password", secrets.token_hex(24).encode(), 0o400)
    print(f"the device {name} logs in with its name and the password in {path}")


def make_all(store: Secrets, names: list[str]) -> None:
    """Everything that is missing."""
    for name in ("mosquitto", "mosquitto_health"):
        store.subfolder(name)
    store.ensure("garonne.key", secrets.token_bytes(32))
    for name in PASSWORDS:
        store.ensure(name, secrets.token_hex(32).encode())
    for name in TOKENS:
        store.ensure(name, b"", 0o660)
    options = f"-u {HEALTH_USER}\n-P {store.text('mqtt_health.password')}\n"
    store.ensure("mosquitto_health/mosquitto_sub", options.encode())
    certificates(store, names)


def note_group(file: Path, gid: int) -> None:
    """Tell compose the group, in its `.env`; what else stands there is left alone."""
    key = "GARONNE_SECRETS_GID"
    lines = file.read_text("utf-8").splitlines() if file.exists() else []
    wanted = [*(line for line in lines if not line.startswith(f"{key}=")), f"{key}={gid}"]
    if sorted(lines) != sorted(wanted):
        file.write_text("\n".join(wanted) + "\n", "utf-8")
        print(f"wrote {key} into {file}")


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(prog="make-secrets", description=__doc__)
    parser.add_argument("--name", action="append", default=[], metavar="HOST", help="name or address of the broker")
    parser.add_argument("--device", action="append", default=[], metavar="NAME", help="enrol a device")
    parser.add_argument("--folder", type=Path, default=HERE / "secrets", help="where (default: %(default)s)")
    parser.add_argument("--env", type=Path, default=HERE.parent / ".env", help="compose's .env (default: %(default)s)")
    arguments = parser.parse_args()
    os.umask(0o077)
    if shutil.which("openssl") is None:
        sys.exit("make-secrets: there is no program `openssl` here; install it first")
    store = Secrets(arguments.folder)
    store.subfolder("devices")
    make_all(store, arguments.name)
    for device in arguments.device:
        enrol(store, device)
    mosquitto_passwords(store)
    note_group(arguments.env, store.gid)


if __name__ == "__main__":
    main()
