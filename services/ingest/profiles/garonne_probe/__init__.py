"""The probe of `garonne doctor`: a message that goes the whole way and says nothing of anybody."""

from services.ingest.profiles import Profile
from services.ingest.profiles.garonne_probe.parser import DEVICE, TOPIC, parse

__all__ = ["DEVICE", "PROFILE", "TOPIC"]

PROFILE = Profile(
    name="garonne_probe",
    topics=(TOPIC,),
    parse=parse,
    stability="development",
    summary="The probe of `garonne doctor`: shows that MQTT to InfluxDB is open; of no home and no vehicle",
)
