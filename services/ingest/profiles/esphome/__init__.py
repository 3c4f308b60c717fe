"""Sensors of ESPHome nodes: Teleinfo, pulse counters, DSMR, wireless M-Bus."""

from services.ingest.declarative import profile_of

__all__ = ["PROFILE"]

PROFILE = profile_of(__name__)
