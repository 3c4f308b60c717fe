"""French gas meters (Gazpar) through gazpar2mqtt, which reads the site of the operator GRDF once a day."""

from services.ingest.profiles import Profile
from services.ingest.profiles.gazpar.parser import parse

__all__ = ["PROFILE"]

PROFILE = Profile(
    name="gazpar",
    topics=("gazpar2mqtt/+", "gazpar2mqtt/+/availability"),
    parse=parse,
    stability="alpha",
    summary="Gas of GRDF by gazpar2mqtt: gas days from 06:00 to 06:00, volume and energy (PCS)",
)
