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

__all__ = [
    "AggregatorSettings",
    "ConfigurationProblem",
    "EmbeddedSettings",
    "InfluxSettings",
    "IngestSettings",
    "KafkaSettings",
    "MqttSettings",
    "ProfileSettings",
    "Settings",
    "read_settings",
]


class ConfigurationProblem(Exception):
    """The configuration is wrong; the text names each faulty key, what is wrong and what would be right."""


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
Port = Annotated[int, Field(ge=0, le=65535)]
Seconds = Annotated[float, Field(gt=0, le=86_400)]


class MqttSettings(_Section):
    """The broker. QoS 1 and a persistent session always: anything less loses messages."""

    host: str = "127.0.0.1"
    port: Port = 1883
    client_id: str = Field(default="garonne-ingest-1", description="Names the session at the broker: one per process.")
    username: str | None = None
    password_file: Path | None = None
    tls: bool = False
    ca_file: Path | None = Field(default=None, description="Certificate authority; the system's if not given.")
    certificate_file: Path | None = None
    private_key_file: Path | None = None
    share_group: str | None = Field(
        default=None, description="Shared subscription `$share/<group>/…`: several processes divide the messages."
    )
    session_expiry_s: Annotated[int, Field(ge=3600)] = 7 * 86_400
    receive_maximum: Annotated[int, Field(ge=1, le=65535)] = Field(
        default=2048, description="Messages the broker may have in flight to us, unacknowledged."
    )
    broker_inflight: Annotated[int, Field(ge=1)] | None = Field(
        default=None, description="The broker's own limit (Mosquitto: max_inflight_messages, 20 if it sets none)."
    )
    keepalive_s: Annotated[int, Field(ge=5, le=600)] = 30
    reconnect_least_s: Seconds = 0.5
    reconnect_most_s: Seconds = 30.0

    @property
    def window(self) -> int:
        """How many unacknowledged messages can be on their way at once."""
        return min(self.receive_maximum, self.broker_inflight or self.receive_maximum)


class KafkaSettings(_Section):
    """The event log."""

    bootstrap: str = "127.0.0.1:9092"
    group: str = "garonne-aggregator"
    compression: Literal["none", "lz4", "gzip"] = "lz4"
    delivery_timeout_s: Seconds = Field(
        default=30.0,
        description="After this long without an answer the producer is made anew; nothing is acknowledged.",
    )
    security_protocol: Literal["PLAINTEXT", "SSL", "SASL_SSL"] = "PLAINTEXT"
    ca_file: Path | None = None
    username: str | None = None
    password_file: Path | None = None


class InfluxSettings(_Section):
    """The time series."""

    url: str = "http://127.0.0.1:8086"
    org: str = "garonne"
    token_file: Path | None = None
    raw_bucket: str = "garonne_raw"
    rollup_bucket: str = "garonne_rollup"
    kpi_bucket: str = "garonne_kpi"
    timeout_s: Seconds = 20.0


class EmbeddedSettings(_Section):
    """Event log and time series in SQLite files instead of Kafka and InfluxDB."""

    folder: Path = Path("var")


class IngestSettings(_Section):
    """The acknowledgement engine: batch and linger are checked against the window of the broker."""

    batch: Annotated[int, Field(ge=1, le=10_000)] = 512
    linger_s: Annotated[float, Field(gt=0, le=5)] = 0.02
    batches_in_flight: Annotated[int, Field(ge=1, le=16)] = 3
    unhealthy_after_s: Seconds = Field(default=60.0, description="Health turns red when nothing could be acknowledged.")
    metrics_port: Port = Field(default=9101, description="Port of /metrics, /healthz and /readyz; 0 takes a free one.")


class AggregatorSettings(_Section):
    """Reading the log and writing points."""

    batch: Annotated[int, Field(ge=1, le=100_000)] = 5000
    poll_s: Annotated[float, Field(gt=0, le=10)] = 0.5
    metrics_port: Port = 9102


class ProfileSettings(_Section):
    """What the site knows of a family."""

    enabled: bool = True
    topics: tuple[str, ...] | None = Field(default=None, description="Topic filters instead of the family's own.")
    timezone: ZoneName | None = None
    mapping: dict[str, str] = Field(default_factory=dict, description="Meaning of names that a user chose.")
    its_leap_seconds: Literal["tai", "utc"] = "tai"


class Settings(BaseSettings):
    """All of it. `storage` chooses between the servers and the embedded files."""

    model_config = SettingsConfigDict(
        frozen=True, extra="forbid", env_prefix="GARONNE_", env_nested_delimiter="__", validate_default=True
    )

    storage: Literal["servers", "embedded"] = "servers"
    timezone: ZoneName = "Europe/Paris"
    key_file: Path | None = Field(default=None, description="The secret behind all pseudonyms; at least 32 bytes.")
    households_file: Path | None = Field(default=None, description="Registry of households, teams and their devices.")
    junctions_file: Path | None = Field(default=None, description="GeoJSON of the equipped junctions.")
    accept_past_days: Annotated[int, Field(ge=1, le=3660)] = 1098
    accept_future_s: Annotated[int, Field(ge=0, le=86_400)] = 600
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
        if self.mqtt.reconnect_least_s > self.mqtt.reconnect_most_s:
            message = "mqtt.reconnect_least_s is greater than mqtt.reconnect_most_s"
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
