"""HomeWizard P1, kWh and water meters, version 1 and 2 of their local interface."""

from services.ingest.declarative import profile_of

__all__ = ["PROFILE"]

PROFILE = profile_of(__name__)
