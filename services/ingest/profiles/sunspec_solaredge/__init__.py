"""SolarEdge inverters and meters read by SolarEdge2MQTT, raw SunSpec registers or scaled."""

from services.ingest.declarative import profile_of

__all__ = ["PROFILE"]

PROFILE = profile_of(__name__)
