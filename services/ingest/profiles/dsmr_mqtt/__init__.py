"""P1 meters read by somebody else: dsmr-reader, SmartGateways dongles, dsmr2mqtt."""

from services.ingest.profiles import Profile
from services.ingest.profiles.dsmr_mqtt.parser import parse

__all__ = ["PROFILE"]

CLOCKS = (
    "dsmr/reading/timestamp",
    "dsmr/reading/extra_device_timestamp",
    "+/dsmr/reading/timestamp",
    "+/dsmr/reading/extra_device_timestamp",
    "dsmr/consumption/gas/read_at",
    "+/dsmr/consumption/gas/read_at",
)
"""Every process needs them, whichever is handed the values."""

PROFILE = Profile(
    name="dsmr_mqtt",
    topics=(
        *CLOCKS,
        "dsmr/reading/+",
        "+/dsmr/reading/+",
        "dsmr/json",
        "dsmr/el",
        "dsmr/gas",
        "dsmr/status",
        "+/dsmr/consumption/gas/+",
        "dsmr/consumption/gas/+",
        "dsmr/day-consumption/+",
        "dsmr/current-month/+",
        "dsmr/current-year/+",
        "dsmr/meter-stats/+",
    ),
    parse=parse,
    stability="alpha",
    summary="dsmr-reader and SmartGateways (dsmr/reading/<field>, dsmr/json), dsmr2mqtt (dsmr/el, dsmr/gas)",
    clock_is_elsewhere=True,
    announcements=CLOCKS,
)
