"""The sample cases: finding them, reading them, running them through the whole normaliser.

The folder is named by `GARONNE_SAMPLES`, default `../shared/samples` beside the repository. Its layout and keys
are described in its own README; nothing here knows a case by name, so other folders of the same form run too.
"""

import base64
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from pathlib import Path
from typing import Any, Final
from zoneinfo import ZoneInfo

from services.ingest.normalise import Normaliser, Outcome
from services.ingest.profiles import Message, discover
from tests.cases import ROOT, normaliser
from tests.conformance.configuration import mapping_of

__all__ = ["FOLDER", "Case", "Sequence", "families", "find_cases", "find_sequences", "missing_folder", "read_events"]

FOLDER: Final = Path(os.environ.get("GARONNE_SAMPLES") or ROOT / "../shared/samples").resolve()
ONE_BYTE_A_CHARACTER: Final = frozenset(("linky_tic_raw", "dsmr_p1_raw"))
"""Families whose text payloads in `events.jsonl` are Latin-1."""


def missing_folder() -> str | None:
    """Why there is nothing to run, if so."""
    if (FOLDER / "meters").is_dir() or (FOLDER / "c-its").is_dir():
        return None
    return f"{FOLDER} holds no meters/ and no c-its/; set GARONNE_SAMPLES to the folder of samples"


@dataclass(frozen=True)
class Case:
    """A folder with messages and the facts that must come out of them."""

    folder: Path

    def __str__(self) -> str:
        return "/".join(self.folder.parts[-3:])

    @property
    def domain(self) -> str:
        """`meters` or `c-its`."""
        return self.folder.parent.parent.name

    @property
    def family(self) -> str:
        """The name that the profile of this folder has, or would have."""
        return self.folder.parent.name.replace("-", "_")

    @property
    def has_profile(self) -> bool:
        """Whether this family can be read yet."""
        return self.family in discover()

    @cached_property
    def described(self) -> dict[str, Any]:
        """`case.json`."""
        described: dict[str, Any] = json.loads((self.folder / "case.json").read_text())
        return described

    @property
    def facts(self) -> list[dict[str, Any]]:
        """What must come out."""
        facts: list[dict[str, Any]] = self.described.get("expect", [])
        return facts

    @cached_property
    def messages(self) -> list[Message]:
        """The messages in order."""
        path = self.folder / self.described.get("payload", "events.jsonl")
        if path.name == "events.jsonl" or not path.is_file():
            return read_events(self.folder / "events.jsonl", self.family)
        return [
            Message(
                self.described["topic"],
                path.read_bytes(),
                datetime.fromisoformat(self.described["received_at"]),
                bool(self.described.get("retained")),
            )
        ]

    def run(self, messages: list[Message] | None = None) -> list[Outcome]:
        """Normalise them as in production, with what the operator of the site would have configured."""
        normalise = site(self.family, self.described, [message.topic for message in self.messages])
        return [normalise(message) for message in messages or self.messages]


@dataclass(frozen=True)
class Sequence:
    """A longer play of messages with the energy, passages or hazards that must come of it."""

    folder: Path

    def __str__(self) -> str:
        return self.folder.name

    @cached_property
    def expected(self) -> dict[str, Any]:
        """`expect.json`."""
        expected: dict[str, Any] = json.loads((self.folder / "expect.json").read_text())
        return expected

    @property
    def families(self) -> list[str]:
        """The families whose messages are played."""
        return [name.strip().replace("-", "_") for name in self.expected["family"].split(" and ")]

    def run(self) -> list[Outcome]:
        """Normalise all messages in order."""
        messages = read_events(self.folder / "events.jsonl", self.families[0])
        normalise = site(self.families[0], self.expected, [message.topic for message in messages])
        return [normalise(message) for message in messages]


def site(family: str, described: Mapping[str, Any], topics: list[str]) -> Normaliser:
    """A normaliser of a site that has this family on these topics, besides all defaults of all profiles."""
    profiles = discover()
    own = {}
    if family in profiles:
        own[family] = tuple(dict.fromkeys((*topics, *profiles[family].topics)))
    zone = ZoneInfo(described.get("timezone") or "UTC")
    return normaliser(zone, mapping_of(described.get("configuration", {})), own)


def read_events(path: Path, family: str) -> list[Message]:
    """The messages of `events.jsonl`."""
    encoding = "latin-1" if family in ONE_BYTE_A_CHARACTER else "utf-8"
    found = []
    for line in path.read_text().splitlines():
        event = json.loads(line)
        payload = (
            base64.b64decode(event["payload_b64"]) if "payload_b64" in event else event["payload"].encode(encoding)
        )
        received_at = datetime.fromisoformat(event["received_at"])
        found.append(Message(event["topic"], payload, received_at, bool(event.get("retained"))))
    return found


def find_cases() -> list[Case]:
    """All cases of the folder."""
    return [
        Case(path.parent) for domain in ("meters", "c-its") for path in sorted(FOLDER.glob(f"{domain}/*/*/case.json"))
    ]


def find_sequences() -> list[Sequence]:
    """All sequences of the folder."""
    return [Sequence(path.parent) for path in sorted(FOLDER.glob("sequences/*/expect.json"))]


def families() -> dict[str, int]:
    """Number of cases by family."""
    counted: dict[str, int] = {}
    for case in find_cases():
        counted[case.family] = counted.get(case.family, 0) + 1
    return counted
