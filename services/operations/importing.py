"""History files into the event log: the way of live messages, from normalisation to the acknowledged produce.

Each row is a message; its events go into the log in batches, together with the ledger's account of them, and a batch
counts when the log has it. What is stored of a row depends on what the row says alone: a second import of the same
file writes the same events, which changes nothing. A row that cannot be read is rejected by itself, with its bytes.
"""

import time
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final
from zoneinfo import ZoneInfo

from services.ingest.historyfiles import FileProblem, HistoryFile, Row
from services.ingest.ledger import Ledger
from services.ingest.normalise import Normaliser, Outcome
from services.ingest.pipeline import outgoing
from services.ingest.ports import Delivery, Outgoing, Sink, Unavailable
from services.runtime.lifecycle import Backoff
from services.runtime.registry import Registry

__all__ = ["Import", "Refused", "Summary", "device_for"]

_PATIENCE_S: Final = 120.0
"""How long the log may be away; then the user is told how far the import came."""


@dataclass(frozen=True, slots=True)
class Refused:
    """A row that was rejected: its line in the file, and why."""

    line: int
    reason: str


@dataclass(slots=True)
class Summary:
    """What became of the rows so far: read = normalised + rejected + ignored."""

    read: int = 0
    normalised: int = 0
    records: int = 0
    rejected: int = 0
    ignored: Counter[str] = field(default_factory=Counter)
    refusals: list[Refused] = field(default_factory=list)

    def count(self, row: Row, outcome: Outcome) -> None:
        """Add a row."""
        self.read += 1
        if outcome.ignored is not None:
            self.ignored[outcome.ignored.rule] += 1
        elif (refusal := outcome.rejected) is not None:
            self.rejected += 1
            self.refusals.append(Refused(row.line, f"{refusal.reason}: {refusal.detail}"))
        else:
            self.normalised += 1
            self.records += len(outcome.events)


def device_for(
    file: HistoryFile, registry: Registry, device: str | None = None, household: str | None = None
) -> str | None:
    """Whose rows a file has, as the registry writes it; `None`: of the meters that the rows name.

    Raises:
        FileProblem: it cannot be told, or the registry does not know it; the text says what to write where.
    """
    if file.form == "temperature":
        if device or household:
            raise FileProblem("temperatures belong to a station, not to a home: leave --device and --household out")
        return None
    if household is not None:
        device = _device_of(household, registry, device)
    named = file.identifiers()
    if device is None:
        _check_named(file, named, registry)
        return None
    if ":" not in device:
        raise FileProblem(f"--device {device}: write it as the registry does, <profile>:<identifier>")
    if len(named) > 1:
        raise FileProblem(f"the file speaks of {len(named)} meters: leave --device out, or cut the file")
    if registry.households and device not in registry.household_of:
        raise FileProblem(f"--device {device}: no household of the registry has it")
    return device


def _device_of(household: str, registry: Registry, device: str | None) -> str:
    home = next((each for each in registry.households if each.id == household), None)
    if home is None:
        raise FileProblem(f"--household {household}: the registry (households_file) has no such household")
    if device is None and len(home.devices) == 1:
        return home.devices[0]
    if device is None:
        raise FileProblem(
            f"household {household} has several devices: say which with --device: {', '.join(home.devices)}"
        )
    if registry.household_of.get(device) != household:
        raise FileProblem(f"--device {device}: is none of household {household}")
    return device


def _check_named(file: HistoryFile, named: Sequence[str], registry: Registry) -> None:
    if not named:
        raise FileProblem(
            "the file does not say whose meter it is: add --device <profile>:<identifier>, or --household"
        )
    family = {"grdf": "gazpar"}.get(file.form, file.profile)
    listed = registry.household_of
    missing = [each for each in named if (each if ":" in each else f"{family}:{each}") not in listed]
    if registry.households and missing:
        more = f" (and {len(missing) - 1} others)" if len(missing) > 1 else ""
        raise FileProblem(
            f"no household of the registry has this meter{more}: either say whose history it is with --device or "
            f"--household, or write into its household: "
            f'same_meter = {{ "{family}:<number in the file>" = "<its device>" }}'
        )


class Import:
    """Takes the rows of a file to the event log."""

    def __init__(self, normaliser: Normaliser, batch: int, *, sink: Sink | None = None, dry: bool = False) -> None:
        """Set up; `dry` writes nothing, and the summary says what would become of the rows."""
        self._normaliser = normaliser
        self._batch = batch
        self.sink = sink
        self.dry = dry
        self._ledger = Ledger(normaliser.device("import"))
        self.summary = Summary()

    async def run(
        self, file: HistoryFile, device: str | None, received_at: datetime, zone: ZoneInfo, *, stamps: str = "end"
    ) -> AsyncIterator[Sequence[Row]]:
        """The rows, in batches; what was yielded is in the log.

        Raises:
            Unavailable: the log does not answer. What was yielded stands; the same import again does the rest.
        """
        rows: list[Row] = []
        for row in file.rows(device, received_at, zone, stamps=stamps):
            rows.append(row)
            if len(rows) == self._batch:
                await self._store(rows)
                yield rows
                rows = []
        if rows:
            await self._store(rows)
            yield rows

    async def _store(self, rows: Sequence[Row]) -> None:
        outcomes = [self._normaliser(row.message) for row in rows]
        if not self.dry and self.sink is not None:
            batch = [outgoing(event) for outcome in outcomes for event in outcome.events]
            deliveries = [Delivery(row.message, 0, number, None) for number, row in enumerate(rows)]
            batch += self._ledger.entries(deliveries, outcomes)
            await self._send(self.sink, batch)
            self._ledger.stored(batch)
        for row, outcome in zip(rows, outcomes, strict=True):
            self.summary.count(row, outcome)

    async def _send(self, sink: Sink, batch: Sequence[Outgoing]) -> None:
        backoff, until_s = Backoff(most_s=5.0), time.monotonic() + _PATIENCE_S
        while True:
            try:
                await sink.send(batch)
            except Unavailable:
                if time.monotonic() > until_s:
                    raise
                await backoff.wait()
            else:
                return
