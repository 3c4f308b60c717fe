"""The normaliser that a configuration describes: profiles, contexts, keys, households, zones."""

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Final
from zoneinfo import ZoneInfo

from services.ingest.consent import Book, Consent
from services.ingest.consentfile import ConsentProblem, check_households, read_changes
from services.ingest.declarative import TableProblem, read_profile
from services.ingest.limits import Bounds, Limits
from services.ingest.mapping import MappingProblem, compile_mapping
from services.ingest.memory import Memory
from services.ingest.normalise import Normaliser
from services.ingest.plausibility import Stations
from services.ingest.profiles import Context, Profile, discover
from services.ingest.pseudonyms import KeyProblem, Keys, Pseudonyms, read_keys
from services.ingest.subjects import Subjects
from services.ingest.topics import TopicTree
from services.ingest.zones import ZoneProblem, nearby_of, site_of, zones_of
from services.runtime.junctionfile import read_junctions
from services.runtime.registry import Registry, RegistryProblem, read_registry
from services.runtime.settings import ProfileSettings, Settings

__all__ = ["PROBLEMS", "TRIAL_SECRET", "build_normaliser", "enabled_profiles", "keys_of", "read_book", "topics_of"]

_NAME: Final = re.compile(r"[a-z][a-z0-9_]{0,59}")
PROBLEMS: Final = (ConsentProblem, KeyProblem, MappingProblem, RegistryProblem, TableProblem, ZoneProblem)
"""What a file that the configuration names can have wrong; each text says which key, and what would be right."""
TRIAL_SECRET: Final = b"garonne trial key: no secret, for looking at a format on one's own machine"


def keys_of(settings: Settings, *, trial: bool = False) -> Keys:
    """The keys of the site.

    Args:
        settings: names the key file.
        trial: without a key file, use a public trial key: for output that stays on this machine only.

    Raises:
        KeyProblem: no key file is configured, or it cannot be used.
    """
    if settings.key_file is not None:
        return read_keys(settings.key_file)
    if trial:
        return Keys(TRIAL_SECRET)
    raise KeyProblem(
        "key_file is not set: without a key there are no pseudonyms, and identifiers must not leave the normaliser; "
        "make one with: (umask 077; head -c 32 /dev/urandom > garonne.key), then set key_file = 'garonne.key'"
    )


def enabled_profiles(settings: Settings) -> dict[str, Profile]:
    """The profiles that the site uses: the built-in ones, and those of its own tables.

    Raises:
        TableProblem: a table of the site is wrong.
    """
    known = {**discover(), **_tables(settings)}
    return {name: profile for name, profile in known.items() if settings.profiles.get(name, ProfileSettings()).enabled}


def _tables(settings: Settings) -> dict[str, Profile]:
    found = {}
    for name, site in settings.profiles.items():
        if site.table_file is None:
            continue
        if name in discover():
            raise TableProblem(f"profiles.{name}.table_file: a built-in profile has this name; choose another")
        if not _NAME.fullmatch(name):
            raise TableProblem(f"profiles.{name}: the name must be lower-case letters, figures and underscores")
        try:
            text = site.table_file.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            why = getattr(error, "strerror", None) or "not UTF-8"
            raise TableProblem(f"profiles.{name}.table_file: {site.table_file}: {why}") from error
        found[name] = read_profile(name, text, str(site.table_file))
    return found


def topics_of(settings: Settings) -> dict[str, tuple[str, ...]]:
    """Topic filters by profile: the family's own, or the site's."""
    return {
        name: settings.profiles.get(name, ProfileSettings()).topics or profile.topics
        for name, profile in enabled_profiles(settings).items()
    }


