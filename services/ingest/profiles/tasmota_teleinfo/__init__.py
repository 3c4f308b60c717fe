"""Linky meters read by Tasmota firmware: the official Teleinfo driver and the firmware of N. Bernaerts."""

from services.ingest.codecs.fulltopic import TOPICS
from services.ingest.profiles import Profile
from services.ingest.profiles.tasmota_teleinfo.parser import parse, takes

__all__ = ["PROFILE"]

PROFILE = Profile(
    name="tasmota_teleinfo",
    topics=TOPICS,
    parse=parse,
    stability="alpha",
    summary="Linky by Tasmota: section TIC, or METER, CONTRACT and PROD, on tele/<device>/SENSOR, any FullTopic",
    takes=takes,
)
