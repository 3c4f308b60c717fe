"""vanetza-nap: decoded radio messages as JSON in ASN.1 names, SI values and raw sentinels."""

from services.ingest.profiles import Profile
from services.ingest.profiles.vanetza_nap_json.parser import parse

__all__ = ["PROFILE"]

PROFILE = Profile(
    name="vanetza_nap_json",
    topics=("vanetza/out/#", "vanetza/own/#"),
    parse=parse,
    stability="alpha",
    summary="vanetza-nap JSON: vanetza/out/cam, denm, spatem, mapem, srem, ssem, and vanetza/own/cam",
)
