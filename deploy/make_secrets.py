"""Make every secret of the deployment, once: keys, passwords, certificates. Needs Python 3.11 and `openssl` 3.

What is there is kept, so the command may be run again at any time: it makes what is missing and renews server
certificates in their last thirty days. To change a secret, delete its file and run this again.

Two authorities: `ca.crt` speaks for servers, `devices-ca.crt` for roadside units. A unit can never pass for a server.

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
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT_GID = 10001
"""The group of Garonne's own image, for secrets that root makes: members of root's group could read more."""
INGEST_USER, HEALTH_USER, DOCTOR_USER = "garonne-ingest", "garonne-health", "garonne-doctor"
PASSWORDS = (
    "mqtt_ingest.password",
    "mqtt_health.password",
    "mqtt_doctor.password",
    "kafka_broker.password",
    "kafka_ingest.password",
    "kafka_aggregator.password",
    "kafka_auditor.password",
    "kafka_operator.password",
    "influxdb_admin.password",
    "influxdb_operator.token",
    "metrics.token",
    "grafana_admin.password",
)
TOKENS = ("aggregator.token", "report.token", "grafana.token", "auditor.token", "operator.token")
"""InfluxDB makes these itself: `influxdb/set_up.py` writes them into the empty files that stand here before."""
RENEW_BEFORE_S = 30 * 86_400
DEVICE_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.:-]{0,63}")
RESERVED = re.compile(r"garonne.*|\$.*", re.IGNORECASE)
TOPIC_WORDS = frozenset(
    "aiida ams amsleser attrs availability bridge bsm cam channel cmnd config consumption DBIRTH DDATA DDEATH "  # noqa: SIM905 - a paragraph
    "denm dsmr edge edgeConfig el emon emonhub events everblu garonne gas gazpar2mqtt get ha hass homeassistant "
    "homewizard homie import info inQueue iomtsgdata j2735 json map NBIRTH NDATA NDEATH online out outQueue own "
    "p1 pionniers probe raw reading rpc rssi rx senml sensor set shellies sma solar solaredge spat srem srm ssm stat "
    "state statestream status tele telegram teleinfo tic timestamp ul us v2x values vanetza wmbusmeters "
    "zigbee2mqtt".split()
)
"""Words that are levels of topics themselves: a device of such a name would own more than its own."""
STATION_TOPICS = tuple(
    f"+/{queue}/v2x/{kind}/%s/#" for queue in ("inQueue", "outQueue") for kind in ("mapem", "spatem", "spat", "ssem")
)
"""What a roadside unit may say beyond what every vehicle may: how a junction is made, and its signals."""
SERVERS = ("kafka", "influxdb", "prometheus", "ingest", "aggregator")
"""Servers inside; the names of those that the outside reaches come by `--name`."""


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


def authority(store: Secrets, name: str, subject: str) -> None:
    """A certificate authority of this deployment: others get `NAME.crt`, nobody gets `NAME.key`."""
    key, certificate = store.folder / f"{name}.key", store.folder / f"{name}.crt"
    if key.exists() and certificate.exists():
        return
    extensions = ("basicConstraints=critical,CA:TRUE,pathlen:0", "keyUsage=critical,keyCertSign,cRLSign")
    options = [option for each in extensions for option in ("-addext", each)]
    new = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-noenc", "-days", "3650", "-subj", f"/CN={subject}"]
    openssl("req", "-x509", *new, *options, "-keyout", str(key), "-out", str(certificate))
    key.chmod(0o400)
    store.put(f"{name}.crt", certificate.read_bytes())


def signed(store: Secrets, authority: str, name: str, usage: str, names: list[str]) -> tuple[bytes, bytes]:
    """A key and its certificate, signed by an authority, for one use: `serverAuth` or `clientAuth`."""
    work = store.folder / f".{name}"
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir(mode=0o700)
    try:
        key, request, certificate, extensions = (work / each for each in ("key", "csr", "crt", "ext"))
        alternatives = ",".join(f"{'IP' if re.fullmatch(r'[0-9.]+|.*:.*', each) else 'DNS'}:{each}" for each in names)
        extensions.write_text(
            (f"subjectAltName={alternatives}\n" if names else "") + "basicConstraints=critical,CA:FALSE\n"
            f"keyUsage=critical,digitalSignature\nextendedKeyUsage={usage}\n"
            "subjectKeyIdentifier=hash\nauthorityKeyIdentifier=keyid\n",
            "utf-8",
        )
        new = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-noenc", "-subj", f"/CN={name}"]
        openssl("req", "-new", *new, "-keyout", str(key), "-out", str(request))
        signer = ["-CA", str(store.folder / f"{authority}.crt"), "-CAkey", str(store.folder / f"{authority}.key")]
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
    """Certificates of all servers, and of Grafana as a client of Prometheus."""
    authority(store, "ca", "Garonne")
    authority(store, "devices-ca", "Garonne devices")
    here = ["localhost", "127.0.0.1"]
    store.ensure("mosquitto/ca.crt", (store.folder / "ca.crt").read_bytes())
    store.ensure("mosquitto/devices-ca.crt", (store.folder / "devices-ca.crt").read_bytes())
    if not is_current(store.folder / "mosquitto" / "server.crt"):
        key, certificate = signed(store, "ca", "mosquitto", "serverAuth", ["mosquitto", *here, *names])
        store.put("mosquitto/server.key", key)
        store.put("mosquitto/server.crt", certificate)
    for name in (*SERVERS, "grafana"):
        if not is_current(store.folder / f"{name}.crt"):
            # Kafka's controller is its own client; Prometheus asks itself for its figures.
            usage = "serverAuth,clientAuth" if name in {"kafka", "prometheus"} else "serverAuth"
            reached = [name, *here, *(names if name == "grafana" else ())]
            key, certificate = signed(store, "ca", name, usage, reached)
            store.put(f"{name}.key", key)
            store.put(f"{name}.crt", certificate)
            if name == "kafka":
                store.put("kafka.pem", key + certificate)
    if not is_current(store.folder / "grafana-client.crt"):
        key, certificate = signed(store, "ca", "grafana-client", "clientAuth", ["grafana-client"])
        store.put("grafana-client.key", key)
        store.put("grafana-client.crt", certificate)


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
    users = {
        INGEST_USER: "mqtt_ingest.password",
        HEALTH_USER: "mqtt_health.password",
        DOCTOR_USER: "mqtt_doctor.password",
    }
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


def check_name(name: str) -> None:
    """Refuse a name that would mean something else in a topic, or that is ours.

    Raises:
        SystemExit: with the reason.
    """
    if not DEVICE_NAME.fullmatch(name) or RESERVED.fullmatch(name):
        sys.exit(f"make-secrets: {name!r} cannot name a device: letters, digits and . : _ - only, 64 at most")
    if name in TOPIC_WORDS:
        sys.exit(f"make-secrets: {name!r} cannot name a device: it is a word of topics, and would own other devices'")


def check_topic(topic: str) -> None:
    """Refuse a topic filter that would open what is nobody's, or everything.

    Raises:
        SystemExit: with the reason.
    """
    levels = topic.split("/")
    wild = all(level in {"+", "#", ""} for level in levels)
    misplaced = any("#" in each and (each != "#" or at + 1 < len(levels)) for at, each in enumerate(levels))
    misplaced |= any("+" in each and each != "+" for each in levels)
    if wild or misplaced or topic.startswith(("$", "import/")) or not re.fullmatch(r"[ -~]{1,200}", topic):
        sys.exit(f"make-secrets: {topic!r} cannot be given to a device: name at least one level, no $SYS, no import/")


def enrol(store: Secrets, name: str, topics: list[str], *, station: bool) -> None:
    """A credential for a device: its name is the level of the topic that is its own.

    A meter or gateway gets a password, a roadside unit (`station`) a key and a certificate with its name.
    """
    check_name(name)
    for topic in topics:
        check_topic(topic)
    (store.folder / f"devices/{name}.revoked").unlink(missing_ok=True)
    if station:
        topics = [*(each % name for each in STATION_TOPICS), *topics]
        if not is_current(store.folder / f"devices/{name}.crt"):
            key, certificate = signed(store, "devices-ca", name, "clientAuth", [])
            store.put(f"devices/{name}.key", key, 0o400)
            store.put(f"devices/{name}.crt", certificate, 0o400)
        print(f"the roadside unit {name} connects to port 8884 with the key and certificate devices/{name}.key, .crt")
    else:
        path = store.ensure(f"devices/{name}.password", secrets.token_hex(24).encode(), 0o400)
        print(f"the device {name} logs in to port 8883 with its name and the password in {path}")
    if topics:
        lines = "".join(f"{each}\n" for each in dict.fromkeys(topics))
        known = store.folder / f"devices/{name}.topics"
        if not known.exists() or known.read_text("utf-8") != lines:
            store.put(f"devices/{name}.topics", lines.encode(), 0o400)


def revoke(store: Secrets, name: str) -> None:
    """Take back what a device can log in with, and its topics; a certificate goes onto the list of the revoked."""
    check_name(name)
    folder = store.folder / "devices"
    found = [path for path in (folder / f"{name}.{kind}" for kind in ("password", "key", "crt")) if path.exists()]
    if not found:
        sys.exit(f"make-secrets: no device {name!r} is enrolled")
    certificate = folder / f"{name}.crt"
    if certificate.exists():
        asked = ["openssl", "x509", "-noout", "-serial", "-enddate", "-in", str(certificate)]
        said = subprocess.run(asked, capture_output=True, text=True, check=True).stdout
        serial, end = (line.partition("=")[2] for line in said.splitlines())
        with (folder / "revoked.certificates").open("a", encoding="utf-8") as file:
            file.write(f"{serial} {_asn1(end)} {_asn1()}\n")
    for path in (*found, folder / f"{name}.topics"):
        path.unlink(missing_ok=True)
    store.put(f"devices/{name}.revoked", b"", 0o400)
    print(f"the device {name} can no longer log in")


def _asn1(text: str = "") -> str:
    """An instant as openssl's index has it; now if none is given."""
    at = time.strptime(text, "%b %d %H:%M:%S %Y GMT") if text else time.gmtime()
    return time.strftime("%y%m%d%H%M%SZ", at)


