"""OpenEMS Edge: the sums of a home with its own production."""

from services.ingest.declarative import profile_of

__all__ = ["PROFILE"]

PROFILE = profile_of(__name__)
