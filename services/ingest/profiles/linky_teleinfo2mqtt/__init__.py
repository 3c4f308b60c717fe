"""Linky meters through the gateway teleinfo2mqtt, historique and standard mode."""

from services.ingest.profiles import Profile
from services.ingest.profiles.linky_teleinfo2mqtt.parser import parse

__all__ = ["PROFILE"]

PROFILE = Profile(
    name="linky_teleinfo2mqtt",
    topics=("teleinfo/+",),
    parse=parse,
    stability="alpha",
    summary="Linky by teleinfo2mqtt: teleinfo/<ADSC or ADCO>, teleinfo/tempo, teleinfo/status",
)
