"""USDOT jpo-ode: SAE J2735 messages as JSON on Kafka topics."""

from services.ingest.profiles import Profile
from services.ingest.profiles.jpo_ode_json.parser import parse

__all__ = ["PROFILE"]

PROFILE = Profile(
    name="jpo_ode_json",
    topics=tuple(f"topic.Ode{kind}Json" for kind in ("Bsm", "Spat", "Map", "Srm", "Ssm")),
    parse=parse,
    stability="alpha",
    summary="USDOT jpo-ode JSON: topic.OdeBsmJson, OdeSpatJson, OdeMapJson, OdeSrmJson, OdeSsmJson",
)
