"""Golden cases of the profiles: where they are, how they are run, and the key they are run under.

A case is a folder `services/ingest/profiles/<family>/testcases/<what>/` with `topic.txt`, `input.*`, `case.toml`
and either `expected.jsonl` (one event a line, as it goes to Kafka; empty: ignored) or `expected.err`
(stage, reason and detail of the rejection).
"""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, Final
from zoneinfo import ZoneInfo

from schemas.codec import encode
from services.ingest.normalise import Normaliser, Outcome
from services.ingest.profiles import Context, Message, discover
from services.ingest.pseudonyms import Keys, Pseudonyms

__all__ = ["KEYS", "NAMES", "ROOT", "Case", "NoJunctions", "expectation", "find_cases", "normaliser", "update"]

ROOT: Final = Path(__file__).resolve().parents[1]
PROFILES: Final = ROOT / "services/ingest/profiles"
KEYS: Final = Keys(bytes(32) + b"golden cases")
"""A key for tests, known to everybody; a real one is a file that `read_keys` reads."""
NAMES: Final = Pseudonyms(KEYS)


class NoJunctions:
    """No junction is configured: every position is in one cell."""

    def at(self, latitude_deg: float, longitude_deg: float) -> str | None:
        """The cell."""
        del latitude_deg, longitude_deg
        return "q:0"


@dataclass(frozen=True)
class Case:
    """A message with what the operator knows, and what must come of it."""

    folder: Path
    profile: str
    message: Message
    timezone: str
    mapping: Mapping[str, str] = field(default_factory=dict)
    identifiers: tuple[str, ...] = ()

    def __str__(self) -> str:
        return f"{self.profile}/{self.folder.name}"

    def run(self) -> Outcome:
        """Normalise the message as in production: all profiles, all topics."""
        return normaliser(ZoneInfo(self.timezone), self.mapping)(self.message)


def normaliser(
    timezone: ZoneInfo, mapping: Mapping[str, str], topics: Mapping[str, tuple[str, ...]] | None = None
) -> Normaliser:
    """All discovered profiles under the test key."""
    context = Context(names=NAMES, zones=NoJunctions(), timezone=timezone, mapping=mapping)
    profiles = discover()
    return Normaliser(profiles, dict.fromkeys(profiles, context), KEYS, topics)


def find_cases() -> list[Case]:
    """Every golden case of every profile."""
    return [_read(folder) for folder in sorted(PROFILES.glob("*/testcases/*")) if folder.is_dir()]


def _read(folder: Path) -> Case:
    described: dict[str, Any] = tomllib.loads((folder / "case.toml").read_text())
    (payload,) = folder.glob("input.*")
    received_at: datetime = described["received_at"]
    body = payload.read_bytes()
    return Case(
        folder=folder,
        profile=folder.parent.parent.name,
        message=Message(
            (folder / "topic.txt").read_text().strip(),
            bytes.fromhex(body.decode()) if payload.suffix == ".hex" else body,
            received_at,
            described.get("retained", False),
        ),
        timezone=described.get("timezone", "Europe/Paris"),
        mapping=described.get("mapping", {}),
        identifiers=tuple(described.get("identifiers", ())),
    )


def expectation(case: Case) -> tuple[str, str]:
    """Name and text of the expectation file that this case's outcome would have."""
    outcome = case.run()
    rejected = outcome.rejected
    if rejected is not None:
        return "expected.err", f"{rejected.stage}\n{rejected.reason}\n{rejected.detail}\n"
    return "expected.jsonl", "".join(encode(event).decode() + "\n" for event in outcome.events)


def update(case: Case) -> None:
    """Write the outcome as the expectation; the diff is for a human to read."""
    for stale in case.folder.glob("expected.*"):
        stale.unlink()
    name, text = expectation(case)
    (case.folder / name).write_text(text)
