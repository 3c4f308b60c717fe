"""SenML packs (RFC 8428) in JSON or CBOR: meters of any make, and outdoor temperature of a station."""

from services.ingest.profiles import Profile
from services.ingest.profiles.senml.parser import parse

__all__ = ["PROFILE"]

PROFILE = Profile(
    name="senml",
    topics=("senml/#",),
    parse=parse,
    stability="alpha",
    summary="SenML packs, JSON or CBOR: energy, power, volumes; outdoor temperature on senml/station/<station>",
)
