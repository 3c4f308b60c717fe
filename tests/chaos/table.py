"""docs/faults.md: the matrix as it was measured, from the results that are kept."""

import json
from pathlib import Path
from typing import Any, Final

__all__ = ["RESULTS", "line", "page"]

RESULTS: Final = Path(__file__).with_name("results.json")
_HEAD: Final = (
    "fault",
    "times",
    "kills",
    "sent",
    "stored",
    "rejected",
    "lost",
    "double",
    "again in Kafka",
    "recovery",
    "red after",
    "ingest",
    "aggregator",
)


def line(row: dict[str, Any]) -> str:
    """A row on a terminal."""
    account = row["account"]
    parts = [f"{name} {row[name]}" for name in ("times", "kills", "sent", "forgotten", "copies")]
    parts += [f"{name} {number}" for name, number in account.items()]
    parts += [f"{name} {row[name]}" for name in ("recovery_s", "red_after_s", "ingest_mib", "aggregator_mib")]
    return f"{row['fault']}: {', '.join(parts)}, connections {row['connections']}"


def _cells(row: dict[str, Any]) -> tuple[str, ...]:
    account = row["account"]
    red = row["red_after_s"]
    return (
        row["fault"],
        str(row["times"]),
        str(row["kills"]),
        f"{row['sent']:,}" + (f" ({row['forgotten']} forgotten)" if row["forgotten"] else ""),
        f"{account['stored']:,}",
        f"{account['rejected'] + account['refused']:,}",
        str(account["lost"]),
        str(account["double"]),
        f"{account['again']:,}",
        f"{row['recovery_s']:.1f} s",
        "" if red is None else f"{red:.0f} s",
        f"{row['ingest_mib']:.0f} MiB",
        f"{row['aggregator_mib']:.0f} MiB",
    )


def _table(rows: list[tuple[str, ...]]) -> str:
    marks = ["---", *(["--:"] * (len(_HEAD) - 1))]
    return "\n".join("| " + " | ".join(each) + " |" for each in (_HEAD, tuple(marks), *rows))


def page(text: str) -> str:
    """The page: what is written by hand, with the figures of the results in its places."""
    rows = json.loads(RESULTS.read_text("utf-8"))
    total = {name: sum(row[name] for row in rows) for name in ("kills", "sent", "forgotten")}
    lost, double = (sum(row["account"][name] for row in rows) for name in ("lost", "double"))
    days = sorted({row["at"] for row in rows})
    summary = (
        f"{len(rows)} cells, {total['kills']} kills with SIGKILL, {total['sent']:,} messages acknowledged by the "
        f"broker: **lost {lost}, double {double}**. Measured with `make chaos` on {' and '.join(days)}."
    )
    before, _, rest = text.partition("<!-- matrix -->")
    _, _, after = rest.partition("<!-- end of matrix -->")
    table = _table([_cells(row) for row in rows])
    return f"{before}<!-- matrix -->\n{summary}\n\n{table}\n<!-- end of matrix -->{after}"
