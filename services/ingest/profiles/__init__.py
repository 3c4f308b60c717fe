"""The profile mechanism: one folder per meter family or C-ITS encoding, found by its folder.

A profile says which topics it takes and how to read a payload. It is pure: no clock, no network, and no state
between messages but what it puts into `Context.memory`. Nothing but its folder has to be touched to add one.
"""

import importlib
import pkgutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import cache
from typing import Any, Literal, Protocol
from zoneinfo import ZoneInfo

from schemas.envelope import AnyRecord
from schemas.rejection import Reason
from services.ingest.memory import Memory
from services.ingest.plausibility import Box, Stations
from services.ingest.topics import TopicTree

__all__ = ["Context", "Ignored", "Message", "Names", "Profile", "Unparseable", "discover"]


class Unparseable(Exception):
    """The payload cannot be read, and never will be: a permanent fault, turned into `Rejected`.

    `detail` names the field and the rule that it breaks, never a value of the payload.
    """

    def __init__(self, reason: Reason, detail: str) -> None:
        super().__init__(f"{reason}: {detail}")
        self.reason = reason
        self.detail = detail


@dataclass(frozen=True, slots=True)
class Message:
    """One MQTT message as it arrived. `received_at` is an aware UTC instant."""

    topic: str
    payload: bytes
    received_at: datetime
    retained: bool = False


@dataclass(frozen=True, slots=True)
class Ignored:
    """A message that says nothing Garonne keeps, by a rule that has a name."""

    rule: str


class Names(Protocol):
    """Turns identifiers into keyed pseudonyms; the only way into a record."""

    def household(self, device: str) -> str:
        """Pseudonym of the home that `device` (`<family>:<identifier>`) belongs to."""

    def meter(self, device: str) -> str:
        """Pseudonym of a meter."""

    def device(self, device: str) -> str:
        """Pseudonym of a gateway, a sensor or a topic."""

    def vehicle(self, station_id: int, at: datetime) -> str:
        """Pseudonym of a C-ITS station, another one each UTC day."""

    def action(self, station_id: int, sequence_number: int) -> str:
        """Pseudonym of a DENM action id."""

    def member(self, identifier: str) -> str:
        """Pseudonym of a panel member."""


class Zones(Protocol):
    """The equipped junctions; assigns a position to the one whose zone it is in."""

    def at(self, latitude_deg: float, longitude_deg: float) -> str | None:
        """The junction's id; a cell `q:<quadkey>` if no junctions are configured; `None` outside all."""


Nearby = Callable[[float, float, float], tuple[str, ...]]
"""The junctions whose zones are no further from a latitude and longitude than some metres, the nearest first."""


@dataclass(frozen=True, slots=True)
class Context:
    """What the operator of the site knows, and the profile needs.

    `mapping` gives meaning to names that a user chose (`{"SML.Total_in": "import_energy total kWh"}`);
    `oldest` is how far back a source time is believed, `newest` how far ahead. `memory`, and `stations` for
    what moves, are the only things that last from one message to the next. `site` is where all of it should be;
    `nearby` tells the junctions in reach of an event; `intersections` names the junction of each intersection id that
    messages have; `sources` has contexts of topics of their own.
    """

    names: Names
    zones: Zones
    timezone: ZoneInfo = field(default_factory=lambda: ZoneInfo("Europe/Paris"))
    mapping: Mapping[str, str] = field(default_factory=dict)
    its_leap_seconds: Literal["tai", "utc", "auto"] = "tai"
    oldest: timedelta = timedelta(days=3 * 366)
    newest: timedelta = timedelta(minutes=10)
    memory: Memory = field(default_factory=Memory)
    intersections: Mapping[str, str] = field(default_factory=dict)
    stations: Stations = field(default_factory=Stations)
    site: Box | None = None
    nearby: Nearby | None = None
    sources: "TopicTree[Context] | None" = None

    def junction(self, region: int, number: int) -> str:
        """The junction that an intersection id of a message is of; an unknown id stands for itself, as `region:id`."""
        said = f"{region}:{number}"
        return self.intersections.get(said, said)

    def is_in_site(self, latitude_deg: float, longitude_deg: float) -> bool:
        """Whether a place can be of this site; any can, where the site does not say where it is."""
        return self.site is None or self.site.holds(latitude_deg, longitude_deg)

    def of(self, topic: str) -> "Context":
        """What is known of the source that publishes to a topic, where the site says something of it alone."""
        found = self.sources.match(topic) if self.sources is not None else None
        return found[0] if found else self


Parse = Callable[[Message, Context], tuple[AnyRecord, ...] | Ignored]


@dataclass(frozen=True, slots=True)
class Profile:
    """A meter family or an encoding.

    Attributes:
        name: the folder's name.
        topics: MQTT topic filters (`+`, `#`) of the family's own defaults; a site can set others.
        parse: pure; gives records or `Ignored`, raises only `Unparseable`.
        stability: what we promise of it.
        summary: one line for `garonne check` and the documentation.
        takes: when two profiles share a filter, whether this one takes this message.
        clock_is_elsewhere: the time of a record comes from an earlier message or in part from reception, so that
            equal bytes can be different news: the id of the event counts the time in.
        announcements: topic filters of retained messages that say what other topics mean. Every process subscribes to
            them for itself, and gets them again at each connection.
        claims: whether this profile has learnt from announcements to read a topic that no filter of any profile takes.
        announced_topics: the topics that announcements named so far.
    """

    name: str
    topics: tuple[str, ...]
    parse: Parse
    stability: Literal["development", "alpha", "stable"]
    summary: str
    takes: Callable[[Message], bool] = lambda _message: True
    clock_is_elsewhere: bool = False
    announcements: tuple[str, ...] = ()
    claims: Callable[[Message, Context], bool] | None = None
    announced_topics: Callable[[Context], frozenset[str]] | None = None


@cache
def discover() -> dict[str, Profile]:
    """Find every profile by its folder, in the order of their names."""
    found: dict[str, Profile] = {}
    for module in pkgutil.iter_modules(__path__):
        if module.ispkg:
            candidate: Any = importlib.import_module(f"{__name__}.{module.name}")
            profile: Profile = candidate.PROFILE
            if profile.name != module.name:
                message = f"the profile in folder {module.name} calls itself {profile.name}"
                raise RuntimeError(message)
            found[profile.name] = profile
    return found
