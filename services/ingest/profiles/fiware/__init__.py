"""Devices of a FIWARE IoT Agent: UltraLight 2.0 and JSON measures."""

from services.ingest.profiles import Profile
from services.ingest.profiles.fiware.parser import parse

__all__ = ["PROFILE"]

PROFILE = Profile(
    name="fiware",
    topics=tuple(
        f"{start}+/+/attrs{attribute}" for start in ("/", "/ul/", "/json/", "ul/", "json/") for attribute in ("", "/+")
    ),
    parse=parse,
    stability="alpha",
    summary="FIWARE IoT Agent measures, UltraLight and JSON: /<apikey>/<device>/attrs, names by the site's mapping",
)
