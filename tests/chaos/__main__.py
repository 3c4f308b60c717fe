"""`python -m tests.chaos`: play the matrix, print it, and keep it.

Each group has a site of its own; `--group` plays some of them. `--short` is what CI plays. Results are kept by cell,
and `scripts/generate` makes the table of docs/faults.md from them.
"""

import argparse
import json
import sys
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from tests.chaos.account import Row
from tests.chaos.cells import GROUPS
from tests.chaos.table import RESULTS, line
from tests.chaos.world import World, environment_seed


def play(group: str, *, short: bool, only: str, seed: int, kept: set[str]) -> list[Row]:
    """The rows of a group."""
    rows = []
    cells = [(each, each.short if short else each.long) for each in GROUPS[group] if only in each.fault]
    cells = [(each, times) for each, times in cells if times and each.fault not in kept]
    if not cells:
        return []
    kind = {"cluster": group == "cluster", "small_disks": group == "disk"}
    with tempfile.TemporaryDirectory() as folder, World(Path(folder), **kind, seed=seed) as world:
        for cell, times in cells:
            began = time.monotonic()
            row = world.play(group, cell, times)
            rows.append(row)
            print(f"{time.monotonic() - began:6.1f} s  {line(row.as_dict())}", flush=True)
            if not short:
                _keep(row, seed)
    return rows


def _keep(row: Row, seed: int) -> None:
    """Beside what other groups have measured."""
    kept = [each for each in _results() if each["fault"] != row.fault]
    kept.append({**row.as_dict(), "seed": seed, "at": f"{datetime.now(UTC):%F}"})
    RESULTS.write_text(json.dumps(kept, indent=1, ensure_ascii=False) + "\n", "utf-8")


def _results() -> list[dict[str, Any]]:
    return list(json.loads(RESULTS.read_text("utf-8"))) if RESULTS.exists() else []


def main() -> int:
    """1 if anything is lost or double."""
    parser = argparse.ArgumentParser(prog="make chaos")
    parser.add_argument("--short", action="store_true", help="what CI plays")
    parser.add_argument("--group", choices=list(GROUPS), action="append", help="only these")
    parser.add_argument("--rest", action="store_true", help="go on: leave out cells whose results are kept")
    parser.add_argument("--only", default="", help="only cells whose name has this")
    arguments = parser.parse_args()
    seed = environment_seed()
    print(f"seed {seed}", flush=True)
    kept = {each["fault"] for each in _results()} if arguments.rest else set()
    rows = []
    for group in arguments.group or GROUPS:
        rows += play(group, short=arguments.short, only=arguments.only, seed=seed, kept=kept)
    faulty = [each.fault for each in rows if each.account.lost or each.account.double]
    print(f"{sum(each.kills for each in rows)} kills; lost or double in: {faulty or 'none'}")
    return 1 if faulty else 0


if __name__ == "__main__":
    sys.exit(main())