def revocations(store: Secrets) -> None:
    """The list of revoked certificates, which Mosquitto asks; made anew when it changed or gets old."""
    noted = store.folder / "devices/revoked.certificates"
    lines = noted.read_text("utf-8").split("\n")[:-1] if noted.exists() else []
    target = store.folder / "mosquitto/devices.crl"
    if target.exists() and (not noted.exists() or target.stat().st_mtime >= noted.stat().st_mtime):
        return
    work = store.folder / ".crl"
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir(mode=0o700)
    try:
        entries = (line.split() for line in lines)
        index = "".join(f"R\t{end}\t{at}\t{serial}\tunknown\t/CN=device\n" for serial, end, at in entries)
        (work / "index").write_text(index, "utf-8")
        (work / "cnf").write_text(f"[ca]\ndefault_ca=d\n[d]\ndatabase={work}/index\ndefault_md=sha256\n", "utf-8")
        signer = ["-cert", str(store.folder / "devices-ca.crt"), "-keyfile", str(store.folder / "devices-ca.key")]
        files = ["-config", str(work / "cnf"), "-crldays", "3650", "-out", str(work / "crl")]
        openssl("ca", "-gencrl", *files, *signer)
        store.put("mosquitto/devices.crl", (work / "crl").read_bytes())
    finally:
        shutil.rmtree(work)


