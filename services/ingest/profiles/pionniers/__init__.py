"""Les pionniers: what citizens of the panel say of applications, as CloudEvents."""

from services.ingest.profiles import Profile
from services.ingest.profiles.pionniers.parser import parse

__all__ = ["PROFILE"]

PROFILE = Profile(
    name="pionniers",
    topics=("pionniers/+/+/events",),
    parse=parse,
    stability="development",
    summary="Evaluations of applications by the panel Les pionniers, CloudEvents 1.0 in JSON; free text is never kept",
)
