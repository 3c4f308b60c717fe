"""History of any meter in Garonne's own columns, by `garonne import`."""

from services.ingest.profiles import Profile
from services.ingest.profiles.garonne_csv.parser import parse

__all__ = ["PROFILE"]

PROFILE = Profile(
    name="garonne_csv",
    topics=("import/garonne_csv/+",),
    parse=parse,
    stability="alpha",
    summary="History of any meter in own columns (CSV): intervals and indexes, with their unit",
)