def build_normaliser(
    settings: Settings, *, trial: bool = False, before: Normaliser | None = None
) -> tuple[Normaliser, tuple[str, ...]]:
    """The normaliser and the topic filters to subscribe to.

    Args:
        settings: the configuration.
        trial: see `keys_of`.
        before: the one whose place it takes: what that one has learnt of devices and counted is known to this one too.

    Raises:
        ConsentProblem: see `read_book`.
        KeyProblem: see `keys_of`.
        MappingProblem: the mapping of a profile is wrong.
        RegistryProblem: the households file is wrong.
        TableProblem: a table of the site is wrong.
        ZoneProblem: the junctions file is wrong.
    """
    keys = keys_of(settings, trial=trial)
    registry = read_registry(settings.households_file)
    names = Pseudonyms(keys, registry.household_of, registry.meter_of)
    known = before.stations if before is not None else None
    stations = known if known is not None else Stations(settings.ingest.stations_remembered)
    profiles = enabled_profiles(settings)
    contexts = _contexts(settings, profiles, names, stations, before.memories if before is not None else {})
    topics = topics_of(settings)
    filters = tuple(dict.fromkeys(each for group in topics.values() for each in group))
    book = read_book(settings, keys, registry)
    consent = None if book is None else Consent(book, ZoneInfo(settings.timezone))
    normaliser = Normaliser(profiles, contexts, keys, topics, consent)
    normaliser.stations = stations
    normaliser.subjects = Subjects(registry.household_of, keys.pseudonym)
    bounds = Bounds(settings.ingest.device_messages_per_min, settings.ingest.new_meters_per_h)
    if before is not None and before.limits is not None:
        normaliser.limits = before.limits
        normaliser.limits.rebound(bounds)
    else:
        normaliser.limits = Limits(bounds)
    if before is not None and before.consent is not None and consent is not None:
        consent.instead_of(before.consent)
    return normaliser, filters


def _contexts(
    settings: Settings,
    profiles: Mapping[str, Profile],
    names: Pseudonyms,
    stations: Stations,
    memories: Mapping[str, Memory],
) -> dict[str, Context]:
    """What each profile knows; all share the junctions and the memory of stations."""
    file = None if settings.junctions_file is None else read_junctions(settings.junctions_file)
    zones, site, nearby = zones_of(file), site_of(file, settings.site_bounds), nearby_of(file)
    contexts = {}
    for name in profiles:
        own = settings.profiles.get(name, ProfileSettings())
        try:
            compile_mapping(own.mapping)
        except MappingProblem as problem:
            raise MappingProblem(f"profiles.{name}.{problem}") from None
        context = Context(
            names=names,
            zones=zones,
            timezone=ZoneInfo(own.timezone or settings.timezone),
            mapping=own.mapping,
            its_leap_seconds=own.its_leap_seconds,
            oldest=settings.oldest,
            newest=settings.newest,
            memory=memories[name] if name in memories else Memory(),
            intersections={} if file is None else file.intersections,
            stations=stations,
            site=site,
            nearby=nearby,
        )
        contexts[name] = _by_source(context, own, name)
    return contexts


def _by_source(context: Context, own: ProfileSettings, name: str) -> Context:
    """The context with those of sources that count leap seconds their own way."""
    if not own.its_leap_seconds_of:
        return context
    sources: TopicTree[Context] = TopicTree()
    for topic_filter, policy in own.its_leap_seconds_of.items():
        try:
            sources.add(topic_filter, replace(context, its_leap_seconds=policy))
        except ValueError as problem:
            raise MappingProblem(f"profiles.{name}.its_leap_seconds_of: {problem}") from None
    return replace(context, sources=sources)


def read_book(settings: Settings, keys: Keys, registry: Registry) -> Book | None:
    """What households agreed to; `None` if the site keeps no consent file.

    Raises:
        ConsentProblem: the file is wrong, or names a household that nobody has.
    """
    if settings.consent_file is None:
        return None
    changes = read_changes(settings.consent_file)
    check_households(settings.consent_file, changes, frozenset(each.id for each in registry.households))
    return Book(changes, keys.pseudonym, registry.household_of)
