"""`garonne status`: flow, lag, refusals and the oldest unacknowledged message, from what the services themselves serve.

Two looks at `/metrics` give rates; `/readyz` says what is wrong in words. Nothing else is asked: no broker, no log.
"""

import json
import ssl
import time
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from http import HTTPStatus
from typing import Any, Final
from urllib.error import HTTPError, URLError
from urllib.request import Request, urlopen

from prometheus_client.parser import text_string_to_metric_families

from services.runtime.settings import ServedSettings, Settings

__all__ = ["OPEN", "Access", "Flow", "Look", "Status", "access_of", "addresses", "look_at", "status_between", "watch"]

_TIMEOUT_S: Final = 3.0
_MOST_BYTES: Final = 16 * 1024 * 1024
_ANYWHERE: Final = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}  # noqa: S104 - where it listens, asked from here

Labels = tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Access:
    """What a service wants to see: the token of its /metrics; and the one certificate that it may have."""

    token: str = ""
    trusted: ssl.SSLContext | None = None


OPEN: Final = Access()


def access_of(settings: ServedSettings) -> Access:
    """As the configuration of the service itself says it.

    Raises:
        OSError: a file cannot be read.
    """
    trusted = None
    if settings.metrics_certificate_file is not None:
        trusted = ssl.create_default_context(cafile=settings.metrics_certificate_file)
        trusted.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN  # this certificate and no other, whoever signed it
    file = settings.metrics_token_file
    return Access("" if file is None else file.read_text("utf-8").strip(), trusted)


@dataclass(frozen=True)
class Look:
    """What a service served at one instant.

    Attributes:
        at_s: monotonic time, seconds.
        values: metrics by name and labels.
        problems: checks that are not good, or why nobody answers.
    """

    at_s: float
    values: Mapping[str, Mapping[Labels, float]] = field(default_factory=dict)
    problems: Mapping[str, str] = field(default_factory=dict)

    def total(self, name: str) -> float:
        """The sum over all labels."""
        return sum(self.values.get(name, {}).values())

    def by(self, name: str, *labels: str) -> dict[str, float]:
        """Sums by these labels, joined by a space."""
        sums: dict[str, float] = defaultdict(float)
        for its, value in self.values.get(name, {}).items():
            known = dict(its)
            sums[" ".join(known.get(each, "") for each in labels)] += value
        return dict(sums)


@dataclass(frozen=True)
class Flow:
    """A counter: so many since the service began, so many a second now; `None` where the service began anew."""

    total: int
    per_s: float | None


@dataclass(frozen=True)
class Status:
    """What an operator sees.

    Attributes:
        problems: of both services, by check.
        received: messages by profile.
        topics: messages by the first level of their topic and by what became of them.
        events: by kind, as ingest made them.
        rejected: by profile, stage and reason.
        ignored: by profile and rule.
        acknowledged: messages.
        in_flight: messages taken and not acknowledged.
        oldest_unacknowledged_s: age of the oldest of them.
        aggregated: events by kind, as the aggregator read them.
        lag: records that wait, by topic.
        refused: points, by reason.
        too_late: vehicle messages that no minute takes any more.
        stuck_s: since the aggregator asked for the batch in hand.
    """

    problems: Mapping[str, str]
    received: Mapping[str, Flow]
    topics: Mapping[str, Flow]
    events: Mapping[str, Flow]
    rejected: Mapping[str, Flow]
    ignored: Mapping[str, Flow]
    acknowledged: Flow
    in_flight: int
    oldest_unacknowledged_s: float
    aggregated: Mapping[str, Flow]
    lag: Mapping[str, int]
    refused: Mapping[str, Flow]
    too_late: Flow
    stuck_s: float

    def as_dict(self) -> dict[str, Any]:
        """For machines."""
        return asdict(self)


def addresses(settings: Settings) -> tuple[str, str]:
    """Where ingest and the aggregator of this configuration serve."""

    def url(served: ServedSettings, host: str, port: int) -> str:
        scheme = "http" if served.metrics_certificate_file is None else "https"
        return f"{scheme}://{_ANYWHERE.get(host, host)}:{port}"

    ingest, aggregator = settings.ingest, settings.aggregator
    first = url(ingest, ingest.metrics_host, ingest.metrics_port)
    return first, url(aggregator, aggregator.metrics_host, aggregator.metrics_port)


