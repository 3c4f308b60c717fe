"""Sparkplug B edge nodes with meters behind them."""

from services.ingest.profiles import Profile
from services.ingest.profiles.sparkplug_b.parser import parse

__all__ = ["PROFILE"]

PROFILE = Profile(
    name="sparkplug_b",
    topics=("spBv1.0/#",),
    parse=parse,
    stability="alpha",
    summary="Sparkplug B: births, data by name or alias, sequence, deaths; units by engUnit",
)
