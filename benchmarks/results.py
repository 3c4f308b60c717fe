"""What a run measured: kept as JSON, told as text, and as docs/performance.md, which is made of nothing else."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Final

from benchmarks.measure import Drained, median

__all__ = ["DOCUMENT", "RESULTS", "Results", "as_document", "as_text", "figures", "read", "write"]

_ROOT: Final = Path(__file__).resolve().parents[1]
RESULTS: Final = _ROOT / "benchmarks" / "results.json"
DOCUMENT: Final = _ROOT / "docs" / "performance.md"
_NOTES: Final = _ROOT / "benchmarks" / "notes.md"
"""What a person found out about the figures: put behind the tables as it is."""

Figures = dict[str, float]


@dataclass
class Results:
    """Every run of every part; nothing is averaged before it is told."""

    command: str
    date: str
    messages: int
    halves: list[dict[str, Figures]] = field(default_factory=list)
    latency: list[dict[str, Figures]] = field(default_factory=list)
    end_to_end: list[Figures] = field(default_factory=list)
    devices: dict[str, Figures] = field(default_factory=dict)
    processes: dict[str, Figures] = field(default_factory=dict)


def figures(drained: Drained) -> Figures:
    """Of a drained backlog."""
    return {
        "messages": drained.messages,
        "per_second": round(drained.per_second),
        "cpu_us": round(drained.cpu_us, 2),
        "peak_mib": round(drained.peak_mib),
    }


def write(results: Results, path: Path = RESULTS) -> None:
    """Keep them."""
    path.write_text(json.dumps(asdict(results), indent=1) + "\n", "utf-8")


def read(path: Path = RESULTS) -> Results:
    """What was kept."""
    return Results(**json.loads(path.read_text("utf-8")))


_HALVES: Final[tuple[tuple[str, str, str, float | None, bool], ...]] = (
    ("MQTT → Kafka, messages/s", "mqtt_kafka", "per_second", 1.5, True),
    ("MQTT → Kafka, CPU per message, µs", "mqtt_kafka", "cpu_us", 0.5, False),
    ("MQTT → Kafka, peak memory, MiB", "mqtt_kafka", "peak_mib", 0.35, False),
    ("Kafka → InfluxDB, events/s", "kafka_influx", "per_second", 1.2, True),
    ("Kafka → InfluxDB, CPU per event, µs", "kafka_influx", "cpu_us", 0.6, False),
    ("Kafka → InfluxDB, peak memory, MiB", "kafka_influx", "peak_mib", None, False),
)


def as_text(results: Results) -> str:
    """The tables."""
    return "\n\n".join(part for part in (_side_by_side(results), _end_to_end(results), _scale(results)) if part) + "\n"


def _side_by_side(results: Results) -> str:
    rows = ["| | Garonne | Telegraf | ratio | goal | |", "|---|---|---|---|---|---|"]
    for text, half, name, goal, more in _HALVES:
        ours = [run[f"{half}/garonne"][name] for run in results.halves]
        theirs = [run[f"{half}/telegraf"][name] for run in results.halves if f"{half}/telegraf" in run]
        rows.append(_row(text, ours, theirs, goal, more=more))
    for name in ("p50", "p95", "p99"):
        ours = [run["garonne"][name] for run in results.latency]
        theirs = [run["telegraf"][name] for run in results.latency if "telegraf" in run]
        goal = 0.25 if name == "p99" else None
        rows.append(_row(f"publish → Kafka at 5,000/s, {name}, ms", ours, theirs, goal, more=False))
    return "\n".join(row for row in rows if row)


def _row(text: str, ours: Sequence[float], theirs: Sequence[float], goal: float | None, *, more: bool) -> str:
    if not ours:
        return ""
    mine = f"{median(ours):,.1f} ({min(ours):,.1f}–{max(ours):,.1f})"
    if not theirs:
        return f"| {text} | {mine} | – | – | – | |"
    ratio = median([one / other for one, other in zip(ours, theirs, strict=True)])
    wanted = "–" if goal is None else f"{'≥' if more else '≤'} {goal}"
    held = "" if goal is None else "holds" if (ratio >= goal if more else ratio <= goal) else "missed"
    other = f"{median(theirs):,.1f} ({min(theirs):,.1f}–{max(theirs):,.1f})"
    return f"| {text} | {mine} | {other} | {ratio:.2f} | {wanted} | {held} |"


def _end_to_end(results: Results) -> str:
    if not results.end_to_end:
        return ""
    told = [f"{median([run[name] for run in results.end_to_end]):,.0f}" for name in ("p50", "p95", "p99")]
    head = "| publish → readable in InfluxDB | p50, ms | p95, ms | p99, ms |\n|---|---|---|---|"
    return f"{head}\n| at 2,000/s | {' | '.join(told)} |"


def _scale(results: Results) -> str:
    rows = [
        "| MQTT → Kafka | messages | messages/s | CPU per message, µs | peak memory, MiB |",
        "|---|---|---|---|---|",
    ]
    for what, found in (("devices", results.devices), ("processes", results.processes)):
        for number, each in found.items():
            rows.append(
                f"| {int(number):,} {what} | {each['messages']:,.0f} | {each['per_second']:,.0f} "
                f"| {each['cpu_us']:.1f} | {each['peak_mib']:,.0f} |"
            )
    return "\n".join(rows) if len(rows) > 2 else ""


def as_document(results: Results) -> str:
    """docs/performance.md: the tables, how they came about, and the notes."""
    return f"""# Performance, beside Telegraf

Generated by `{results.command}` on {results.date} from `benchmarks/results.json`; do not edit.
{len(results.halves)} runs of {results.messages:,} messages, in turns; median (least–most); a ratio is the median of
the ratios of each run.
Telegraf 1.36.4 (`benchmarks/contenders.py` has its whole configuration) at the same guarantee: QoS 1, a persistent
session, acknowledged after Kafka has it on all replicas. CPU and memory are the kernel's (`/proc/PID/stat`, `VmHWM`).
Two cores, shared with Mosquitto, Kafka, InfluxDB and whatever else ran on the machine: compare within one row only.

{as_text(results)}
{_NOTES.read_text("utf-8").strip()}
"""
