"""Smart meters of the Netherlands, Belgium, Luxembourg, Hungary, Ireland, Sweden and others by raw P1 telegrams."""

from services.ingest.profiles import Profile
from services.ingest.profiles.dsmr_p1_raw.parser import parse

__all__ = ["PROFILE"]

PROFILE = Profile(
    name="dsmr_p1_raw",
    topics=("dsmr/raw", "p1/telegram"),
    parse=parse,
    stability="alpha",
    summary="Raw P1 telegrams (DSMR 2.2 to 5, e-MUCS, D0) with CRC: dsmr/raw of dsmr-reader, p1/telegram",
)
