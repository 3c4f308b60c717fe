"""Italian smart meters (Chain 2) through Sinapsi Alfa."""

from services.ingest.profiles import Profile
from services.ingest.profiles.it_sinapsi_alfa.parser import parse

__all__ = ["PROFILE"]

PROFILE = Profile(
    name="it_sinapsi_alfa",
    topics=("/+/iomtsgdata/+/", "/+/iomtsgdata/+"),
    parse=parse,
    stability="alpha",
    summary="Italian Sinapsi Alfa: JSON array of entries with COSEM names and numbers as text",
)
