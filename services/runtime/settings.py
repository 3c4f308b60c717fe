"""The configuration: one TOML file, typed and closed, secrets from files, checked before any socket.

Every key can also be set by an environment variable, `GARONNE_` and the path joined by two underscores:
`GARONNE_MQTT__HOST`.
"""

import tomllib
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any, Literal, Self
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, model_validator
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from services.runtime.served import IntakeSettings, Port, ServedSettings

__all__ = [
    "AggregatorSettings",
    "ConfigurationProblem",
    "EmbeddedSettings",
    "InfluxSettings",
    "IngestSettings",
    "KafkaSettings",
    "MqttSettings",
    "ProfileSettings",
    "ServedSettings",
    "Settings",
    "read_settings",
]


class ConfigurationProblem(Exception):
    """The configuration is wrong; the text names each faulty key, what is wrong and what would be right."""


_MOST_EMBEDDED = 100
"""In flight at the embedded broker (`services.embedded.broker.INFLIGHT`)."""


LeapSeconds = Literal["tai", "utc", "auto"]


class _Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


def _zone(name: str) -> str:
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError) as error:
        message = f"no time zone is called {name!r}; use a name such as Europe/Paris"
        raise ValueError(message) from error
    return name


ZoneName = Annotated[str, AfterValidator(_zone)]
Seconds = Annotated[float, Field(gt=0, le=86_400)]


class MqttSettings(_Section):
    """The broker. QoS 1 and a persistent session always: anything less loses messages."""

    host: str = Field(default="127.0.0.1", description="Name or address of the broker.")
    port: Port = Field(default=1883, description="1883, with TLS usually 8883. It must speak MQTT 5.")
    client_id: str = Field(default="garonne-ingest-1", description="Names the session at the broker: one per process.")
    username: str | None = Field(default=None, description="User name at the broker, if it wants one.")
    password_file: Path | None = Field(default=None, description="File with the password alone.")
    tls: bool = Field(default=False, description="Encrypt the connection and check the broker's certificate.")
    ca_file: Path | None = Field(default=None, description="Certificate authority; the system's if not given.")
    certificate_file: Path | None = Field(
        default=None, description="Our own certificate, where the broker asks for one."
    )
    private_key_file: Path | None = Field(default=None, description="The key that belongs to it.")
    share_group: str | None = Field(
        default=None, description="Shared subscription `$share/<group>/…`: several processes divide the messages."
    )
    session_expiry_s: Annotated[int, Field(ge=3600)] = Field(
        default=7 * 86_400, description="How long the broker keeps messages for us while we are away."
    )
    receive_maximum: Annotated[int, Field(ge=1, le=65535)] = Field(
        default=2048, description="Messages the broker may have in flight to us, unacknowledged."
    )
    broker_inflight: Annotated[int, Field(ge=1)] | None = Field(
        default=None, description="The broker's own limit (Mosquitto: max_inflight_messages, 20 if it sets none)."
    )
    keepalive_s: Annotated[int, Field(ge=5, le=600)] = Field(
        default=30, description="A connection silent for longer is found dead."
    )
    reconnect_least_s: Seconds = Field(
        default=0.5, description="First waiting time before a new try; doubled each time."
    )
    reconnect_most_s: Seconds = Field(default=30.0, description="Longest waiting time before a new try.")

    @property
    def window(self) -> int:
        """How many unacknowledged messages can be on their way at once."""
        return min(self.receive_maximum, self.broker_inflight or self.receive_maximum)


