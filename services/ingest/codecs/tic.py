"""The labels of the Linky customer output (TIC), shared by every gateway that passes them on.

Sources: Enedis-NOI-CPT_02E (historique) and Enedis-NOI-CPT_54E (standard); meters.md 2.1. Energy is in Wh on
nine digits; EASFnn and EASDnn are two splits of the same EAST, so nothing is ever summed here.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import lru_cache
from types import MappingProxyType
from typing import Final, NamedTuple

from schemas.base import Flag
from schemas.energy import Gauge, IntervalEnergy, MeterReading, Register, State
from services.ingest.clock import Reading, believe
from services.ingest.codecs import trusted
from services.ingest.profiles import Context

__all__ = ["COLOURS", "IDENTITIES", "MODULUS_KWH", "Frame", "Group", "index", "is_label", "records", "state"]

MODULUS_KWH: Final = 1_000_000.0
"""Nine digits of Wh, then 0 again."""

IDENTITIES: Final = ("ADSC", "ADCO")
"""Labels of the meter's own number, standard and historique: text with leading zeros, never a number."""

COLOURS: Final = MappingProxyType(
    {"BLEU": "blue", "BLAN": "white", "BLANC": "white", "ROUG": "red", "ROUGE": "red", "VERT": "green"}
)
_STEP: Final = timedelta(minutes=30)
_OTHER_STEPS: Final = (timedelta(minutes=10), timedelta(minutes=15))
_LARGEST_KVA: Final = 250


class Group(NamedTuple):
    """One label with its data as text, and its horodate where it has one."""

    label: str
    data: str
    at: Reading | None = None


@dataclass(frozen=True, slots=True)
class Frame:
    """What holds for all groups of a frame: whose it is and when. `at` is DATE, else the receive time."""

    household: str
    meter: str
    at: Reading
    received_at: datetime
    retained: bool


_SECOND_AND_THIRD: Final = frozenset(("URMS2", "URMS3", "IRMS2", "IRMS3"))
"""0 on a single-phase meter, where it means nothing; on three phases it is an outage."""


def index(name: str, *, export: bool = False) -> Callable[[float], Register]:
    """A maker of nine-digit energy registers, in kWh."""
    return trusted.register("export_energy" if export else "import_energy", name, "kWh", modulus=MODULUS_KWH)


def _reactive(name: str) -> Callable[[float], Register]:
    return trusted.register("reactive_energy", name, "kvarh", modulus=MODULUS_KWH)


REGISTERS: Final[Mapping[str, Callable[[float], Register]]] = {
    "BASE": index("base"),
    "HCHC": index("HC"),
    "HCHP": index("HP"),
    "EJPHN": index("ejp_hn"),
    "EJPHPM": index("ejp_hpm"),
    "BBRHCJB": index("tempo_blue_hc"),
    "BBRHPJB": index("tempo_blue_hp"),
    "BBRHCJW": index("tempo_white_hc"),
    "BBRHPJW": index("tempo_white_hp"),
    "BBRHCJR": index("tempo_red_hc"),
    "BBRHPJR": index("tempo_red_hp"),
    "EAST": index("total"),
    "EAIT": index("total", export=True),
    **{f"EASF{n:02}": index(f"supplier_{n:02}") for n in range(1, 11)},
    **{f"EASD{n:02}": index(f"distributor_{n:02}") for n in range(1, 5)},
    **{f"ERQ{n}": _reactive(f"Q{n}") for n in range(1, 5)},
}
"""Data in Wh or varh; the maker takes thousands of them."""

