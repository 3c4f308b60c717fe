"""JSON Schemas (draft 2020-12) of every record, made from the models."""

from typing import Any

from pydantic import TypeAdapter

from schemas.envelope import RECORDS

__all__ = ["json_schemas"]


def json_schemas() -> dict[str, dict[str, Any]]:
    """The schema of each record by kind."""
    return {
        kind: {
            "$schema": "https://json-schema.org/draft/2020-12/schema",
            **TypeAdapter(model).json_schema(mode="validation"),
        }
        for kind, model in RECORDS.items()
    }
