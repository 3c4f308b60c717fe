"""Records made without a second validation, where a profile has already checked each value.

A meter message makes ten small models, and validating constants such as `"kWh"` each time costs more than
all the rest of ingest. Here the constants are validated once, when the maker is set up; what changes from
message to message is a finite float, a UTC instant or a pseudonym, and is checked where it is read.
`tests/unit/test_trusted.py` holds both ways equal. See ADR on trusted construction.
"""

from collections.abc import Callable
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any, TypeVar

from schemas.base import Model
from schemas.energy import Carrier, Gauge, GaugeQuantity, MeterReading, Register, RegisterQuantity, State, Unit
from services.ingest.clock import Reading

__all__ = ["dated", "gauge", "meter_reading", "register", "unvalidated"]

M = TypeVar("M", bound=Model)
_set = object.__setattr__
_new = object.__new__


def unvalidated(model: type[M], values: dict[str, Any], fields_set: set[str]) -> M:
    """A model of values that were checked where they were read; `values` holds every field and is not copied."""
    made = _new(model)
    _set(made, "__dict__", values)
    _set(made, "__pydantic_fields_set__", fields_set)
    _set(made, "__pydantic_extra__", None)
    _set(made, "__pydantic_private__", None)
    return made


def _maker(validated: M) -> Callable[[float], M]:
    model, values = type(validated), validated.__dict__
    fields_set = validated.model_fields_set

    def make(value: float) -> M:
        copied = values.copy()
        copied["value"] = value
        return unvalidated(model, copied, fields_set)

    return make


def register(
    quantity: RegisterQuantity,
    name: str,
    unit: Unit,
    *,
    since_midnight: bool = False,
    modulus: float | None = None,
) -> Callable[[float], Register]:
    """A maker of registers; its argument must be finite and in `unit`."""
    sample = Register(
        quantity=quantity, name=name, value=0.0, unit=unit, since_midnight=since_midnight, modulus=modulus
    )
    return _maker(sample)


def gauge(quantity: GaugeQuantity, name: str, unit: Unit) -> Callable[[float], Gauge]:
    """A maker of gauges; its argument must be finite and in `unit`."""
    # Voltages, powers and factors repeat; a frozen value can be shared. (`finite` gives no -0.0, which is
    # equal to 0.0 and would make the bytes of an event depend on what was read before.)
    return lru_cache(maxsize=1024)(_maker(Gauge(quantity=quantity, name=name, value=0.0, unit=unit)))


def dated(value: Gauge, at: datetime) -> Gauge:
    """The gauge with an instant of its own, in UTC."""
    copied = value.__dict__.copy()
    copied["observed_at"] = at
    return unvalidated(Gauge, copied, {*value.model_fields_set, "observed_at"})


_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_TEMPLATE = MeterReading(
    household="h_0000000000000000",
    meter="m_0000000000000000",
    carrier="electricity",
    observed_at=_EPOCH,
    received_at=_EPOCH,
    clock="none",
)
_TEMPLATE_VALUES = _TEMPLATE.__dict__
_ALL_FIELDS = set(MeterReading.model_fields)


def meter_reading(  # noqa: PLR0913 - the fields of the record
    *,
    household: str,
    meter: str,
    at: Reading,
    received_at: datetime,
    retained: bool,
    registers: tuple[Register, ...] = (),
    gauges: tuple[Gauge, ...] = (),
    states: tuple[State, ...] = (),
    carrier: Carrier = "electricity",
    counter_since: datetime | None = None,
) -> MeterReading:
    """A reading of pseudonyms made by `Names`, times in UTC, and parts that are models already."""
    values = _TEMPLATE_VALUES.copy()
    values["household"] = household
    values["meter"] = meter
    values["observed_at"] = at.at
    values["clock"] = at.clock
    values["flags"] = at.flags
    values["received_at"] = received_at
    values["retained"] = retained
    values["registers"] = registers
    values["gauges"] = gauges
    values["states"] = states
    values["carrier"] = carrier
    values["counter_since"] = counter_since
    return unvalidated(MeterReading, values, _ALL_FIELDS)
