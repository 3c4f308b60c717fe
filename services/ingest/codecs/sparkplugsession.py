"""The session of a Sparkplug B edge node: births name the metrics, DATA refers to them, numbers count the messages.

Source: Sparkplug B 3.0, 6.4.7 (aliases), 6.4.16 (sequence numbers), 5.3 to 5.8 (births and deaths); meters.md 2.5.
"""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Final, NamedTuple

from services.ingest.codecs.sparkplug import Metric, Payload
from services.ingest.profiles import Unparseable

__all__ = ["BIRTH_SEQUENCE", "Named", "Session"]

BIRTH_SEQUENCE: Final = "bdSeq"
_MODULUS: Final = 256


class Definition(NamedTuple):
    """What a birth says of a metric."""

    name: str
    unit: str | None
    datatype: int | None


class Named(NamedTuple):
    """A metric with its name, its unit by the birth, its value and its milliseconds since 1970."""

    name: str
    unit: str | None
    value: float | None
    timestamp_ms: int | None


@dataclass(slots=True)
class Session:
    """What is known of a node since its birth. `gap`: messages were missed, so a birth may have been too."""

    birth_sequence: int | None = None
    sequence: int | None = None
    received_at: datetime | None = None
    gap: bool = False
    _by_alias: dict[str, dict[int, Definition]] = field(default_factory=dict)
    _by_name: dict[str, dict[str, Definition]] = field(default_factory=dict)

    @property
    def devices(self) -> tuple[str, ...]:
        """The devices that are born."""
        return tuple(device for device in self._by_name if device)

    @property
    def weight(self) -> int:
        """How many metrics are remembered."""
        return 1 + sum(map(len, self._by_name.values()))

    def count(self, payload: Payload, received_at: datetime) -> datetime | None:
        """Take the message's number; when messages are missing before it, when the last one was received.

        One that comes again, or late, is not a gap.
        """
        before, last = self.received_at, self.sequence
        if payload.sequence is None:
            return None
        ahead = (payload.sequence - (last + 1)) % _MODULUS if last is not None else 0
        if ahead >= _MODULUS // 2:
            return None
        self.sequence, self.received_at = payload.sequence, received_at
        if not ahead:
            return None
        self.gap = True
        return before

    def birth(self, device: str, payload: Payload) -> list[Named]:
        """Learn the metrics of a device (`""`: of the node itself)."""
        by_alias: dict[int, Definition] = {}
        twice: set[int] = set()
        by_name: dict[str, Definition] = {}
        for metric in payload.metrics:
            if metric.name is None:
                raise Unparseable("missing_field", "metrics.name: a birth must name its metrics")
            definition = Definition(metric.name, metric.unit, metric.datatype)
            by_name[metric.name] = definition
            if metric.alias is not None:
                twice |= {metric.alias} & by_alias.keys()
                by_alias[metric.alias] = definition
        for alias in twice:
            del by_alias[alias]
        self._by_alias[device], self._by_name[device] = by_alias, by_name
        if not device:
            self.birth_sequence = birth_sequence(payload)
        return self.resolve(device, payload)

    def death(self, device: str) -> None:
        """Forget what the birth of a device said."""
        self._by_alias.pop(device, None)
        self._by_name.pop(device, None)

    def resolve(self, device: str, payload: Payload) -> list[Named]:
        """The metrics with their names.

        Raises:
            Unparseable: a metric without a name, and no birth that says whose alias it is.
        """
        return [self._named(device, metric, payload) for metric in payload.metrics]

    def _named(self, device: str, metric: Metric, payload: Payload) -> Named:
        if metric.name is not None:
            known = self._by_name.get(device, {}).get(metric.name) or Definition(metric.name, metric.unit, None)
        elif metric.alias is not None and metric.alias in self._by_alias.get(device, {}):
            known = self._by_alias[device][metric.alias]
        else:
            raise Unparseable(
                "missing_field", "metrics.name: only an alias, and no birth was seen that names it; ask for a rebirth"
            )
        at_ms = metric.timestamp_ms if metric.timestamp_ms is not None else payload.timestamp_ms
        return Named(known.name, metric.unit or known.unit, metric.value(known.datatype), at_ms)


def birth_sequence(payload: Payload) -> int | None:
    """`bdSeq`, which ties a death to its birth."""
    values = (metric.value(None) for metric in payload.metrics if metric.name == BIRTH_SEQUENCE)
    return next((int(value) for value in values if value is not None), None)
