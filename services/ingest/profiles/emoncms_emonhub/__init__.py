"""Sensors of OpenEnergyMonitor: emonTx, emonPi and emonHub."""

from services.ingest.declarative import profile_of

__all__ = ["PROFILE"]

PROFILE = profile_of(__name__)
