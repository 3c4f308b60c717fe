"""Shelly meters, relays and covers of the second to fourth generation."""

from services.ingest.declarative import profile_of

__all__ = ["PROFILE"]

PROFILE = profile_of(__name__)
