"""A changed configuration while messages flow: read anew at SIGHUP, without losing the session.

What says how messages are read changes at once, for the next message: registry, consents, junctions, profiles with
their tables, topics and mappings, time zone, limits. What was learnt of devices and counted stays. The filters that are
new are subscribed to and those that are gone are not any more, on the connection that there is.

A configuration that is wrong changes nothing: what held before holds, and health, a metric and the log say so. They
name the file and no line of it, which may name a household: `garonne check` shows that to who may see it.
"""

import asyncio
from collections.abc import Callable
from typing import Final, NamedTuple

from services.ingest.adapters.mqtt import MqttSource
from services.ingest.assembly import PROBLEMS, build_normaliser, keys_of
from services.ingest.normalise import Normaliser, Outcome
from services.ingest.profiles import Message
from services.ingest.telemetry import IngestTelemetry
from services.runtime.settings import ConfigurationProblem, Settings

__all__ = ["Reread", "Standing", "follow_configuration"]

_AT_ONCE: Final = frozenset(("device_messages_per_min", "new_meters_per_h"))
_AT_A_START: Final[tuple[str, ...]] = ("storage", "mqtt", "kafka", "influxdb", "embedded", "ingest", "aggregator")
"""Connections, ports and sizes are of the process."""


class _KeyChanged(Exception):
    """Pseudonyms would change in the middle of a run."""


class Reread(NamedTuple):
    """How somebody asks for the configuration to be read anew, and how that is done."""

    asked: asyncio.Event
    read: Callable[[], Settings]


class Standing:
    """What ingest works by now; called as the normaliser that holds."""

    def __init__(self, settings: Settings, normaliser: Normaliser) -> None:
        self.started = settings
        self.settings = settings
        self.normaliser = normaliser

    def __call__(self, message: Message) -> Outcome:
        """Normalise by what holds for this message."""
        return self.normaliser(message)


async def follow_configuration(
    standing: Standing, source: MqttSource, telemetry: IngestTelemetry, reread: Reread | None
) -> None:
    """Each time that somebody asks: read, check, then change all at once or nothing."""
    while reread is not None:
        await reread.asked.wait()
        reread.asked.clear()
        try:
            settings, normaliser, filters = await asyncio.to_thread(_prepare, standing.normaliser, reread.read)
        except (_KeyChanged, ConfigurationProblem, *PROBLEMS, ValueError, OSError) as problem:
            telemetry.configuration_faulty(_what(problem))
            continue
        standing.settings, standing.normaliser = settings, normaliser
        await source.turn_to((*filters, *sorted(normaliser.announced_topics())), normaliser.announcements)
        telemetry.expect(filters)
        telemetry.configuration_read(_at_next_start(standing.started, settings))


def _prepare(before: Normaliser, read: Callable[[], Settings]) -> tuple[Settings, Normaliser, tuple[str, ...]]:
    settings = read()
    if keys_of(settings).pseudonym("device", "same") != before.device("same"):
        raise _KeyChanged
    return settings, *build_normaliser(settings, before=before)


def _what(problem: Exception) -> str:
    """The file that is wrong, without a word of what stands in it."""
    if isinstance(problem, _KeyChanged):
        return "key_file holds another key: a new key needs a new start"
    return {
        "ConsentProblem": "consent_file is wrong",
        "KeyProblem": "key_file cannot be used",
        "RegistryProblem": "households_file is wrong",
        "ZoneProblem": "junctions_file is wrong",
        "TableProblem": "the table_file of a profile is wrong",
        "MappingProblem": "the mapping of a profile is wrong",
    }.get(type(problem).__name__, "the configuration file is wrong")


def _at_next_start(started: Settings, now: Settings) -> list[str]:
    """Keys that changed and wait for the next start."""
    found: list[str] = []
    for name in _AT_A_START:
        old, new = getattr(started, name), getattr(now, name)
        if name == "storage":
            found += [name] if old != new else []
            continue
        live = _AT_ONCE if name == "ingest" else frozenset()
        keys = [key for key in type(new).model_fields if key not in live and getattr(old, key) != getattr(new, key)]
        found += [f"{name}.{key}" for key in keys]
    return found
