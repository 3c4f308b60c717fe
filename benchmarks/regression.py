"""`make regress`: processor time per message against the parent commit; more than 15 % more fails.

The parent is checked out beside this tree, and both run `benchmarks.cores` in turns, each time in a process of its
own. What is compared is the least of each: noise of a shared machine only ever adds. The file that measures is this
tree's for both, so that a change of the benchmark is no change of the cost.
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final, NamedTuple

__all__ = ["LIMIT", "Comparison", "compare", "main"]

LIMIT: Final = 0.15
_ROOT: Final = Path(__file__).resolve().parents[1]
_MEASURING: Final = ("__init__.py", "cores.py", "load.py")

Costs = Mapping[str, float]
"""Microseconds of CPU per message, by what they are spent on."""


class Comparison(NamedTuple):
    """One figure before and now, µs."""

    name: str
    before_us: float
    now_us: float

    @property
    def change(self) -> float:
        """Share by which it rose; negative if it fell."""
        return self.now_us / self.before_us - 1

    @property
    def fails(self) -> bool:
        """Whether it rose by more than the limit."""
        return self.change > LIMIT


def compare(before: Sequence[Costs], now: Sequence[Costs]) -> list[Comparison]:
    """The least of each figure over interleaved runs.

    Raises:
        ValueError: there is no run of one side, or the two measured different things.
    """
    if not before or not now:
        raise ValueError("both sides need at least one run")
    if {*before[0]} != {*now[0]}:
        raise ValueError(f"the runs measured different things: {sorted(before[0])} and {sorted(now[0])}")
    return [
        Comparison(name, min(run[name] for run in before), min(run[name] for run in now)) for name in sorted(before[0])
    ]


def main() -> int:
    """Print the comparison; 1 if something got slower by more than the limit."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.regression", description=__doc__)
    parser.add_argument("--against", default="HEAD~1", help="the commit to compare with")
    parser.add_argument("--runs", type=int, default=5, help="of each side, in turns")
    parser.add_argument("--messages", type=int, default=20_000)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="garonne-regress-") as name:
        other = Path(name) / "before"
        _git("worktree", "add", "--quiet", "--detach", str(other), options.against)
        try:
            (other / "benchmarks").mkdir(exist_ok=True)
            for each in _MEASURING:
                shutil.copy(_ROOT / "benchmarks" / each, other / "benchmarks" / each)
            before, now = [], []
            for _ in range(options.runs):
                before.append(_run(other, options.messages))
                now.append(_run(_ROOT, options.messages))
        finally:
            _git("worktree", "remove", "--force", str(other))
    found = compare(before, now)
    sys.stdout.write(f"{'CPU per message':<16}{options.against:>12}{'now':>12}{'change':>10}\n")
    for each in found:
        verdict = "  TOO SLOW" if each.fails else ""
        sys.stdout.write(
            f"{each.name:<16}{each.before_us:>9.1f} µs{each.now_us:>9.1f} µs{each.change:>+10.1%}{verdict}\n"
        )
    return int(any(each.fails for each in found))


def _git(*words: str) -> None:
    subprocess.run(["git", *words], cwd=_ROOT, check=True)


def _run(tree: Path, number: int) -> dict[str, float]:
    """One run of a tree, whose modules come before those that are installed."""
    environment = {**os.environ, "PYTHONPATH": str(tree), "PYTHONHASHSEED": "0"}
    command = [sys.executable, "-m", "benchmarks.cores", "--messages", str(number)]
    done = subprocess.run(command, cwd=tree, env=environment, check=True, capture_output=True)
    result: dict[str, float] = json.loads(done.stdout)
    return result


if __name__ == "__main__":
    sys.exit(main())
