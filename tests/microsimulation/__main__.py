"""`python -m tests.microsimulation`: the long form, written to docs/accuracy-of-passages.md; half an hour of two cores.

`python -m tests.microsimulation 120` prints a run of 120 s and writes nothing.
"""

import os
import sys
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor
from itertools import repeat
from pathlib import Path
from typing import Final, NamedTuple

from tests.cases import ROOT
from tests.microsimulation.accuracy import Accuracy, tables
from tests.microsimulation.disturbance import LEVELS, Level
from tests.microsimulation.play import Town, play, town

PAGE: Final = ROOT / "docs" / "accuracy-of-passages.md"
LASTS_S: Final = 900
WORKERS: Final = int(os.environ.get("GARONNE_WORKERS") or os.cpu_count() or 1)
_BEGIN, _END = "<!-- figures: begin -->\n", "<!-- figures: end -->\n"


class Told(NamedTuple):
    """What the page says of one level."""

    level: Level
    sent: int
    accuracy: Accuracy


def main() -> None:
    """Drive, hear, compare, and write or print the tables; every level in a process of its own."""
    lasts_s = int(sys.argv[1]) if len(sys.argv) > 1 else LASTS_S
    with tempfile.TemporaryDirectory() as folder:
        driven = town(Path(folder), lasts_s)
        with ProcessPoolExecutor(WORKERS) as processes:
            text = _figures(driven, list(processes.map(_told, repeat(driven), LEVELS)), lasts_s)
    if len(sys.argv) > 1:
        sys.stdout.write(text)
        return
    before, _, rest = PAGE.read_text("utf-8").partition(_BEGIN)
    PAGE.write_text(f"{before}{_BEGIN}\n{text}\n{_END}{rest.partition(_END)[2]}", "utf-8")


def _told(driven: Town, level: Level) -> Told:
    (played,) = play(driven, [level])
    sys.stderr.write(f"{time.strftime('%X')} {level.name}: {dict(played.heard.outcomes)}\n")
    return Told(level, played.sent, played.accuracy)


def _figures(driven: Town, played: list[Told], lasts_s: int) -> str:
    truths = [each for each in driven.truths if each.whole]
    number = max(1, len(truths))
    facts = (
        ("junctions", len(driven.network.junctions)),
        ("seconds, ten instants each", lasts_s),
        ("vehicles at any time", len(next(driven.driven.instants())[1])),
        ("crossings of a stop line", len(driven.truths)),
        ("of these, with their whole approach", len(truths)),
        ("mean delay, s", round(sum(each.delay_s for each in truths) / number, 1)),
        ("changed lane on the approach", f"{100 * sum(each.lane_changes > 0 for each in truths) / number:.1f} %"),
        ("stood in a queue beyond the zone", f"{100 * sum(each.beyond_s > 0 for each in truths) / number:.1f} %"),
        ("of these, for s on average", _beyond([each.beyond_s for each in truths if each.beyond_s > 0])),
        ("messages sent at 10 Hz", played[0].sent),
    )
    shown = "".join(f"| {name} | {value} |\n" for name, value in facts)
    levels = "".join(_level(each.level) for each in played)
    return (
        f"### The traffic\n\n| | |\n|---|---:|\n{shown}\n"
        "### The disturbances\n\n"
        "| name | CAM | lost (in bursts of) | later by (and by) | twice | new name after | clock | place |\n"
        f"|---|---|---:|---:|---:|---:|---:|---:|\n{levels}\n{tables([each.accuracy for each in played])}"
    )


def _beyond(seconds: list[float]) -> float:
    return round(sum(seconds) / max(1, len(seconds)), 1)


def _level(level: Level) -> str:
    name = "never" if level.pseudonym_s == float("inf") else f"{level.pseudonym_s:g} s"
    cells = (
        level.name,
        level.sending,
        f"{100 * level.loss:g} % ({level.burst:g})",
        f"{level.latency_s:g} s ({level.jitter_s:g} s)",
        f"{100 * level.copies:g} %",
        name,
        f"{level.clock_s:g} s",
        f"{level.place_m:g} m",
    )
    return f"| {' | '.join(cells)} |\n"


if __name__ == "__main__":
    main()
