"""Household meters: cumulative registers, instantaneous quantities, measured intervals, weather."""

from typing import Annotated, Literal

from pydantic import Field

from schemas.base import Finite, Model, Pseudonym, Record, Slug, UtcInstant

__all__ = [
    "Carrier",
    "Gauge",
    "GaugeQuantity",
    "IntervalEnergy",
    "MeterReading",
    "OutdoorTemperature",
    "Register",
    "RegisterName",
    "RegisterQuantity",
    "State",
    "Unit",
]

Carrier = Literal["electricity", "gas", "water", "heat", "cooling", "fuel_oil", "wood", "other"]

RegisterQuantity = Literal[
    "import_energy",
    "export_energy",
    "production",
    "consumption",
    "volume",
    "backflow_volume",
    "reactive_energy",
    "heat_cost_units",
    "count",
]

GaugeQuantity = Literal[
    "active_power",
    "apparent_power",
    "reactive_power",
    "apparent_power_max",
    "peak_power",
    "subscribed_power",
    "power_limit",
    "voltage",
    "current",
    "frequency",
    "power_factor",
    "flow",
    "flow_temperature",
    "return_temperature",
    "external_temperature",
    "state_of_charge",
    "count",
    "conversion_factor",
]

Unit = Literal["kWh", "kvarh", "m3", "W", "VA", "var", "V", "A", "Hz", "degC", "m3/h", "%", "1", "d", "hca", "kWh/m3"]

RegisterName = Annotated[str, Field(pattern=r"^[A-Za-z0-9_]{1,40}$")]
"""`total`, `base`, `HC`, `HP`, `T1`, `T2`, `L1`..`L3`, `tempo_blue_hc`, `supplier_01` (EASF01),
`distributor_01` (EASD01), `channel_1`; for power `import`, `export` or `net` (positive = import)."""


class Register(Model):
    """A cumulative index as the device shows it.

    `since_midnight` marks an index that starts again each local day: never used for energy.
    `modulus` is the value at which the register rolls over to 0, in `unit`.
    """

    quantity: RegisterQuantity
    name: RegisterName
    value: Finite
    unit: Unit
    since_midnight: bool = False
    modulus: Finite | None = None


class Gauge(Model):
    """An instantaneous quantity; `observed_at` only where it has an instant of its own (SMAXSN)."""

    quantity: GaugeQuantity
    name: RegisterName
    value: Finite
    unit: Unit
    observed_at: UtcInstant | None = None


class State(Model):
    """A named state in words: the running tariff period, the colour of tomorrow."""

    name: Literal[
        "tariff_period",
        "tariff_colour_today",
        "tariff_colour_tomorrow",
        "contract",
        "active_register",
        "status",
    ]
    value: Annotated[str, Field(max_length=60)]


class MeterReading(Record):
    """What a household meter shows at one instant."""

    kind: Literal["meter_reading"] = "meter_reading"
    household: Pseudonym
    meter: Pseudonym
    carrier: Carrier
    registers: tuple[Register, ...] = ()
    gauges: tuple[Gauge, ...] = ()
    states: tuple[State, ...] = ()
    counter_since: UtcInstant | None = Field(
        default=None, description="The device's own word on when its counter began (TotalStartTime, last_reset)."
    )


class IntervalEnergy(Record):
    """Energy or volume already measured over [start, end); `observed_at` is `end`."""

    kind: Literal["interval_energy"] = "interval_energy"
    household: Pseudonym
    meter: Pseudonym
    carrier: Carrier
    quantity: RegisterQuantity
    register_name: RegisterName
    start: UtcInstant
    end: UtcInstant
    value: Finite
    unit: Unit
    mean_power_w: Finite | None = None


class OutdoorTemperature(Record):
    """Air temperature outdoors at a station, for degree days."""

    kind: Literal["outdoor_temperature"] = "outdoor_temperature"
    station: Slug
    temperature_degc: Annotated[float, Field(ge=-60, le=60)]