def look_at(service: str, url: str, access: Access = OPEN) -> Look:
    """Ask a service; one that does not answer is a look with a problem."""
    try:
        _, ready = _get(f"{url}/readyz", access)
        _, text = _get(f"{url}/metrics", access)
        checks = json.loads(ready)
    except (URLError, OSError, ValueError, LookupError) as error:
        reason = getattr(error, "reason", error)
        return Look(time.monotonic(), {}, {service: f"nobody answers at {url}: {reason}"})
    values: dict[str, dict[Labels, float]] = defaultdict(dict)
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            values[sample.name][tuple(sorted(sample.labels.items()))] = sample.value
    problems = {f"{service}: {name}": checks["checks"][name] for name in checks["failing"]}
    return Look(time.monotonic(), values, problems)


def _get(url: str, access: Access) -> tuple[int, str]:
    """Status and body; a body that says 503 is an answer too."""
    if not url.startswith(("http://", "https://")):
        raise ValueError("the address must begin with http:// or https://")
    try:
        headers = {"Authorization": f"Bearer {access.token}"} if access.token else {}
        request = Request(url, headers=headers)  # noqa: S310 - checked above
        with urlopen(request, timeout=_TIMEOUT_S, context=access.trusted) as answer:  # noqa: S310
            return answer.status, answer.read(_MOST_BYTES).decode()
    except HTTPError as error:
        with error:
            if error.code == HTTPStatus.UNAUTHORIZED:
                raise PermissionError("it wants the token of metrics_token_file") from None
            return error.code, error.read(_MOST_BYTES).decode()


def status_between(before: tuple[Look, Look], now: tuple[Look, Look]) -> Status:
    """What two looks at ingest and the aggregator say."""
    ingest, aggregator = (_Pair(*each) for each in zip(before, now, strict=True))
    lag = aggregator.now.by("garonne_aggregator_lag", "topic")
    return Status(
        problems={**ingest.now.problems, **aggregator.now.problems},
        received=ingest.flows("garonne_ingest_messages_received_total", "profile"),
        topics=ingest.flows("garonne_ingest_topic_messages_total", "topic", "result"),
        events=ingest.flows("garonne_ingest_events_total", "kind"),
        rejected=ingest.flows("garonne_ingest_rejected_total", "profile", "stage", "reason"),
        ignored=ingest.flows("garonne_ingest_ignored_total", "profile", "rule"),
        acknowledged=ingest.flow("garonne_ingest_acknowledged_total"),
        in_flight=round(ingest.now.total("garonne_ingest_in_flight")),
        oldest_unacknowledged_s=ingest.now.total("garonne_ingest_oldest_unacknowledged_seconds"),
        aggregated=aggregator.flows("garonne_aggregator_events_total", "kind"),
        lag={topic: round(number) for topic, number in sorted(lag.items())},
        refused=aggregator.flows("garonne_aggregator_refused_total", "reason"),
        too_late=aggregator.flow("garonne_aggregator_too_late_total"),
        stuck_s=aggregator.now.total("garonne_aggregator_stuck_seconds"),
    )


def watch(
    urls: tuple[str, str], interval_s: float, *, once: bool, access: tuple[Access, Access] = (OPEN, OPEN)
) -> Iterator[Status]:
    """The status of each interval, for ever or once.

    Args:
        urls: of ingest and of the aggregator.
        interval_s: seconds between two looks.
        once: end after the first interval.
        access: what each of them wants to see.
    """
    before = look_at("ingest", urls[0], access[0]), look_at("aggregator", urls[1], access[1])
    while True:
        time.sleep(interval_s)
        now = look_at("ingest", urls[0], access[0]), look_at("aggregator", urls[1], access[1])
        yield status_between(before, now)
        if once:
            return
        before = now


@dataclass(frozen=True)
class _Pair:
    before: Look
    now: Look

    def flows(self, name: str, *labels: str) -> dict[str, Flow]:
        before = self.before.by(name, *labels)
        known = sorted(self.now.by(name, *labels).items())
        return {key: self._flow(before.get(key, 0.0), total) for key, total in known}

    def flow(self, name: str) -> Flow:
        return self._flow(self.before.total(name), self.now.total(name))

    def _flow(self, before: float, now: float) -> Flow:
        passed_s = self.now.at_s - self.before.at_s
        if not self.before.values or now < before or passed_s <= 0:
            return Flow(round(now), None)
        return Flow(round(now), (now - before) / passed_s)
