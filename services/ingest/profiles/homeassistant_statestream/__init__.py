"""Sensors that Home Assistant passes on by its integration MQTT Statestream."""

from typing import Final

from services.ingest.profiles import Profile
from services.ingest.profiles.homeassistant_statestream.parser import ATTRIBUTES, parse

__all__ = ["PROFILE"]

BASES: Final = ("ha", "hass", "statestream", "homeassistant")
"""Usual values of `base_topic`; a site sets its own in `topics`."""

PROFILE = Profile(
    name="homeassistant_statestream",
    topics=tuple(f"{base}/sensor/+/{attribute}" for base in BASES for attribute in ATTRIBUTES),
    parse=parse,
    stability="alpha",
    summary="Home Assistant MQTT Statestream: <base>/sensor/<entity>/state with unit_of_measurement and device_class",
)
