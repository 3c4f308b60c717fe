"""Any device that announces its sensors to Home Assistant: the announcement says how its states are read."""

from services.ingest.profiles import Profile
from services.ingest.profiles.homeassistant_discovery.parser import announced_topics, claims, parse

__all__ = ["PROFILE"]

PROFILE = Profile(
    name="homeassistant_discovery",
    topics=("homeassistant/+/+/config", "homeassistant/+/+/+/config"),
    parse=parse,
    stability="alpha",
    summary="Home Assistant MQTT discovery: homeassistant/sensor/.../config, and the topics that it announces",
    announcements=("homeassistant/+/+/config", "homeassistant/+/+/+/config"),
    claims=claims,
    announced_topics=announced_topics,
)
