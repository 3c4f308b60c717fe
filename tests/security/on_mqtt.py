"""What is tried at the broker: TLS, passwords, certificates and ACL are those that are shipped."""

import tempfile
from datetime import timedelta
from pathlib import Path

from tests.security.clients import CLOSED, Broker, Client, certificate
from tests.security.registry import attack

METER, OTHER, CAR, UNIT, GONE = "041876000103", "compteur-cave", "car_7f31", "rsu-3001", "rsu-gone"
"""Devices of the site that is attacked; `GONE` is a roadside unit whose certificate was revoked."""
_NO = "Not authorized"
_STRANGER, _DEVICE, _UNIT = "a stranger", "a device of a household", "a roadside unit"


def _logs_in(broker: Broker, port: int, **values: object) -> str:
    with Client(broker, port, **values) as client:  # type: ignore[arg-type]
        return client.welcome


def _publishes(broker: Broker, user: str, topic: str, payload: bytes = b"{}", *, retain: bool = False) -> str:
    with broker.device(user) as client:
        assert client.welcome == "Success"
        return client.publish(topic, payload, retain=retain)


def _unit(broker: Broker, name: str) -> tuple[Path, Path]:
    return broker.secrets / f"devices/{name}.key", broker.secrets / f"devices/{name}.crt"


def _with_certificate(broker: Broker, authority: str | None, *, ends: timedelta = timedelta(days=1)) -> str:
    signer = None if authority is None else (broker.secrets / f"{authority}.key", broker.secrets / f"{authority}.crt")
    with tempfile.TemporaryDirectory() as folder:
        files = certificate(Path(folder), UNIT, signer=signer, begins=timedelta(days=-3), ends=ends)
        with broker.station(files) as client:
            return client.welcome


@attack("mosquitto", "mqtt-plain", who=_STRANGER, tries="speaks MQTT without TLS", refusal=CLOSED)
def _plain(broker: Broker) -> str:
    return _logs_in(broker, broker.server.port, tls=False, user=METER, password=broker.password(METER))


@attack("mosquitto", "mqtt-anonymous", who=_STRANGER, tries="logs in without a name", refusal=_NO)
def _anonymous(broker: Broker) -> str:
    return _logs_in(broker, broker.server.port)


@attack(
    "mosquitto", "mqtt-wrong-password", who=_STRANGER, tries="logs in as a meter with a wrong password", refusal=_NO
)
def _wrong_password(broker: Broker) -> str:
    return _logs_in(broker, broker.server.port, user=METER, password="guessed")


@attack(
    "mosquitto", "mqtt-empty-password", who=_STRANGER, tries="logs in as a meter with an empty password", refusal=_NO
)
def _empty_password(broker: Broker) -> str:
    return _logs_in(broker, broker.server.port, user=METER, password="")


@attack("mosquitto", "mqtt-unknown-user", who=_STRANGER, tries="logs in with a name that nobody has", refusal=_NO)
def _unknown(broker: Broker) -> str:
    return _logs_in(broker, broker.server.port, user="nobody", password="x")


@attack(
    "mosquitto",
    "mqtt-password-of-another",
    who=_DEVICE,
    tries="logs in as another one with its own password",
    refusal=_NO,
)
def _password_of_another(broker: Broker) -> str:
    return _logs_in(broker, broker.server.port, user=OTHER, password=broker.password(METER))


@attack(
    "mosquitto", "mqtt-no-certificate", who=_STRANGER, tries="comes to the units' port with a password", refusal=CLOSED
)
def _no_certificate(broker: Broker) -> str:
    return _logs_in(broker, broker.server.stations_port, user=METER, password=broker.password(METER))


@attack(
    "mosquitto", "mqtt-certificate-expired", who=_UNIT, tries="comes with a certificate of last week", refusal=CLOSED
)
def _expired(broker: Broker) -> str:
    return _with_certificate(broker, "devices-ca", ends=timedelta(days=-1))


@attack(
    "mosquitto",
    "mqtt-certificate-self-signed",
    who=_STRANGER,
    tries="signs a unit's certificate itself",
    refusal=CLOSED,
)
def _self_signed(broker: Broker) -> str:
    return _with_certificate(broker, None)


@attack(
    "mosquitto",
    "mqtt-certificate-of-a-server",
    who="who took over a server",
    tries="comes to the units' port with a certificate of the servers' authority",
    refusal=CLOSED,
)
def _server_certificate(broker: Broker) -> str:
    return _with_certificate(broker, "ca")


@attack(
    "mosquitto", "mqtt-certificate-revoked", who="a thief of a unit", tries="uses a revoked certificate", refusal=CLOSED
)
def _revoked(broker: Broker) -> str:
    kept = broker.site / "stolen"
    with broker.station((kept / f"{GONE}.key", kept / f"{GONE}.crt")) as client:
        return client.welcome


@attack(
    "mosquitto",
    "mqtt-certificate-with-another-name",
    who=_UNIT,
    tries="says another user name beside its certificate, and writes under it",
    refusal=_NO,
)
def _another_name(broker: Broker) -> str:
    with broker.station(_unit(broker, UNIT), user=OTHER, password=broker.password(OTHER)) as client:
        assert client.welcome == "Success"
        assert client.publish(f"bordeaux/inQueue/v2x/spatem/{UNIT}/0/3") == "Success"
        return client.publish(f"tele/{OTHER}/SENSOR")


@attack("mosquitto", "mqtt-topic-of-another", who=_DEVICE, tries="publishes on another home's topic", refusal=_NO)
def _topic_of_another(broker: Broker) -> str:
    return _publishes(broker, METER, f"tele/{OTHER}/SENSOR")


