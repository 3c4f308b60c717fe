"""Wireless M-Bus meters (water, heat, gas, electricity, heat cost allocators) through wmbusmeters."""

from services.ingest.profiles import Profile
from services.ingest.profiles.wmbusmeters.parser import parse

__all__ = ["PROFILE"]

PROFILE = Profile(
    name="wmbusmeters",
    topics=("wmbusmeters/+", "wmbusmeters/bridge/state", "wmbusmeters_alarm"),
    parse=parse,
    stability="alpha",
    summary="wM-Bus water, heat, gas, electricity and heat cost allocators by wmbusmeters 2 and 3",
)
