"""Write the digest of every image into docker-compose.yml and the Dockerfile: `deploy/pin-images`.

A version can be given to another image; a digest cannot. Asks the registry by Docker itself, with your mirror and your
credentials (`docker buildx imagetools inspect`). Lines that have a digest are left unless `--renew` is given. All of it
is written, or nothing if an image was not found. Read the difference and commit it. Needs the standard library alone.
"""

# ruff: noqa: INP001, T201, S603 - a script of its own that says what it does and starts docker

import argparse
import re
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
PLACES = (HERE.parent / "docker-compose.yml", HERE / "Dockerfile")
IMAGE = re.compile(
    r"^(?P<head>\s*image:\s+|FROM\s+)(?P<name>[a-z0-9./-]+:[A-Za-z0-9._-]+)(?P<digest>@sha256:[0-9a-f]{64})?(?=\s|$)",
    re.MULTILINE,
)
OWN = "garonne/"
"""Built here: they have no digest before."""


def digest_of(name: str) -> str:
    """The digest of a name as the registry has it now, for all platforms.

    Raises:
        SystemExit: docker does not tell it; its words are shown.
    """
    command = ["docker", "buildx", "imagetools", "inspect", name, "--format", "{{.Manifest.Digest}}"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    except OSError:
        sys.exit("pin-images: there is no docker here; run this where images are built")
    found = done.stdout.strip()
    if done.returncode or not re.fullmatch(r"sha256:[0-9a-f]{64}", found):
        sys.exit(f"pin-images: nothing is written: {name}: {done.stderr.strip() or 'no digest'}")
    return found


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(prog="pin-images", description=__doc__)
    parser.add_argument("--renew", action="store_true", help="ask for those that have a digest as well")
    parser.add_argument("files", nargs="*", type=Path, default=list(PLACES))
    arguments = parser.parse_args()
    known: dict[str, str] = {}

    def pinned(found: re.Match[str]) -> str:
        name = found["name"]
        if name.startswith(OWN) or (found["digest"] and not arguments.renew):
            return found[0]
        if name not in known:
            known[name] = digest_of(name)
        return f"{found['head']}{name}@{known[name]}"

    texts = {path: IMAGE.sub(pinned, path.read_text("utf-8")) for path in arguments.files}
    for path, text in texts.items():
        path.write_text(text, "utf-8")
    for name, digest in sorted(known.items()):
        print(f"{name} is {digest}")


if __name__ == "__main__":
    main()
