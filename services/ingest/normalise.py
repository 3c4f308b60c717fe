"""A message to events: route by topic, read by profile, name by pseudonym. Pure; no message is lost.

Every message has exactly one of three ends: events, `Ignored` with the rule's name, or `Rejected` with
the reason and the bytes.
"""

import hashlib
from base64 import b64encode
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from pydantic import ValidationError

from schemas.envelope import AnyRecord, Event
from schemas.rejection import Reason, Rejected, Stage
from services.ingest.consent import NONE, Consent
from services.ingest.limits import Limits
from services.ingest.memory import Memory
from services.ingest.plausibility import Stations
from services.ingest.profiles import Context, Ignored, Message, Profile, Unparseable
from services.ingest.pseudonyms import Keys
from services.ingest.subjects import Subjects
from services.ingest.topics import TopicTree

__all__ = ["Normaliser", "Outcome"]

MAX_PAYLOAD_BYTES = 256 * 1024
MAX_TOPIC_BYTES = 1024
MAX_RECORDS = 2000
"""Of one message: a short text can describe very many."""
NOT_KNOWN = frozenset(("no-metering-topic", "no-metering-field"))
"""Rules by which a profile says that it does not know what a message is: one that was told by an announcement may."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a message: events (a rejection is an event too) or the rule that ignored it."""

    profile: str | None
    events: tuple[Event, ...] = ()
    ignored: Ignored | None = None

    @property
    def result(self) -> str:
        """Which of the three ends: `ignored`, `rejected` or `events`."""
        if self.ignored is not None:
            return "ignored"
        return "events" if self.rejected is None else "rejected"

    @property
    def rejected(self) -> Rejected | None:
        """The refusal, if the message was refused."""
        if len(self.events) == 1 and isinstance(self.events[0].record, Rejected):
            return self.events[0].record
        return None


