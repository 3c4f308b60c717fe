"""A message or a point that was refused: kept with its bytes, its reason and a way back in."""

from typing import Annotated, Literal

from pydantic import Base64Bytes, Field

from schemas.base import Pseudonym, Record, Slug

__all__ = ["Reason", "Rejected", "Stage"]

Stage = Literal["route", "parse", "normalise", "store"]

Reason = Literal[
    "no_profile",  # no profile takes this topic
    "not_json",
    "not_text",
    "not_binary",
    "wrong_shape",  # well-formed, but not what this family sends
    "missing_field",
    "bad_value",
    "bad_checksum",
    "truncated",
    "encrypted",
    "unsupported_version",
    "too_large",
    "too_deep",
    "implausible_time",
    "identity_mismatch",  # the payload names another device than the topic, which the broker's ACL watches
    "profile_fault",  # a defect of ours: the profile raised something it must not raise
    "field_type",  # InfluxDB: the field has another type
    "beyond_retention",  # InfluxDB: older than the bucket keeps
    "refused",  # InfluxDB: any other refusal
]


class Rejected(Record):
    """A refusal. `sealed` holds topic and bytes, encrypted under the key of the pseudonyms.

    `detail` names the field and the rule, never a value of the payload: the payload may hold identifiers.
    """

    kind: Literal["rejected"] = "rejected"
    device: Pseudonym
    stage: Stage
    reason: Reason
    detail: Annotated[str, Field(max_length=400)]
    profile: Slug | None = None
    size_bytes: Annotated[int, Field(ge=0)]
    sealed: Base64Bytes