@attack("mosquitto", "mqtt-meter-of-another", who=_DEVICE, tries="publishes on another Linky's topic", refusal=_NO)
def _meter_of_another(broker: Broker) -> str:
    return _publishes(broker, METER, "teleinfo/041876000999")


@attack("mosquitto", "mqtt-history", who=_DEVICE, tries="publishes a history file for another meter", refusal=_NO)
def _history(broker: Broker) -> str:
    return _publishes(broker, METER, f"import/enedis_csv/linky_teleinfo2mqtt:{METER}")


@attack("mosquitto", "mqtt-announcement", who=_DEVICE, tries="announces what another's topic means", refusal=_NO)
def _announcement(broker: Broker) -> str:
    return _publishes(broker, METER, f"homeassistant/sensor/{OTHER}/energy/config", retain=True)


@attack("mosquitto", "mqtt-order", who=_DEVICE, tries="gives an order to another device", refusal=_NO)
def _order(broker: Broker) -> str:
    return _publishes(broker, METER, f"cmnd/{OTHER}/POWER", b"OFF")


@attack("mosquitto", "mqtt-signals", who="a car", tries="publishes the signals of a junction", refusal=_NO)
def _signals(broker: Broker) -> str:
    assert _publishes(broker, CAR, f"bordeaux/inQueue/v2x/cam/{CAR}/0/3") == "Success"
    return _publishes(broker, CAR, f"bordeaux/inQueue/v2x/spatem/{CAR}/0/3")


@attack(
    "mosquitto", "mqtt-retained-poison", who=_DEVICE, tries="leaves a retained message on another's topic", refusal=_NO
)
def _poison(broker: Broker) -> str:
    return _publishes(broker, METER, f"tele/{OTHER}/LWT", b"Offline", retain=True)


@attack("mosquitto", "mqtt-sys", who=_DEVICE, tries="publishes on $SYS", refusal=_NO)
def _sys(broker: Broker) -> str:
    return _publishes(broker, METER, "$SYS/broker/uptime")


@attack("mosquitto", "mqtt-service-publishes", who="who took over ingest", tries="invents a reading", refusal=_NO)
def _service(broker: Broker) -> str:
    return _publishes(broker, "garonne-ingest", f"teleinfo/{METER}")


@attack("mosquitto", "mqtt-listens-to-all", who=_DEVICE, tries="subscribes to everything", refusal="hears nothing")
def _listens(broker: Broker) -> str:
    with broker.device(METER) as spy, broker.device(OTHER) as other:
        spy.subscribe(*("#", "tele/+/SENSOR", f"tele/{OTHER}/SENSOR", "$SYS/#"))
        assert other.publish(f"tele/{OTHER}/SENSOR") == "Success"
        return spy.heard()


@attack(
    "mosquitto",
    "mqtt-shared-listening",
    who=_DEVICE,
    tries="joins Garonne's shared subscription",
    refusal="hears nothing",
)
def _shares(broker: Broker) -> str:
    with broker.device(METER) as spy, broker.device(OTHER) as other:
        spy.subscribe(*("$share/garonne/#", f"$share/garonne/tele/{OTHER}/+"))
        assert other.publish(f"tele/{OTHER}/SENSOR") == "Success"
        return spy.heard()


@attack(
    "mosquitto",
    "mqtt-health-listens",
    who="who took over the health check",
    tries="reads homes",
    refusal="hears nothing",
)
def _health(broker: Broker) -> str:
    with broker.device("garonne-health") as spy, broker.device(OTHER) as other:
        spy.subscribe(*("#",))
        assert other.publish(f"tele/{OTHER}/SENSOR") == "Success"
        return spy.heard()


@attack(
    "mosquitto",
    "mqtt-will-of-another",
    who=_DEVICE,
    tries="leaves a last will on another's topic and breaks off",
    refusal="hears nothing",
)
def _will(broker: Broker) -> str:
    with broker.device("garonne-ingest", client_id="watching") as watching:
        watching.subscribe(f"tele/{OTHER}/LWT", f"stat/{CAR}/GONE")
        for user, will in ((METER, f"tele/{OTHER}/LWT"), (CAR, f"stat/{CAR}/GONE")):
            with broker.device(user, will=will) as leaving:
                leaving.drop()
        # The second will is allowed: when it is there, the first one would be.
        first = watching.received.get(timeout=20)
        return "hears nothing" if first == f"stat/{CAR}/GONE" else f"hears {first}"


@attack(
    "mosquitto",
    "mqtt-client-id-of-ingest",
    who=_DEVICE,
    tries="takes the client id of Garonne to end its session",
    refusal="the session stays",
)
def _takeover(broker: Broker) -> str:
    with (
        broker.device("garonne-ingest", client_id="garonne-ingest-1") as service,
        broker.device(METER, client_id="garonne-ingest-1") as thief,
    ):
        assert thief.publish(f"teleinfo/{METER}") == "Success"
        answers = [service.publish("stat/garonne-ingest/PROBE") for _ in range(2)]
        return "the session stays" if answers == ["Success"] * 2 else "the session is lost"


@attack(
    "mosquitto", "mqtt-client-id-of-another", who=_DEVICE, tries="takes another device's client id", refusal="both stay"
)
def _takeover_of_another(broker: Broker) -> str:
    with broker.device(OTHER, client_id=OTHER) as other, broker.device(METER, client_id=OTHER) as thief:
        assert thief.publish(f"teleinfo/{METER}") == "Success"
        return "both stay" if other.publish(f"tele/{OTHER}/SENSOR") == "Success" else "the other is thrown out"


@attack("mosquitto", "mqtt-oversize", who=_DEVICE, tries="sends a packet of 700 kB", refusal=CLOSED)
def _oversize(broker: Broker) -> str:
    return _publishes(broker, METER, f"teleinfo/{METER}", b"x" * 700_000)
