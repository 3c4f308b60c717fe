"""What every record has: three times, a clock policy, quality flags, and no identifier of a person."""

from datetime import UTC, datetime
from typing import Annotated, Literal

from pydantic import AfterValidator, AwareDatetime, BaseModel, ConfigDict, Field

__all__ = [
    "ClockPolicy",
    "Finite",
    "Flag",
    "Model",
    "Pseudonym",
    "Record",
    "Slug",
    "UtcInstant",
]


def _as_utc(instant: datetime) -> datetime:
    return instant if instant.tzinfo is UTC else instant.astimezone(UTC)


UtcInstant = Annotated[AwareDatetime, AfterValidator(_as_utc)]
"""An aware instant, always in UTC; a naive time is refused."""

Finite = Annotated[float, Field(allow_inf_nan=False)]

Pseudonym = Annotated[str, Field(pattern=r"^[a-z]_[0-9a-f]{16}$")]
"""A keyed pseudonym (`h_` household, `m_` meter, `v_` vehicle, `d_` device, `a_` action id, `p_` panel
member). The pattern keeps a raw identifier from ever being put into a record."""

Slug = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.:/-]{0,79}$")]
"""A public name: a junction, a station, an application, a profile."""

ClockPolicy = Literal[
    "none",  # no clock in the payload: the receive time stands for it
    "utc_z",
    "epoch_s",
    "epoch_ms",
    "iso_offset",
    "local_naive",
    "tic_horodate",
    "dsmr_ws",
    "fake_utc_local",
    "its",  # TimestampIts, generationDeltaTime, or moy and TimeMark
]
"""How `observed_at` was read from the payload (meters.md 4.3, c-its.md 2.7)."""

Flag = Literal[
    "clock",  # the source clock is implausible: the receive time stands for it
    "clock_ambiguous",  # hour that occurs twice, or turn of generationDeltaTime, chosen by the receive time
    "clock_missing_hour",  # local time that does not exist, shifted
    "clock_degraded",  # the meter says that its own clock is not to be trusted
    "late",  # received more than ten minutes after its own time
    "leap_suspect",  # age of 4.5 to 6.5 s: the sender ignores leap seconds
    "estimated",  # the source says that the value is not measured
    "sum_mismatch",  # total and sum of tariffs or phases disagree
    "unit_suspect",
    "device_fault",  # the device reports a fault of its own
    "position_jump",
    "impossible_speed",
    "replay",
    "stale",  # a message of the radio that is more than 10 s old, or 2 s ahead
    "outside_site",
]
"""Quality flags: the value is kept and the doubt is named."""


class Model(BaseModel):
    """A frozen, closed value."""

    model_config = ConfigDict(frozen=True, extra="forbid", ser_json_inf_nan="strings")


class Record(Model):
    """A message as Garonne understands it.

    `observed_at` is the source's own time, read by `clock`; `received_at` is when the message reached
    Garonne. The third time, storage, is the Kafka timestamp and the InfluxDB write.
    """

    observed_at: UtcInstant
    received_at: UtcInstant
    clock: ClockPolicy
    flags: tuple[Flag, ...] = ()
    retained: bool = Field(default=False, description="Came as a retained MQTT message: state, not news.")
