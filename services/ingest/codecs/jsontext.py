"""Reading JSON that nobody vouches for: bounded depth, no NaN, and numbers that are numbers."""

from math import isfinite
from typing import Any

from pydantic_core import from_json

from services.ingest.profiles import Unparseable

__all__ = ["finite", "index", "read_array", "read_object"]


def read_object(payload: bytes) -> dict[str, Any]:
    """The JSON object of a payload (RFC 8259); of two equal keys the last counts.

    Raises:
        Unparseable: not JSON, cut off, nested too deeply, or not an object.
    """
    value = _read(payload)
    if type(value) is not dict:
        raise Unparseable("wrong_shape", "payload: must be a JSON object")
    return value


def read_array(payload: bytes) -> list[Any]:
    """The JSON array of a payload (RFC 8259).

    Raises:
        Unparseable: not JSON, cut off, nested too deeply, or not an array.
    """
    value = _read(payload)
    if type(value) is not list:
        raise Unparseable("wrong_shape", "payload: must be a JSON array")
    return value


def _read(payload: bytes) -> Any:
    try:
        return from_json(payload, allow_inf_nan=False)
    except ValueError as error:
        raise _refusal(str(error), payload) from None


def _refusal(text: str, payload: bytes) -> Unparseable:
    if text.startswith("recursion limit"):
        return Unparseable("too_deep", "payload: JSON nested too deeply")
    if text.startswith("number out of range"):
        return Unparseable("bad_value", "payload: a number has too many digits")
    if text.startswith("EOF while") and payload.strip():
        return Unparseable("truncated", "payload: the JSON ends in the middle")
    return Unparseable("not_json", "payload: not JSON")


def finite(value: Any, key: str, section: str = "") -> float:
    """A JSON number as a float; `section` and `key` say where it stands, should it be refused.

    Raises:
        Unparseable: not a number, or too large for one.
    """
    if type(value) is float:
        if isfinite(value):
            return value + 0.0  # -0.0 becomes 0.0
    elif type(value) is int:
        try:
            return float(value)
        except OverflowError:
            pass
    raise Unparseable("bad_value", f"{section}{'.' if section else ''}{key}: must be a number")


_LARGEST_INDEX = 1e10
"""Ten digits of kWh or m3: more than any meter of a home, or of a district, shows."""


def index(value: float, key: str, section: str = "") -> float:
    """A number that a cumulative register can show, in kWh or m3.

    Raises:
        Unparseable: not finite, or larger than any meter shows.
    """
    if not abs(value) <= _LARGEST_INDEX:
        raise Unparseable("bad_value", f"{section}{'.' if section else ''}{key}: larger than any meter shows")
    return value
