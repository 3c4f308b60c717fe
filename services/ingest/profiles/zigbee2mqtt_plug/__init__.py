"""Plugs, DIN-rail meters and breakers over Zigbee2MQTT."""

from services.ingest.declarative import profile_of

__all__ = ["PROFILE"]

PROFILE = profile_of(__name__)
