"""Orange its-client: C-ITS messages as JSON over MQTT, one quadkey digit per topic level."""

from services.ingest.profiles import Profile
from services.ingest.profiles.its_client_json.envelope import parse

__all__ = ["PROFILE"]

PROFILE = Profile(
    name="its_client_json",
    topics=("+/outQueue/v2x/#", "+/inQueue/v2x/#", "+/outQueue/info/#", "+/inQueue/info/#"),
    parse=parse,
    stability="alpha",
    summary="Orange its-client JSON 1.1.x and 2.x: CAM, DENM, SPATEM, MAPEM, SREM, SSEM, and UPER in base64",
)
