"""A junction with known truth: cars on one lane under a fixed signal, and the records that they would have given.

The cars follow a simple law of our own (accelerate at 1.5 m/s2, brake at 2 m/s2 or as the gap needs), stepped ten
times a second. What is heard of them is a part of it, with jitter in place and time.
"""

import math
import random
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from schemas.mobility import (
    Connection,
    IntersectionGeometry,
    Lane,
    Position,
    SignalColour,
    SignalGroupState,
    SignalState,
    VehicleState,
)

__all__ = ["START", "ZONE", "Car", "drive", "geometry", "heard", "signals"]

START = datetime(2026, 5, 11, 7, 0, tzinfo=UTC)
ZONE = "33:4101"
LIMIT_MPS = 50 / 3.6
CYCLE_S = 60.0
GREEN_S = 25.0
AMBER_S = 3.0
LATITUDE_DEG = 44.84
LONGITUDE_DEG = -0.58
NORTH_M = 111_118.4  # metres in a degree of latitude at 44.84, WGS 84
STEP_S = 0.1


@dataclass
class Car:
    """A car and what really happened to it; `obeys` is whether it stops in red."""

    number: int
    enters_s: float
    obeys: bool = True
    before_m: float = 330.0
    speed_mps: float = LIMIT_MPS
    trace: list[tuple[float, float, float]] = field(default_factory=list)
    """Seconds, metres before the line, m/s."""

    @property
    def crossed_s(self) -> float:
        """When it passed the line."""
        return self._at(0.0)

    @property
    def delay_s(self) -> float:
        """Against free flow from 300 m before the line."""
        return max(0.0, self.crossed_s - self._at(300.0) - 300.0 / LIMIT_MPS)

    def _at(self, wanted_m: float) -> float:
        before = max((each for each in self.trace if each[1] > wanted_m), key=lambda each: each[0])
        after = min((each for each in self.trace if each[1] <= wanted_m), key=lambda each: each[0])
        return before[0] + (after[0] - before[0]) * (before[1] - wanted_m) / (before[1] - after[1])

    @property
    def stands_s(self) -> float:
        """Seconds below 0.5 m/s before the line."""
        return sum(STEP_S for _, before_m, speed in self.trace if speed < 0.5 and before_m > 0)


def state_at(at_s: float) -> tuple[int, float]:
    """Event state of the group, and when it ends: green from 0 on in each cycle, then amber, then red."""
    began_s = at_s - at_s % CYCLE_S
    if at_s - began_s < GREEN_S:
        return 6, began_s + GREEN_S
    if at_s - began_s < GREEN_S + AMBER_S:
        return 8, began_s + GREEN_S + AMBER_S
    return 3, began_s + CYCLE_S


def drive(cars: Sequence[Car], lasts_s: float) -> None:
    """Let the cars go, first one first; each keeps two metres and a second and a half to the one ahead."""
    for step in range(round(lasts_s / STEP_S)):
        at_s = step * STEP_S
        ahead: Car | None = None
        for car in cars:
            if at_s < car.enters_s or car.before_m < -60:
                continue
            car.trace.append((at_s, car.before_m, car.speed_mps))
            speed_mps = _next_speed(car, ahead, at_s)
            car.before_m -= (car.speed_mps + speed_mps) / 2 * STEP_S
            car.speed_mps = speed_mps
            ahead = car


def _next_speed(car: Car, ahead: Car | None, at_s: float) -> float:
    wanted = min(LIMIT_MPS, car.speed_mps + 1.5 * STEP_S)
    if ahead is not None:
        gap_m = car.before_m - ahead.before_m - 4.2 - 2.0
        wanted = min(wanted, math.sqrt(max(0.0, 4.0 * gap_m + ahead.speed_mps**2)))
    state, _ = state_at(at_s)
    can_stop = car.speed_mps**2 / 4.0 < car.before_m
    if car.obeys and state in {3, 8} and car.before_m > 0 and can_stop:
        wanted = min(wanted, math.sqrt(4.0 * max(0.0, car.before_m - 1.5)))
    return max(0.0, wanted, car.speed_mps - 4.0 * STEP_S)


def heard(
    cars: Sequence[Car], chance: random.Random, every: int = 5, loss: float = 0.1, jitter_m: float = 0.5
) -> list[VehicleState]:
    """Every n-th step of each car, a part of it lost, its place off by some decimetres (one sigma)."""
    records = []
    for car in cars:
        for at_s, before_m, speed_mps in car.trace[car.number % every :: every]:
            if chance.random() < loss:
                continue
            north_m = -12.0 - before_m + chance.gauss(0, jitter_m)
            east_m = 1.8 + chance.gauss(0, jitter_m)
            at = START + timedelta(milliseconds=round(at_s * 1000))
            place = Position(
                latitude_deg=LATITUDE_DEG + north_m / NORTH_M,
                longitude_deg=LONGITUDE_DEG + east_m / (NORTH_M * math.cos(math.radians(LATITUDE_DEG))),
            )
            records.append(
                VehicleState(
                    observed_at=at,
                    received_at=at + timedelta(milliseconds=chance.randint(20, 900)),
                    clock="its",
                    zone=ZONE,
                    vehicle=f"v_{car.number:016x}",
                    station_type=5,
                    position=place,
                    speed_mps=max(0.0, speed_mps + chance.gauss(0, 0.1)) if speed_mps else 0.0,
                    heading_deg=0.0,
                )
            )
    return records


def geometry(at: datetime = START, revision: int = 3) -> IntersectionGeometry:
    """Lane 1 comes from the south under group 1, lane 2 beside it under group 2."""
    east_deg = 1 / (NORTH_M * math.cos(math.radians(LATITUDE_DEG)))

    def place(east_m: float, north_m: float) -> Position:
        return Position(latitude_deg=LATITUDE_DEG + north_m / NORTH_M, longitude_deg=LONGITUDE_DEG + east_m * east_deg)

    lanes = tuple(
        Lane(
            lane_id=number,
            ingress_approach=number,
            nodes=(place(east_m, -12), place(east_m, -162), place(east_m, -312)),
            connections=(Connection(lane=10 + number, signal_group=number),),
        )
        for number, east_m in ((1, 1.8), (2, 5.3))
    )
    return IntersectionGeometry(
        observed_at=at,
        received_at=at,
        clock="its",
        intersection=ZONE,
        revision=revision,
        reference=place(0, 0),
        speed_limit_mps=LIMIT_MPS,
        lanes=lanes,
    )


def signals(lasts_s: float, chance: random.Random, loss: float = 0.1) -> list[SignalState]:
    """A SPATEM a second, some of them lost; group 2 is always red."""
    colours: dict[int, SignalColour] = {3: "red", 6: "green", 8: "amber"}
    records = []
    for second in range(round(lasts_s)):
        if chance.random() < loss:
            continue
        state, ends_s = state_at(second + 0.1)
        at, end = START + timedelta(seconds=second, milliseconds=100), START + timedelta(seconds=ends_s)
        own = SignalGroupState(
            signal_group=1, event_state=state, colour=colours[state], min_end=end, max_end=end, likely_end=end,
            confidence_percent=100,
        )  # fmt: skip
        other = SignalGroupState(signal_group=2, event_state=3, colour="red")
        records.append(
            SignalState(
                observed_at=at,
                received_at=at + timedelta(milliseconds=90),
                clock="its",
                intersection=ZONE,
                revision=3,
                groups=(own, other),
            )
        )
    return records
