"""French water meters with an Itron EverBlu Cyble module, read once a day by radio."""

from services.ingest.profiles import Profile
from services.ingest.profiles.everblu_water.parser import parse

__all__ = ["PROFILE"]

PROFILE = Profile(
    name="everblu_water",
    topics=("everblu/+/+", "everblu/+/+/+"),
    parse=parse,
    stability="alpha",
    summary="Water by EverBlu Cyble readers: everblu/<cyble>/liters, battery, num_readings, or json",
)
