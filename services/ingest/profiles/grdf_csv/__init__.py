"""History files of the gas operator GRDF, day by day, by `garonne import`."""

from services.ingest.profiles import Profile
from services.ingest.profiles.grdf_csv.parser import parse

__all__ = ["PROFILE"]

PROFILE = Profile(
    name="grdf_csv",
    topics=("import/grdf_csv/+",),
    parse=parse,
    stability="alpha",
    summary="History files of GRDF (CSV): gas days from 06:00 to 06:00, volume and energy (PCS)",
)
