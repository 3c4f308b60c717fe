"""Devices after the Homie convention, 3 and 4."""

from services.ingest.profiles import Profile
from services.ingest.profiles.homie.parser import parse

__all__ = ["PROFILE"]

PROFILE = Profile(
    name="homie",
    topics=("homie/+/$state", "homie/+/+/+", "homie/+/+/+/$unit"),
    parse=parse,
    stability="alpha",
    summary="Homie 3 and 4: homie/<device>/<node>/<property>, units by $unit, $state as availability",
    announcements=("homie/+/+/+/$unit",),
)
