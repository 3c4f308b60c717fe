"""`python -m benchmarks.telegraf`: build Telegraf from its Go module, once, for the side-by-side runs alone.

`make bench` and `make telegraf` call it; tests never do. `TELEGRAF=path` uses a binary that is there already. The
versions of all its modules stand in `telegraf/go.sum`, so the build asks no checksum database.
"""

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Final

from tests.servers.provision import folder

__all__ = ["VERSION", "build", "find"]

VERSION: Final = "1.36.4"
_PINS: Final = Path(__file__).parent / "telegraf"
_TAGS: Final = (
    "custom,inputs,inputs.mqtt_consumer,inputs.kafka_consumer,outputs,outputs.kafka,outputs.influxdb_v2,"
    "parsers,parsers.json_v2,serializers,serializers.json"
)


def find() -> Path | None:
    """The program, if it is here: `TELEGRAF`, or what was built before."""
    given = os.environ.get("TELEGRAF")
    program = Path(given).expanduser() if given else folder() / f"telegraf-{VERSION}" / "telegraf"
    return program.resolve() if program.is_file() else None


def build() -> Path:
    """The program; built if it is not here, which takes about twelve minutes the first time.

    Raises:
        subprocess.CalledProcessError: Go says why.
    """
    if (found := find()) is not None:
        return found
    final = folder() / f"telegraf-{VERSION}"
    final.parent.mkdir(parents=True, exist_ok=True)
    sys.stderr.write(f"building Telegraf {VERSION} (twelve minutes the first time)\n")
    with tempfile.TemporaryDirectory(dir=final.parent, prefix=".telegraf-") as name:
        scratch = Path(name)
        for each in ("go.mod", "go.sum", "tools.go"):
            shutil.copy(_PINS / each, scratch)
        result = scratch / "result"
        command = ["go", "build", "-tags", _TAGS, "-ldflags", f"-X main.version={VERSION}"]
        command += ["-o", str(result / "telegraf"), "github.com/influxdata/telegraf/cmd/telegraf"]
        subprocess.run(command, cwd=scratch, env={**os.environ, "GOFLAGS": "-mod=readonly"}, check=True)
        result.rename(final)
    return final / "telegraf"


if __name__ == "__main__":
    sys.stdout.write(f"{build()}\n")
