"""Plugs, DIN-rail meters and optical heads with Tasmota firmware: ENERGY and SML sections."""

from services.ingest.codecs.fulltopic import TOPICS
from services.ingest.profiles import Profile
from services.ingest.profiles.tasmota.parser import parse, takes

__all__ = ["PROFILE"]

PROFILE = Profile(
    name="tasmota",
    topics=TOPICS,
    parse=parse,
    stability="alpha",
    summary="Tasmota ENERGY and SML: tele/<device>/SENSOR, STATUS8 and STATUS10, LWT, any FullTopic",
    takes=takes,
)
