"""What is in the images, as CycloneDX: `python -m scripts.sbom FOLDER` writes a bill of materials for each.

Made of the part of requirements.lock that an image installs, by cyclonedx-bom, which checks it against the schema. The
packages of the base image are those of its own maker: its digest names them.
"""

import subprocess
import sys
from pathlib import Path
from typing import Final

from scripts.lock_subset import subset

ROOT: Final = Path(__file__).resolve().parent.parent
IMAGES: Final = {
    "ingest": ("ingest",),
    "aggregator": ("ingest", "aggregator"),
    "report": ("ingest", "aggregator", "report"),
}
"""The extras of each target of deploy/Dockerfile."""


def write_bills(folder: Path) -> list[Path]:
    """Write `IMAGE.cdx.json` for each image.

    Raises:
        CalledProcessError: it is not valid; the tool says why.
    """
    folder.mkdir(parents=True, exist_ok=True)
    lock = (ROOT / "requirements.lock").read_text("utf-8")
    written = []
    for image, extras in IMAGES.items():
        path = folder / f"{image}.cdx.json"
        options = ["--pyproject", str(ROOT / "pyproject.toml"), "--validate", "--output-reproducible", "--of", "JSON"]
        command = [sys.executable, "-m", "cyclonedx_py", "requirements", *options, "-o", str(path), "-"]
        subprocess.run(command, input=subset(lock, extras), text=True, check=True)
        written.append(path)
    return written


if __name__ == "__main__":
    for each in write_bills(Path(sys.argv[1] if len(sys.argv) > 1 else "var/sbom")):
        print(each)