_PHASES: Final = (1, 2, 3)
GAUGES: Final[Mapping[str, Callable[[float], Gauge]]] = {
    "PAPP": trusted.gauge("apparent_power", "import", "VA"),
    "SINSTS": trusted.gauge("apparent_power", "import", "VA"),
    "SINSTI": trusted.gauge("apparent_power", "export", "VA"),
    "IINST": trusted.gauge("current", "total", "A"),
    "IMAX": trusted.gauge("current", "max", "A"),
    "ISOUSC": trusted.gauge("current", "subscribed", "A"),
    **{f"SINSTS{n}": trusted.gauge("apparent_power", f"L{n}", "VA") for n in _PHASES},
    **{f"IINST{n}": trusted.gauge("current", f"L{n}", "A") for n in _PHASES},
    **{f"IMAX{n}": trusted.gauge("current", f"L{n}_max", "A") for n in _PHASES},
    **{f"IRMS{n}": trusted.gauge("current", f"L{n}", "A") for n in _PHASES},
    **{f"URMS{n}": trusted.gauge("voltage", f"L{n}", "V") for n in _PHASES},
}
KVA: Final[Mapping[str, Callable[[float], Gauge]]] = {
    "PREF": trusted.gauge("subscribed_power", "import", "VA"),
    "PCOUP": trusted.gauge("power_limit", "import", "VA"),
}
"""Data in kVA; some gateways multiply by 1000 themselves."""

_MAXIMA = {"SMAXSN": "import", "SMAXIN": "export"}
DATED: Final[Mapping[str, Callable[[float], Gauge]]] = {
    **{label: trusted.gauge("apparent_power_max", f"{way}_day", "VA") for label, way in _MAXIMA.items()},
    **{f"{label}-1": trusted.gauge("apparent_power_max", f"{w}_previous_day", "VA") for label, w in _MAXIMA.items()},
    **{f"SMAXSN{n}": trusted.gauge("apparent_power_max", f"import_day_L{n}", "VA") for n in _PHASES},
    **{f"SMAXSN{n}-1": trusted.gauge("apparent_power_max", f"import_previous_day_L{n}", "VA") for n in _PHASES},
    **{f"UMOY{n}": trusted.gauge("voltage", f"L{n}_mean", "V") for n in _PHASES},
}
"""Gauges with an instant of their own."""

CURVES: Final[Mapping[str, tuple[str, str]]] = {
    "CCASN": ("import_energy", "CCASN-1"),
    "CCASN-1": ("import_energy", "CCASN"),
    "CCAIN": ("export_energy", "CCAIN-1"),
    "CCAIN-1": ("export_energy", "CCAIN"),
}
"""Mean W over a finished step of the load curve: the quantity, and the label of the neighbouring step."""

TEXTS: Final = ("PTEC", "LTARF", "OPTARIF", "NGTF", "DEMAIN", "NTARF", "STGE")
_OTHERS: Final = frozenset(
    (*IDENTITIES, *TEXTS, "DATE", "VTIC", "PRM", "MSG1", "MSG2", "MOTDETAT", "HHPHC", "ADPS", "PEJP", "PPOT")
) | frozenset(("PMAX", "RELAIS", "NJOURF", "NJOURF+1", "PJOURF+1", "PPOINTE"))

_LABELS: Final = _OTHERS.union(REGISTERS, GAUGES, KVA, DATED, CURVES)


def is_label(key: str) -> bool:
    """Whether this is a label of the TIC that we know, kept or not."""
    return key in _LABELS


def records(groups: Iterable[Group], frame: Frame, context: Context) -> tuple[MeterReading | IntervalEnergy, ...]:
    """The records of a frame: one reading, and one interval for each step of the load curve.

    A group whose data is not a number of at most nine digits is left out, as if the gateway had dropped it.
    Empty when the groups hold nothing that is metered.
    """
    present = {group.label: group for group in groups}
    frame = _with_status(frame, present.get("STGE"))
    registers: list[Register] = []
    gauges: list[Gauge] = []
    single_phase = "SINSTS" in present and "SINSTS1" not in present
    for label, group in present.items():
        if label in _OTHERS or (number := _number(group.data)) is None:
            continue
        if label in REGISTERS:
            registers.append(REGISTERS[label](number / 1000))
        elif label in GAUGES:
            if number or not single_phase or label not in _SECOND_AND_THIRD:
                gauges.append(GAUGES[label](float(number)))
        elif label in KVA:
            gauges.append(KVA[label](float(number if number > _LARGEST_KVA else number * 1000)))
        elif label in DATED and group.at is not None and _credible(group.at, frame, context):
            gauges.append(trusted.dated(DATED[label](float(number)), group.at.at))
    states = _states(present)
    intervals = _intervals(present, frame, context)
    if not (registers or gauges or states):
        return intervals
    return (_reading(frame, registers, gauges, states), *intervals)


