"""The part of requirements.lock that some extras of Garonne need, with its hashes: so images hold nothing else.

`python -m scripts.lock_subset ingest` prints it. Run it where everything of the lock is installed: what needs what is
read from the installed packages, for the platform and Python that it runs on.
"""

import re
import sys
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from importlib.metadata import PackageNotFoundError, requires
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

__all__ = ["closure", "declared", "locked", "subset"]

ROOT = Path(__file__).resolve().parent.parent
_ENTRY = re.compile(r"^(?P<name>[A-Za-z0-9._-]+)==")


def declared(extras: Sequence[str]) -> list[Requirement]:
    """What pyproject.toml asks for; an extra may name other extras of ours."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    optional = project["optional-dependencies"]
    found = [Requirement(text) for text in project["dependencies"]]
    for extra in extras:
        for requirement in map(Requirement, optional[extra]):
            found += declared(sorted(requirement.extras)) if requirement.name == project["name"] else [requirement]
    return found


def closure(extras: Sequence[str]) -> set[str]:
    """Canonical names of all that Garonne with these extras needs here.

    Raises:
        LookupError: something of it is not installed.
    """
    found: set[tuple[str, str]] = set()
    waiting = [each for each in declared(extras) if _holds(each, "")]
    while waiting:
        requirement = waiting.pop()
        for extra in ("", *requirement.extras):
            place = canonicalize_name(requirement.name), extra
            if place not in found:
                found.add(place)
                waiting += _needed(*place)
    return {name for name, _ in found}


def _holds(requirement: Requirement, extra: str) -> bool:
    return requirement.marker is None or requirement.marker.evaluate({"extra": extra})


def _needed(name: str, extra: str) -> Iterator[Requirement]:
    try:
        texts = requires(name) or []
    except PackageNotFoundError as error:
        raise LookupError(f"{name} is not installed here; install requirements.lock first") from error
    return (each for each in map(Requirement, texts) if _holds(each, extra))


def locked(text: str) -> Mapping[str, str]:
    """The entries of a lock file by canonical name, each with its marker and hashes."""
    entries: dict[str, str] = {}
    for block in re.split(r"\n(?=\S)", text.strip()):
        match = _ENTRY.match(block)
        if match:
            entries[canonicalize_name(match["name"])] = block
    return entries


def subset(text: str, extras: Sequence[str]) -> str:
    """The lock of these extras.

    Raises:
        LookupError: something that is needed is not locked.
    """
    entries = locked(text)
    names = sorted(closure(extras))
    missing = [name for name in names if name not in entries]
    if missing:
        raise LookupError(f"not in the lock: {', '.join(missing)}; run make lock")
    return "".join(f"{entries[name]}\n" for name in names)


if __name__ == "__main__":
    sys.stdout.write(subset((ROOT / "requirements.lock").read_text("utf-8"), sys.argv[1:]))
