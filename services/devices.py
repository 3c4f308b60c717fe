"""`garonne devices`: what publishes, what is read of it, what is not and why. Nothing leaves this machine."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final, Literal

from schemas.energy import IntervalEnergy, MeterReading
from schemas.envelope import AnyRecord
from schemas.status import DeviceStatus
from services.ingest.assembly import build_normaliser
from services.ingest.normalise import Normaliser, Outcome
from services.ingest.profiles import Message
from services.runtime.settings import Settings

__all__ = ["MOST_MESSAGES", "Line", "survey"]

MOST_MESSAGES: Final = 200_000
"""Messages that are looked at; more say nothing new."""
_EXAMPLES: Final = 3
_ADVICE: Final[Mapping[str, str]] = {
    "no_profile": "no profile takes it: set profiles.<name>.topics, or write a table (profiles.<name>.table_file)",
    "no-metering-topic": "no such topic is known; a name that a user chose needs profiles.<name>.mapping",
    "no-metering-field": "no field that is known; a name that a user chose needs profiles.<name>.mapping",
    "no-metering-section": "no section that is known; a name that a user chose needs profiles.<name>.mapping",
    "unit-not-known": "its unit and class were not seen yet; a mapping says them for good",
    "not-announced": "no announcement names this topic",
    "profile_fault": "a defect of Garonne: please report it with such a message",
}
State = Literal["read", "ignored", "refused"]


@dataclass
class Line:
    """A device, a rule or a refusal, with the topics that it was seen on."""

    state: State
    profile: str
    what: str
    advice: str = ""
    messages: int = 0
    topics: dict[str, None] = field(default_factory=dict)
    shows: dict[str, None] = field(default_factory=dict)
    last: datetime | None = None

    def saw(self, message: Message, shown: Iterable[str] = ()) -> None:
        """Count a message."""
        self.messages += 1
        self.topics[message.topic] = None
        self.shows.update(dict.fromkeys(shown))
        self.last = max(self.last or message.received_at, message.received_at)

    def as_dict(self) -> dict[str, Any]:
        """For `--json`."""
        return {
            "state": self.state,
            "profile": self.profile,
            "what": self.what,
            "shows": list(self.shows),
            "topics": list(self.topics),
            "messages": self.messages,
            "last": None if self.last is None else self.last.isoformat().replace("+00:00", "Z"),
            "advice": self.advice,
        }

    def as_text(self) -> str:
        """For the terminal."""
        examples = list(self.topics)[:_EXAMPLES]
        more = len(self.topics) - len(examples)
        topics = ", ".join(examples) + (f" and {more} more" if more else "")
        shown = f": {', '.join(self.shows)}" if self.shows else ""
        advice = f"\n{'':<10}{self.advice}" if self.advice else ""
        head = f"{self.state:<10}{self.profile:<26}{self.messages:>6}  "
        return f"{head}{self.what}{shown}\n{'':<10}on {topics}{advice}"


def survey(messages: Iterable[Message], settings: Settings) -> list[Line]:
    """What becomes of the messages: devices that are read first, then what is not, by rule and reason.

    Announcements count for all messages, whether they came before or after.

    Raises:
        KeyProblem, MappingProblem, RegistryProblem, TableProblem, ZoneProblem: a file of the configuration is wrong.
    """
    normaliser, _ = build_normaliser(settings, trial=True)
    seen = []
    for message in messages:
        seen.append(message)
        normaliser(message)
        if len(seen) == MOST_MESSAGES:
            break
    return _lines(seen, normaliser)


def _lines(seen: Iterable[Message], normaliser: Normaliser) -> list[Line]:
    lines: dict[tuple[str, ...], Line] = {}
    for message in seen:
        outcome = normaliser(message)
        for key, line, shown in _of(outcome):
            lines.setdefault(key, line).saw(message, shown)
    order: dict[State, int] = {"read": 0, "refused": 1, "ignored": 2}
    return sorted(lines.values(), key=lambda line: (order[line.state], line.profile, next(iter(line.topics))))


def _of(outcome: Outcome) -> Iterator[tuple[tuple[str, ...], Line, list[str]]]:
    profile = outcome.profile or "-"
    rejected = outcome.rejected
    if outcome.ignored is not None:
        rule = outcome.ignored.rule
        yield ("ignored", profile, rule), Line("ignored", profile, f"rule {rule}", _ADVICE.get(rule, "")), []
    elif rejected is not None:
        what = f"{rejected.reason}: {rejected.detail}"
        yield ("refused", profile, what), Line("refused", profile, what, _ADVICE.get(rejected.reason, "")), []
    else:
        for event in outcome.events:
            who, what = _device(event.record)
            yield ("read", profile, who), Line("read", profile, what), _shown(event.record)


def _device(record: AnyRecord) -> tuple[str, str]:
    """Who it is, and in words: pseudonyms of meters, or the kind of record for everything else."""
    if isinstance(record, MeterReading | IntervalEnergy):
        return record.meter, f"{record.carrier} meter {record.meter}"
    if isinstance(record, DeviceStatus):
        return record.device, f"device {record.device}"
    return record.kind, record.kind.replace("_", " ")


def _shown(record: AnyRecord) -> list[str]:
    if isinstance(record, MeterReading):
        registers = [f"{each.quantity} {each.name}" for each in record.registers]
        return registers + [f"{each.quantity} {each.name}" for each in record.gauges]
    if isinstance(record, IntervalEnergy):
        return [f"{record.quantity} {record.register_name} by interval"]
    return [record.availability] if isinstance(record, DeviceStatus) else []