class Normaliser:
    """Holds what is set up once: topic routes, keys and the context of each profile."""

    def __init__(
        self,
        profiles: Mapping[str, Profile],
        contexts: Mapping[str, Context],
        keys: Keys,
        topics: Mapping[str, tuple[str, ...]] | None = None,
        consent: Consent | None = None,
    ) -> None:
        """Set up the routes.

        Args:
            profiles: by name.
            contexts: one per profile.
            keys: for event ids and for sealing rejected messages.
            topics: topic filters per profile, where a site does not use the family's defaults.
            consent: what households agreed to; without it everything goes on as it comes.
        """
        self.consent = consent
        self.limits: Limits | None = None
        self.stations: Stations | None = None
        self.subjects: Subjects | None = None
        self._contexts = contexts
        self._keys = keys
        self._routes: TopicTree[Profile] = TopicTree()
        self._named: list[frozenset[str]] = []
        self._announced: frozenset[str] = frozenset()
        self._announcing = [profile for profile in profiles.values() if profile.announcements]
        self._learning = [profile for profile in profiles.values() if profile.claims or profile.announced_topics]
        self._filters = {name: (topics or {}).get(name, profile.topics) for name, profile in profiles.items()}
        for name, filters in self._filters.items():
            for topic_filter in filters:
                self._routes.add(topic_filter, profiles[name])

    def __call__(self, message: Message) -> Outcome:
        """Normalise one message. Raises nothing, whatever the bytes."""
        if len(message.payload) > MAX_PAYLOAD_BYTES:
            return self._rejected(message, None, "route", "too_large", f"more than {MAX_PAYLOAD_BYTES} bytes")
        if len(message.topic.encode("utf-8", "replace")) > MAX_TOPIC_BYTES:
            return self._rejected(message, None, "route", "too_large", f"topic: more than {MAX_TOPIC_BYTES} bytes")
        candidates = self._routes.match(message.topic) or self._claimants(message)
        if not candidates:
            return self._rejected(message, None, "route", "no_profile", "no profile takes this topic")
        try:
            profile = next((each for each in candidates if each.takes(message)), candidates[0])
        except Exception as fault:  # noqa: BLE001 - see _parse
            return self._fault(message, candidates[0], fault)
        outcome = self._parse(message, profile)
        if outcome.ignored is not None and outcome.ignored.rule in NOT_KNOWN:
            for learnt in self._claimants(message):
                return self._parse(message, learnt)
        return outcome

    def _claimants(self, message: Message) -> list[Profile]:
        return [each for each in self._learning if each.claims and each.claims(message, self._contexts[each.name])]

    @property
    def memories(self) -> Mapping[str, Memory]:
        """What each profile has learnt from messages, by its name."""
        return {name: context.memory for name, context in self._contexts.items()}

    def announced_topics(self) -> frozenset[str]:
        """Topics that announcements named so far and no filter takes: they must be subscribed to as well."""
        named = [each.announced_topics(self._contexts[each.name]) for each in self._learning if each.announced_topics]
        if named != self._named:  # cheap while nothing changes: equal sets are the same object then
            self._named = named
            self._announced = frozenset(topic for topics in named for topic in topics if not self._routes.match(topic))
        return self._announced

    @property
    def announcements(self) -> tuple[str, ...]:
        """Filters of announcements: of the profiles themselves, or those of the site that end in the same word."""
        found: dict[str, None] = {}
        for profile in self._announcing:
            ends = {each.rpartition("/")[2] for each in profile.announcements} - {"+", "#"}
            for each in self._filters[profile.name]:
                if each in profile.announcements or each.rpartition("/")[2] in ends:
                    found[each] = None
        return tuple(found)

    def device(self, identifier: str) -> str:
        """Pseudonym of a device that is no message's sender, such as this service itself."""
        return self._keys.pseudonym("device", identifier)

    def own_id(self, content: str) -> str:
        """The id of an event of our own, from its content."""
        return hashlib.blake2b(content.encode(), key=self._keys.event_id, digest_size=16).hexdigest()

    def _parse(self, message: Message, profile: Profile) -> Outcome:
        try:
            result = profile.parse(message, self._contexts[profile.name].of(message.topic))
        except Unparseable as refusal:
            return self._rejected(message, profile.name, "parse", refusal.reason, refusal.detail)
        except ValidationError as error:
            first = error.errors(include_input=False, include_url=False)[0]
            place = ".".join(str(part) for part in first["loc"])
            return self._rejected(
                message, profile.name, "normalise", "bad_value", f"{error.title}.{place}: {first['msg']}"
            )
        except Exception as fault:  # noqa: BLE001 - the one place where a defect of a profile must not stop the flow
            return self._fault(message, profile, fault)
        if isinstance(result, Ignored):
            return Outcome(profile.name, ignored=result)
        return self._events(message, profile, result)

    def _events(self, message: Message, profile: Profile, records: tuple[AnyRecord, ...]) -> Outcome:
        """What goes on of the records of a message: as much as its households agreed to, within the limits."""
        if len(records) > MAX_RECORDS:
            return self._rejected(message, profile.name, "normalise", "too_large", f"more than {MAX_RECORDS} records")
        digest = self._digest(message, profile.name, _said_elsewhere(message, profile, records))
        events = tuple(
            Event(f"{digest}-{index}" if index else digest, profile.name, record)
            for index, record in enumerate(records)
        )
        rule: str | None = None
        if self.consent is not None:
            events, refusing = self.consent.keep(events)
            rule = None if events else refusing
        if rule is None and self.limits is not None:
            rule = self.limits.broken(events)
        return Outcome(profile.name, events) if rule is None else Outcome(profile.name, ignored=Ignored(rule))

    def _fault(self, message: Message, profile: Profile, fault: Exception) -> Outcome:
        detail = f"{type(fault).__name__} in profile {profile.name}: please report it with this message"
        return self._rejected(message, profile.name, "parse", "profile_fault", detail)

    def _digest(self, message: Message, profile: str, at: datetime | None) -> str:
        """The event id: what the device said, and `at` where the message itself says no time."""
        mac = hashlib.blake2b(key=self._keys.event_id, digest_size=16)
        for part in (profile.encode(), message.topic.encode(), message.payload):
            mac.update(len(part).to_bytes(4, "big") + part)
        if at is not None:
            mac.update(at.isoformat().encode())
        return mac.hexdigest()

    def _rejected(self, message: Message, profile: str | None, stage: Stage, reason: Reason, detail: str) -> Outcome:
        device = self.subjects(message) if self.subjects is not None else None
        if device is not None and self.consent is not None and not self.consent.keeps(device, message.received_at):
            return Outcome(profile, ignored=Ignored(NONE))
        record = Rejected(
            observed_at=message.received_at,
            received_at=message.received_at,
            clock="none",
            retained=message.retained,
            device=device or self._keys.pseudonym("device", f"topic:{message.topic}"),
            stage=stage,
            reason=reason,
            detail=detail[:400],
            profile=profile,
            size_bytes=len(message.payload),
            # The field decodes its input: bytes that are not base64 would be refused, or silently cut.
            sealed=b64encode(self._keys.seal(message.topic, message.payload)),
        )
        digest = self._digest(message, profile or "none", message.received_at)
        return Outcome(profile, (Event(digest, profile or "none", record),))


def _said_elsewhere(message: Message, profile: Profile, records: tuple[AnyRecord, ...]) -> datetime | None:
    """The time that makes equal bytes different news: of reception without a clock, or of an earlier message."""
    if any(record.clock == "none" or _stands_in(record) for record in records):
        return message.received_at
    return records[0].observed_at if profile.clock_is_elsewhere else None


def _stands_in(record: AnyRecord) -> bool:
    """Whether the time of reception stands for one that was not believed: a copy of the message has another one."""
    return "clock" in record.flags and record.observed_at == record.received_at