class KafkaSettings(_Section):
    """The event log."""

    bootstrap: str = Field(default="127.0.0.1:9092", description="`host:port` of one or more brokers, with commas.")
    group: str = Field(default="garonne-aggregator", description="Consumer group of the aggregator.")
    compression: Literal["none", "lz4", "gzip"] = Field(default="lz4", description="Of batches that ingest writes.")
    delivery_timeout_s: Seconds = Field(
        default=30.0,
        description="After this long without an answer the producer is made anew; nothing is acknowledged.",
    )
    session_timeout_s: Annotated[float, Field(ge=6, le=1800)] = Field(
        default=45.0, description="After this long without a sign of life another aggregator gets the partitions."
    )
    partitions: Annotated[int, Field(ge=1, le=1000)] = Field(
        default=4, description="Of each topic, where Garonne makes it: the most aggregators that can work side by side."
    )
    replication: Annotated[int, Field(ge=1, le=9)] = Field(
        default=1, description="Copies of each topic, where Garonne makes it: 3 with three brokers or more."
    )
    retention_days: Annotated[int, Field(ge=1, le=36_500)] = Field(
        default=1098,
        description="How long topics keep records, where Garonne makes them: Kafka is what all is computed from.",
    )
    vehicle_retention_h: Annotated[int, Field(ge=12, le=8760)] = Field(
        default=72, description="The same for garonne.mobility: what single vehicles did is kept over a long weekend."
    )
    security_protocol: Literal["PLAINTEXT", "SSL", "SASL_SSL"] = Field(
        default="PLAINTEXT", description="SASL is SCRAM-SHA-512."
    )
    ca_file: Path | None = Field(default=None, description="Certificate authority; the system's if not given.")
    username: str | None = Field(default=None, description="For SASL.")
    password_file: Path | None = Field(default=None, description="File with the password alone.")


class InfluxSettings(_Section):
    """The time series."""

    url: str = Field(default="http://127.0.0.1:8086", description="Of InfluxDB.")
    org: str = Field(default="garonne", description="Organisation.")
    ca_file: Path | None = Field(
        default=None, description="Certificate authority of an https address; the system's if not given."
    )
    token_file: Path | None = Field(default=None, description="File with the token alone.")
    raw_bucket: str = Field(default="garonne_raw", description="Bucket of single readings, kept for two years.")
    rollup_bucket: str = Field(default="garonne_rollup", description="Bucket of windows.")
    kpi_bucket: str = Field(default="garonne_kpi", description="Bucket of indicators.")
    timeout_s: Seconds = Field(default=20.0, description="A request without an answer is made again after this long.")


class EmbeddedSettings(_Section):
    """Event log and time series in SQLite files instead of Kafka and InfluxDB, and an MQTT broker in memory."""

    folder: Path = Field(default=Path("var"), description="Where the two files are.")
    broker: bool = Field(
        default=False, description="`garonne run` starts an MQTT broker of its own; it forgets everything at a stop."
    )
    broker_host: str = Field(
        default="127.0.0.1", description="Address it listens on; 0.0.0.0 lets the network in, and it asks no passwords."
    )
    devices_port: Port = Field(
        default=1883, description="Its port for devices, MQTT 3.1.1; Garonne's own is mqtt.port."
    )


class IngestSettings(IntakeSettings):
    """The acknowledgement engine: batch and linger are checked against the window of the broker."""

    batch: Annotated[int, Field(ge=1, le=10_000)] = Field(default=512, description="Messages in one batch at most.")
    linger_s: Annotated[float, Field(gt=0, le=5)] = Field(
        default=0.02, description="How long a batch may wait to fill."
    )
    batches_in_flight: Annotated[int, Field(ge=1, le=16)] = Field(
        default=3, description="Batches on their way to the event log at once."
    )
    device_messages_per_min: Annotated[int, Field(ge=1)] = Field(
        default=6000,
        description="Messages of one meter, gateway or vehicle for a minute of its own time; more are ignored, counted "
        "by rule. ETSI's fastest station sends 600.",
    )
    new_meters_per_h: Annotated[int, Field(ge=1)] = Field(
        default=100_000,
        description="Meters that a process has not seen since its start, in an hour; more are ignored until the next.",
    )
    stations_remembered: Annotated[int, Field(ge=1)] = Field(
        default=20_000,
        description="Vehicles and roadside units whose last place a process remembers, to flag jumps; 400 bytes each.",
    )
    unhealthy_after_s: Seconds = Field(default=60.0, description="Health turns red when nothing could be acknowledged.")
    metrics_host: str = Field(default="127.0.0.1", description="Address of /metrics; 0.0.0.0 inside a container.")
    metrics_port: Port = Field(default=9101, description="Port of /metrics, /healthz and /readyz; 0 takes a free one.")


