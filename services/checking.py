"""`garonne check`: everything that can be known to be wrong without opening a connection."""

from collections.abc import Iterator

from services.aggregator.kpis.facts import FactsProblem, parse_facts
from services.aggregator.kpis.plan import PlanProblem
from services.aggregator.service_plan import read_plan
from services.ingest.assembly import build_normaliser, keys_of, topics_of
from services.ingest.consentfile import ConsentProblem
from services.ingest.declarative import TableProblem
from services.ingest.mapping import MappingProblem
from services.ingest.profiles import discover
from services.ingest.pseudonyms import KeyProblem
from services.ingest.topics import TopicTree
from services.ingest.zones import ZoneProblem
from services.runtime.junctionfile import JunctionProblem
from services.runtime.registry import RegistryProblem
from services.runtime.settings import Settings

__all__ = ["check_configuration"]


def check_configuration(settings: Settings) -> Iterator[str]:
    """Each problem as `key: what is wrong`; nothing if all is right."""
    yield from _files(settings)
    yield from _facts(settings)
    yield from _service_periods(settings)
    try:
        yield from _profiles(settings)
    except TableProblem as problem:
        yield from str(problem).splitlines()
        return
    try:
        keys_of(settings)
    except KeyProblem as problem:
        yield f"key_file: {problem}"
    try:
        build_normaliser(settings, trial=settings.key_file is None)
    except RegistryProblem as problem:
        yield f"households_file: {problem}"
    except ConsentProblem as problem:
        yield f"consent_file: {problem}"
    except ZoneProblem as problem:
        yield f"junctions_file: {problem}"
    except KeyProblem:
        pass
    except MappingProblem as problem:
        yield str(problem)
    except ValueError as problem:
        yield f"profiles: {problem}"


def _files(settings: Settings) -> Iterator[str]:
    named = {
        "mqtt.ca_file": settings.mqtt.ca_file,
        "mqtt.password_file": settings.mqtt.password_file,
        "mqtt.certificate_file": settings.mqtt.certificate_file,
        "mqtt.private_key_file": settings.mqtt.private_key_file,
        "kafka.ca_file": settings.kafka.ca_file,
        "kafka.password_file": settings.kafka.password_file,
        "influxdb.ca_file": settings.influxdb.ca_file,
        "influxdb.token_file": settings.influxdb.token_file,
        "ingest.intake_token_file": settings.ingest.intake_token_file,
    }
    for name, served in (("ingest", settings.ingest), ("aggregator", settings.aggregator)):
        for key in ("metrics_certificate_file", "metrics_private_key_file", "metrics_token_file"):
            named[f"{name}.{key}"] = getattr(served, key)
    for key, path in named.items():
        if path is not None and not path.is_file():
            yield f"{key}: there is no file {path}"
    if settings.storage == "servers" and settings.influxdb.token_file is None:
        yield "influxdb.token_file: is not set; put a token that may write the three buckets into a file"


def _facts(settings: Settings) -> Iterator[str]:
    if settings.facts_file is None:
        return
    try:
        parse_facts(settings.facts_file.read_text("utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        yield f"facts_file: {settings.facts_file} cannot be read: {getattr(error, 'strerror', None) or 'not UTF-8'}"
    except FactsProblem as problem:
        yield from (f"facts_file: {line}" for line in str(problem).splitlines())


def _service_periods(settings: Settings) -> Iterator[str]:
    try:
        read_plan(settings.service_periods_file, settings.junctions_file)
    except PlanProblem as problem:
        yield from (f"service_periods_file: {line}" for line in str(problem).splitlines())
    except JunctionProblem:
        pass  # Told of the junctions file itself.


def _profiles(settings: Settings) -> Iterator[str]:
    known = discover()
    for name, site in settings.profiles.items():
        if name not in known and site.table_file is None:
            yield f"profiles.{name}: there is no such profile, and no table_file; known are {', '.join(known)}"
    for name, filters in topics_of(settings).items():
        for each in filters:
            try:
                TopicTree[str]().add(each, name)
            except ValueError as problem:
                yield f"profiles.{name}.topics: {problem}"
