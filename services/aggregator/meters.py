"""One meter in memory: its registers, when it spoke at all, and the checkpoints to load it from again. Pure.

A checkpoint is what the readings before a cut of days say of every register: with it and the raw readings from there
on, a process that starts anew need not read years. There is one for every day with readings, and it is a function of
the readings before the day alone. What a late reading makes wrong is made void before the reading is stored, and
written anew after: so a checkpoint that is not void never misses a stored reading, wherever a process ends.
"""

import json
from bisect import bisect_left, bisect_right, insort
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

from services.aggregator.history import Changed, RegisterHistory, Start
from services.aggregator.registers import Chain, Reading, Segment, State, limits_for
from services.aggregator.voice import TooOld, Voice
from services.aggregator.windows import WINDOWS, WindowName, cut_before, day_cut

__all__ = ["Checkpoint", "Merged", "Meter", "RegisterKey", "checkpoint_before", "windows_of"]

RegisterKey = tuple[str, str, str]
"""Quantity, name, unit."""

VOID = ""


class Checkpoint(NamedTuple):
    """What is known before a cut of days, as text; void texts are empty."""

    cut_ms: int
    text: str


class Merged(NamedTuple):
    """What a batch changes: windows, and checkpoints that are void before its readings are stored and right after."""

    changed: list[tuple[RegisterKey, Changed]]
    void: list[Checkpoint]
    right: list[Checkpoint]


def windows_of(carrier: str) -> tuple[WindowName, ...]:
    """The windows that a carrier has; gas is counted by its own day too."""
    return (*WINDOWS, "gas_day") if carrier == "gas" else WINDOWS


def checkpoint_before(
    checkpoints: Sequence[Checkpoint], from_ms: int, carrier: str, zone: ZoneInfo
) -> Checkpoint | None:
    """The latest that is not void and early enough to compute everything from an instant on."""
    latest_ms = cut_before(from_ms, windows_of(carrier), zone)
    fitting = [each for each in checkpoints if each.text != VOID and each.cut_ms <= latest_ms]
    return max(fitting, default=None)


class Meter:
    """Registers of one meter; made anew from a checkpoint, or from nothing."""

    def __init__(self, carrier: str, zone: ZoneInfo, checkpoint: Checkpoint | None = None) -> None:
        self._carrier = carrier
        self._zone = zone
        self._windows = windows_of(carrier)
        self._registers: dict[RegisterKey, RegisterHistory] = {}
        self._voice = Voice()
        self._cuts_ms: list[int] = []
        self._stored_ms: set[int] = set()
        self._stretch = (0, 0)
        if checkpoint is not None:
            content = json.loads(checkpoint.text)
            self._voice = Voice(content["voice"], checkpoint.cut_ms)
            for quantity, name, unit, before_ms, state in content["registers"]:
                start = Start(checkpoint.cut_ms, _state(state), before_ms)
                self._add((quantity, name, unit), start)
            self._cuts_ms = [checkpoint.cut_ms]
            self._stored_ms = {checkpoint.cut_ms}

    @property
    def registers(self) -> Mapping[RegisterKey, RegisterHistory]:
        """The registers that were seen."""
        return self._registers

    def load(self, stored: Mapping[RegisterKey, Sequence[Reading]]) -> None:
        """Add the raw readings from the checkpoint on: once, before anything is merged."""
        self._hear(stored)
        for key, readings in stored.items():
            self._register(key).load(readings)

    def merge(self, said: Mapping[RegisterKey, Sequence[Reading]]) -> Merged:
        """Add readings.

        Raises:
            TooOld: load this meter again, from an earlier checkpoint.
        """
        if not any(said.values()):
            return Merged([], [], [])
        from_ms = min(reading.at_ms for readings in said.values() for reading in readings)
        heard_ms = self._hear(said)
        for key in said:
            self._register(key)
        versions = sum(register.version for register in self._registers.values())
        changed = [
            (key, each)
            for key, register in self._registers.items()
            for each in register.merge(said.get(key, ()), heard_ms)
        ]
        news = bool(heard_ms) or versions != sum(register.version for register in self._registers.values())
        late = self._cuts_ms[bisect_right(self._cuts_ms, from_ms) :] if news else []
        if late and any((register.cut_ms or late[0]) > late[0] for register in self._registers.values()):
            raise TooOld(from_ms)  # What a checkpoint would say of that register is forgotten.
        void = [Checkpoint(cut_ms, VOID) for cut_ms in late if cut_ms in self._stored_ms]
        missing = [cut_ms for cut_ms in self._cuts_ms[1:] if cut_ms not in self._stored_ms]
        right = [self._checkpoint(cut_ms) for cut_ms in sorted({*late, *missing} - set(self._cuts_ms[:1]))]
        self._stored_ms.update(each.cut_ms for each in right)
        self._trim()
        return Merged(changed, void, right)

    def _add(self, key: RegisterKey, start: Start | None = None) -> RegisterHistory:
        limits = limits_for(self._carrier, key[2])
        register = RegisterHistory(limits, self._zone, self._windows, self._voice, start)
        self._registers[key] = register
        return register

    def _register(self, key: RegisterKey) -> RegisterHistory:
        known = self._registers.get(key)
        return self._add(key) if known is None else known

    def _hear(self, said: Mapping[RegisterKey, Sequence[Reading]]) -> list[int]:
        instants = {reading.at_ms for readings in said.values() for reading in readings}
        for at_ms in instants:
            if not self._stretch[0] <= at_ms < self._stretch[1]:
                self._stretch = day_cut(at_ms, self._windows, self._zone)
                index = bisect_left(self._cuts_ms, self._stretch[0])
                if self._cuts_ms[index : index + 1] != [self._stretch[0]]:
                    insort(self._cuts_ms, self._stretch[0])
        return self._voice.hear(instants)

    def _checkpoint(self, cut_ms: int) -> Checkpoint:
        registers = []
        for key, register in sorted(self._registers.items()):
            start = register.before(cut_ms)
            if start.before_ms is not None:
                registers.append([*key, start.before_ms, start.state])
        content = {"registers": registers, "voice": self._voice.tail(cut_ms)}
        return Checkpoint(cut_ms, json.dumps(content, separators=(",", ":")))

    def _trim(self) -> None:
        for register in self._registers.values():
            register.trim()
        needed = [register.needs_voice_from_ms for register in self._registers.values()]
        if None not in needed:
            self._voice.forget(min(each for each in needed if each is not None))


def _state(plain: Any) -> State:
    """A state out of its JSON."""
    accepted, scale, chain, cadences_ms, grain = plain
    if chain is not None:
        first, last, samples, chain_scale, leap, chain_cadences_ms, segments = chain
        chain = Chain(
            Reading(*first),
            Reading(*last),
            samples,
            chain_scale,
            leap,
            tuple(chain_cadences_ms),
            tuple(Segment(*segment) for segment in segments),
        )
    return State(None if accepted is None else Reading(*accepted), scale, chain, tuple(cadences_ms), grain)
