"""History files of Enedis: load curves, hourly and daily energy, daily indexes, by `garonne import`."""

from services.ingest.profiles import Profile
from services.ingest.profiles.enedis_csv.parser import parse

__all__ = ["PROFILE"]

PROFILE = Profile(
    name="enedis_csv",
    topics=("import/enedis_csv/+",),
    parse=parse,
    stability="alpha",
    summary="History files of Enedis (CSV): load curve in mean W, hourly and daily energy, indexes",
)