def _reading(frame: Frame, registers: list[Register], gauges: list[Gauge], states: list[State]) -> MeterReading:
    return trusted.meter_reading(
        household=frame.household,
        meter=frame.meter,
        at=frame.at,
        received_at=frame.received_at,
        retained=frame.retained,
        registers=tuple(registers),
        gauges=tuple(gauges),
        states=tuple(states),
    )


def _number(data: str) -> int | None:
    if 0 < len(data) <= 9 and data.isascii() and data.isdecimal():
        return int(data)
    return None


def _credible(at: Reading, frame: Frame, context: Context) -> bool:
    """Whether an instant of its own can be believed: it is, if the clock of the frame is."""
    return "clock" not in frame.at.flags and "clock" not in believe(at, frame.received_at, context).flags


def _with_status(frame: Frame, status: Group | None) -> Frame:
    word = _status_word(status)
    if word is None or not word & 1 << 16 or "clock_degraded" in frame.at.flags:
        return frame
    flags: tuple[Flag, ...] = (*frame.at.flags, "clock_degraded")
    return replace(frame, at=frame.at._replace(flags=flags))


def _status_word(status: Group | None) -> int | None:
    if status is None or len(status.data) != 8:
        return None
    try:
        return int(status.data, 16)
    except ValueError:
        return None


def _states(present: Mapping[str, Group]) -> list[State]:
    found: dict[str, str] = {}
    for label, name in (
        ("PTEC", "tariff_period"),
        ("LTARF", "tariff_period"),
        ("OPTARIF", "contract"),
        ("NGTF", "contract"),
    ):
        if label in present and (text := " ".join(present[label].data.split())[:60]):
            found[name] = text
    period = _number(present["NTARF"].data) if "NTARF" in present else None
    if period is not None and 1 <= period <= 10:
        found["active_register"] = f"supplier_{period:02}"
    word = _status_word(present.get("STGE")) or 0
    for name, shift in (("tariff_colour_today", 24), ("tariff_colour_tomorrow", 26)):
        if colour := (None, "blue", "white", "red")[word >> shift & 3]:
            found[name] = colour
    tomorrow = COLOURS.get(present["DEMAIN"].data.strip()) if "DEMAIN" in present else None
    if tomorrow:
        found["tariff_colour_tomorrow"] = tomorrow
    return [state(name, value) for name, value in found.items()]


@lru_cache(maxsize=4096)
def state(name: str, value: str) -> State:
    """A state; words repeat from message to message."""
    return State.model_validate({"name": name, "value": value})


def _intervals(present: Mapping[str, Group], frame: Frame, context: Context) -> tuple[IntervalEnergy, ...]:
    """The steps of the load curve; a step whose end is not believed is no measurement."""
    found = []
    for label, (quantity, neighbour) in CURVES.items():
        group = present.get(label)
        mean_w = _number(group.data) if group is not None else None
        if group is None or mean_w is None or group.at is None or not _credible(group.at, frame, context):
            continue
        step = _step(group.at, present.get(neighbour))
        found.append(
            IntervalEnergy.model_validate(
                {
                    "household": frame.household,
                    "meter": frame.meter,
                    "carrier": "electricity",
                    "observed_at": group.at.at,
                    "received_at": frame.received_at,
                    "clock": group.at.clock,
                    "flags": (*group.at.flags, *(flag for flag in frame.at.flags if flag == "clock_degraded")),
                    "retained": frame.retained,
                    "quantity": quantity,
                    "register_name": "total",
                    "start": group.at.at - step,
                    "end": group.at.at,
                    "value": mean_w * (step / timedelta(hours=1)) / 1000,
                    "unit": "kWh",
                    "mean_power_w": mean_w,
                }
            )
        )
    return tuple(found)


def _step(at: Reading, neighbour: Group | None) -> timedelta:
    """30 minutes, unless two neighbouring steps show a shorter one (a meter can be set to 10 or 15)."""
    if neighbour is None or neighbour.at is None:
        return _STEP
    apart = abs(at.at - neighbour.at.at)
    return apart if apart in _OTHER_STEPS else _STEP
