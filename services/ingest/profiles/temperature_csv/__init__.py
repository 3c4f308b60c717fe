"""Outdoor temperatures of weather stations, for degree days, by `garonne import`."""

from services.ingest.profiles import Profile
from services.ingest.profiles.temperature_csv.parser import parse

__all__ = ["PROFILE"]

PROFILE = Profile(
    name="temperature_csv",
    topics=("import/temperature_csv/+",),
    parse=parse,
    stability="alpha",
    summary="Outdoor temperature by station (CSV), also hourly files of Météo-France",
)
