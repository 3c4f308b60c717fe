"""Sparkplug B edge nodes with meters behind them."""

from services.ingest.profiles import Profile
from services.ingest.profiles.sparkplug_b.parser import parse

__all__ = ["PROFILE"]

BIRTHS = ("spBv1.0/+/NBIRTH/+", "spBv1.0/+/DBIRTH/+/+")
"""Every process needs them, whichever is handed the data."""

PROFILE = Profile(
    name="sparkplug_b",
    topics=(*BIRTHS, "spBv1.0/+/NDATA/+", "spBv1.0/+/DDATA/+/+", "spBv1.0/+/NDEATH/+", "spBv1.0/+/DDEATH/+/+"),
    parse=parse,
    stability="alpha",
    summary="Sparkplug B: births, data by name or alias, sequence, deaths; units by engUnit",
    announcements=BIRTHS,
)