def access(store: Secrets) -> None:
    """The broker's ACL: the shipped one, and after it what single devices were given or lost."""
    text = (HERE / "mosquitto/acl").read_text("utf-8")
    for path in sorted((store.folder / "devices").glob("*.topics")):
        given = path.read_text("utf-8").splitlines()
        text += f"\nuser {path.stem}\n" + "".join(f"topic write {each}\n" for each in given)
    for path in sorted((store.folder / "devices").glob("*.revoked")):
        text += f"\nuser {path.stem}\ntopic deny #\n"
    target = store.folder / "mosquitto/acl"
    if not target.exists() or target.read_text("utf-8") != text:
        store.put("mosquitto/acl", text.encode())


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
    parser.add_argument("--device", action="append", default=[], metavar="NAME", help="enrol a device, by password")
    parser.add_argument("--station", action="append", default=[], metavar="NAME", help="enrol a roadside unit")
    parser.add_argument("--topic", action="append", default=[], metavar="FILTER", help="what they may write besides")
    parser.add_argument("--revoke", action="append", default=[], metavar="NAME", help="take a credential back")
    parser.add_argument("--folder", type=Path, default=HERE / "secrets", help="where (default: %(default)s)")
    parser.add_argument("--env", type=Path, default=HERE.parent / ".env", help="compose's .env (default: %(default)s)")
    arguments = parser.parse_args()
    os.umask(0o077)
    if shutil.which("openssl") is None:
        sys.exit("make-secrets: there is no program `openssl` here; install it first")
    store = Secrets(arguments.folder)
    store.subfolder("devices")
    make_all(store, arguments.name)
    for name in arguments.device:
        enrol(store, name, arguments.topic, station=False)
    for name in arguments.station:
        enrol(store, name, arguments.topic, station=True)
    for name in arguments.revoke:
        revoke(store, name)
    mosquitto_passwords(store)
    revocations(store)
    access(store)
    note_group(arguments.env, store.gid)


if __name__ == "__main__":
    main()