class AggregatorSettings(ServedSettings):
    """Reading the log and writing points."""

    batch: Annotated[int, Field(ge=1, le=100_000)] = Field(default=5000, description="Records in one batch at most.")
    poll_s: Annotated[float, Field(gt=0, le=10)] = Field(default=0.5, description="How long to wait for records.")
    unhealthy_after_s: Seconds = Field(default=60.0, description="Health turns red when nothing could be stored.")
    metrics_host: str = Field(default="127.0.0.1", description="Address of /metrics; 0.0.0.0 inside a container.")
    metrics_port: Port = Field(default=9102, description="Port of /metrics, /healthz and /readyz; 0 takes a free one.")


class ProfileSettings(_Section):
    """What the site knows of a family."""

    enabled: bool = Field(default=True, description="Whether this family is read at all.")
    topics: tuple[str, ...] | None = Field(default=None, description="Topic filters instead of the family's own.")
    timezone: ZoneName | None = Field(default=None, description="Of the devices' clocks, if not the site's.")
    mapping: dict[str, str] = Field(default_factory=dict, description="Meaning of names that a user chose.")
    table_file: Path | None = Field(
        default=None, description="TOML table of the site's own that makes this a profile: a family without Python."
    )
    its_leap_seconds: LeapSeconds = Field(
        default="tai",
        description="`utc` for senders that leave leap seconds out of TimestampIts; `auto` finds them out by the "
        "median age of 100 CAM of a station.",
    )
    its_leap_seconds_of: dict[str, LeapSeconds] = Field(
        default_factory=dict, description="The same for single sources, by topic filter: the deepest that fits counts."
    )


