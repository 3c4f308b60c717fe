"""Linky meters, and the electronic meters before them, by raw TIC frames."""

from services.ingest.profiles import Profile
from services.ingest.profiles.linky_tic_raw.parser import parse

__all__ = ["PROFILE"]

PROFILE = Profile(
    name="linky_tic_raw",
    topics=("tic/#",),
    parse=parse,
    stability="alpha",
    summary="Linky by raw TIC frames, historique and standard mode, with checksums",
)
