"""Austrian smart meters through the customer interface adapter of Oesterreichs Energie."""

from services.ingest.profiles import Profile
from services.ingest.profiles.at_oesterreichs_energie_sma.parser import parse

__all__ = ["PROFILE"]

PROFILE = Profile(
    name="at_oesterreichs_energie_sma",
    topics=("aiida/+", "sma/+"),
    parse=parse,
    stability="alpha",
    summary="Austrian smart meter adapter (Oesterreichs Energie): JSON of OBIS codes with value and time",
)
