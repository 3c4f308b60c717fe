"""Linky meters read by a LiXee ZLinky_TIC over Zigbee2MQTT, historique and standard mode."""

from services.ingest.declarative import profile_of

__all__ = ["PROFILE"]

PROFILE = profile_of(__name__)
