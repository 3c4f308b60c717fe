"""Norwegian smart meters read by amsreader (Pow-K, Pow-U, AmsToMqttBridge)."""

from services.ingest.declarative import profile_of

__all__ = ["PROFILE"]

PROFILE = profile_of(__name__)
