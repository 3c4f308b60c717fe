"""What a service serves over HTTP, and what it asks of who comes: parts of the configuration."""

from pathlib import Path
from typing import Annotated, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

__all__ = ["IntakeSettings", "Port", "ServedSettings"]

Port = Annotated[int, Field(ge=0, le=65535)]


class ServedSettings(BaseModel):
    """How /metrics, /healthz and /readyz are served."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    metrics_certificate_file: Path | None = Field(
        default=None, description="Certificate of the service: with it and its key, HTTPS alone."
    )
    metrics_private_key_file: Path | None = Field(default=None, description="The key that belongs to it.")
    metrics_token_file: Path | None = Field(
        default=None, description="File with a token: /metrics wants it as `Authorization: Bearer`; health does not."
    )

    @model_validator(mode="after")
    def _pair(self) -> Self:
        if (self.metrics_certificate_file is None) != (self.metrics_private_key_file is None):
            message = "metrics_certificate_file and metrics_private_key_file belong together: give both or none"
            raise ValueError(message)
        return self


class IntakeSettings(ServedSettings):
    """How evaluations come over HTTP; off unless a port is given."""

    intake_port: Port | None = Field(
        default=None,
        description="Port for CloudEvents of the panel over HTTP; without it nothing listens. 0: a free one.",
    )
    intake_host: str = Field(default="127.0.0.1", description="Address of it; TLS by metrics_certificate_file.")
    intake_token_file: Path | None = Field(
        default=None, description="File with the token that senders bring as `Authorization: Bearer`."
    )

    @model_validator(mode="after")
    def _guarded(self) -> Self:
        if self.intake_port is not None and self.intake_token_file is None:
            message = "intake_port needs intake_token_file: nobody may send evaluations without a token"
            raise ValueError(message)
        return self
