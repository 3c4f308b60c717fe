"""Passages to points: counts and sums, so that minutes and junctions add up. Pure; no vehicle is named.

A point stands for a vehicle on an approach in a minute (`slots`). Its time is the minute plus a share of it that is
drawn from a digest: two vehicles are two points, and nobody can tell which from the digest.
"""

import hashlib
from typing import Final

from services.aggregator.mobility.signals import Signals
from services.aggregator.mobility.slots import SLOT_MS, Slot
from services.aggregator.ports import FieldValue, Point

__all__ = ["passage_point", "signal_points"]

_ARRIVALS: Final = ("green", "stopped", "amber", "red", "unknown")


def passage_point(slot: Slot) -> Point:
    """The point of a slot: all fields always, zeros where nothing passed, so that no old figure stays."""
    passages = slot.passages
    delays = [each.delay_s for each in passages if each.delay_s is not None]
    advice = [each.advice_followed for each in passages if each.advice_followed is not None]
    burnt = [each.burnt for each in passages if each.burnt is not None and each.burnt.verified]
    unverified = [each.burnt for each in passages if each.burnt is not None and not each.burnt.verified]
    fields: dict[str, FieldValue] = {
        "passages": len(passages),
        "first_passages": slot.first_passages,
        "stops": sum(len(each.stops) for each in passages),
        "stopped_s": float(sum(each.stopped_s for each in passages)),
        "idle_s": float(sum(each.idle_s for each in passages)),
        "delay_s": float(sum(delays)),
        "delay_known": len(delays),
        "violations": sum(each.violation == "certain" for each in passages),
        "violations_uncertain": sum(each.violation == "uncertain" for each in passages),
        "advice_followed": float(sum(advice)),
        "advice_known": len(advice),
        "co2_estimated_g": float(sum(each.co2_g for each in burnt)),
        "fuel_estimated_g": float(sum(each.fuel_g for each in burnt)),
        "estimated": len(burnt),
        "co2_unverified_g": float(sum(each.co2_g for each in unverified)),
        "fuel_unverified_g": float(sum(each.fuel_g for each in unverified)),
        "unverified": len(unverified),
        "stop_line_ms": max((each.stop_line_ms for each in passages), default=0),
    }
    fields |= {f"arrival_{name}": sum(each.arrival == name for each in passages) for name in _ARRIVALS}
    group = "none" if slot.signal_group is None else str(slot.signal_group)
    tags = (("approach", str(slot.approach)), ("signal_group", group), ("station", slot.station), ("zone", slot.zone))
    return Point("passage", tags, tuple(sorted(fields.items())), _time_ns(slot))


def signal_points(zone: str, signals: Signals, start_ms: int) -> list[Point]:
    """How well the signals of a minute were foretold: a point for each group that was heard of in it.

    `error_s` is the sum of the errors without their sign, over `foretold` of the `changes` that could have been.
    """
    heard = signals.heard(start_ms, start_ms + SLOT_MS)
    errors = signals.prediction_errors(start_ms, start_ms + SLOT_MS)
    points = []
    for group, messages in heard.items():
        own = [each.error_s for each in errors if each.signal_group == group]
        known = [abs(error_s) for error_s in own if error_s is not None]
        fields: tuple[tuple[str, FieldValue], ...] = (
            ("changes", len(own)),
            ("error_s", float(sum(known))),
            ("foretold", len(known)),
            ("messages", messages),
        )
        tags = (("signal_group", str(group)), ("zone", zone))
        points.append(Point("signal", tags, fields, start_ms * 1_000_000))
    return points


def _time_ns(slot: Slot) -> int:
    named = f"{slot.vehicle}|{slot.zone}|{slot.start_ms}".encode()
    digits = int.from_bytes(hashlib.sha256(named).digest()[:8], "big")
    return slot.start_ms * 1_000_000 + digits % (SLOT_MS * 1_000_000)