class Settings(BaseSettings):
    """All of it. `storage` chooses between the servers and the embedded files."""

    model_config = SettingsConfigDict(
        frozen=True, extra="forbid", env_prefix="GARONNE_", env_nested_delimiter="__", validate_default=True
    )

    storage: Literal["servers", "embedded"] = Field(
        default="servers", description="Kafka and InfluxDB, or SQLite files on this machine."
    )
    timezone: ZoneName = Field(default="Europe/Paris", description="Of local days, and of clocks that tell no zone.")
    key_file: Path | None = Field(default=None, description="The secret behind all pseudonyms; at least 32 bytes.")
    households_file: Path | None = Field(default=None, description="Registry of households, teams and their devices.")
    consent_file: Path | None = Field(
        default=None,
        description="What households agreed to, as `garonne consent` writes it. With it a household that is not named "
        "has agreed to nothing; without it consent is kept elsewhere, and values stay as fine as they come.",
    )
    facts_file: Path | None = Field(
        default=None, description="TOML of what the city enters: quantities, targets, scores of assessors."
    )
    service_periods_file: Path | None = Field(
        default=None,
        description="TOML of Compass4D: when the service was off and on at which junction, which vehicles have it, "
        "corridors.",
    )
    junctions_file: Path | None = Field(
        default=None,
        description="GeoJSON of the equipped junctions, and of their approaches, stop lines and signal groups "
        "(docs/reference/junctions.md). Outside of all of them a vehicle is not kept. Without a file, cells of about "
        "430 m stand for them.",
    )
    site_bounds: tuple[float, float, float, float] | None = Field(
        default=None,
        description="West, south, east, north of the site in degrees: what claims to be elsewhere is flagged "
        "`outside_site`. If not given, 10 km around the junctions of the file; without a file anywhere.",
    )
    accept_past_days: Annotated[int, Field(ge=1, le=3660)] = Field(
        default=1098, description="A source time older than this is not believed; the receive time stands for it."
    )
    accept_future_s: Annotated[int, Field(ge=0, le=86_400)] = Field(
        default=600, description="A source time further ahead of reception than this is not believed."
    )
    mqtt: MqttSettings = MqttSettings()
    kafka: KafkaSettings = KafkaSettings()
    influxdb: InfluxSettings = InfluxSettings()
    embedded: EmbeddedSettings = EmbeddedSettings()
    ingest: IngestSettings = IngestSettings()
    aggregator: AggregatorSettings = AggregatorSettings()
    profiles: dict[str, ProfileSettings] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _agree(self) -> Self:
        window = self.mqtt.window
        if self.ingest.batch > window:
            message = (
                f"ingest.batch is {self.ingest.batch}, but only {window} messages can be in flight "
                "(the smaller of mqtt.receive_maximum and mqtt.broker_inflight): the batch would never fill; "
                f"set ingest.batch to {max(1, window // 2)} or raise the window"
            )
            raise ValueError(message)
        if (self.mqtt.certificate_file is None) != (self.mqtt.private_key_file is None):
            message = "mqtt.certificate_file and mqtt.private_key_file belong together: give both or none"
            raise ValueError(message)
        if self.mqtt.certificate_file is not None and not self.mqtt.tls:
            message = "mqtt.certificate_file needs mqtt.tls = true"
            raise ValueError(message)
        if self.site_bounds is not None:
            west, south, east, north = self.site_bounds
            if not (-180 <= west < east <= 180 and -90 <= south < north <= 90):
                message = "site_bounds: must be west, south, east, north in degrees, west < east and south < north"
                raise ValueError(message)
        if self.mqtt.reconnect_least_s > self.mqtt.reconnect_most_s:
            message = "mqtt.reconnect_least_s is greater than mqtt.reconnect_most_s"
            raise ValueError(message)
        return self

    @model_validator(mode="after")
    def _broker_agrees(self) -> Self:
        if not self.embedded.broker:
            return self
        if self.mqtt.port == self.embedded.devices_port != 0:
            message = (
                f"mqtt.port and embedded.devices_port are both {self.mqtt.port}: the embedded broker listens for "
                "MQTT 5 on the one and for MQTT 3.1.1 on the other; set mqtt.port = 1884"
            )
            raise ValueError(message)
        if (self.mqtt.broker_inflight or _MOST_EMBEDDED + 1) > _MOST_EMBEDDED:
            message = (
                f"mqtt.broker_inflight: the embedded broker has at most {_MOST_EMBEDDED} messages in flight; "
                f"set mqtt.broker_inflight = {_MOST_EMBEDDED} and ingest.batch = {_MOST_EMBEDDED // 2}"
            )
            raise ValueError(message)
        return self

    @property
    def oldest(self) -> timedelta:
        """How far back a source time is believed."""
        return timedelta(days=self.accept_past_days)

    @property
    def newest(self) -> timedelta:
        """How far ahead of reception a source time is believed."""
        return timedelta(seconds=self.accept_future_s)

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """The environment overrides the file."""
        del settings_cls, dotenv_settings, file_secret_settings
        return env_settings, init_settings


def read_settings(path: Path | None) -> Settings:
    """Read and check the configuration; paths in it are relative to the file.

    Raises:
        ConfigurationProblem: with every faulty key.
    """
    values: dict[str, Any] = {}
    if path is not None:
        try:
            values = tomllib.loads(path.read_text(encoding="utf-8"))
        except OSError as error:
            message = f"{path}: {error.strerror or error}"
            raise ConfigurationProblem(message) from error
        except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
            message = f"{path}: not TOML: {error}"
            raise ConfigurationProblem(message) from error
        _anchor(values, path.parent)
    try:
        return Settings(**values)
    except ValidationError as error:
        lines = [
            f"{'.'.join(str(part) for part in each['loc']) or 'configuration'}: {_plain(each['msg'])}"
            for each in error.errors(include_url=False, include_input=False)
        ]
        message = "\n".join(f"{path or 'environment'}: {line}" for line in lines)
        raise ConfigurationProblem(message) from error


def _plain(text: str) -> str:
    if text.startswith("Extra inputs"):
        return "there is no such key"
    return text.removeprefix("Value error, ")


def _anchor(values: dict[str, Any], folder: Path) -> None:
    """Make the paths of the file relative to its folder."""
    for key, value in values.items():
        if isinstance(value, dict):
            _anchor(value, folder)
        elif isinstance(value, str) and (key.endswith("_file") or key == "folder"):
            values[key] = str(folder / value)
