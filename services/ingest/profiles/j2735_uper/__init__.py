"""SAE J2735 message frames in UPER: bytes, hexadecimal or base64."""

from services.ingest.profiles import Profile
from services.ingest.profiles.j2735_uper.parser import parse

__all__ = ["PROFILE"]

PROFILE = Profile(
    name="j2735_uper",
    topics=("us/bsm/#", "us/map/#", "us/spat/#", "us/srm/#", "us/ssm/#", "j2735/#"),
    parse=parse,
    stability="alpha",
    summary="SAE J2735 frames in UPER (BSM, SPAT, MAP, SRM, SSM), signed or not: us/<message>/…, j2735/…",
    clock_is_elsewhere=True,  # a CAM tells its time modulo 65,536 ms, a BSM the second of the minute
)
