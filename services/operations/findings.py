"""What `garonne doctor` found: one sentence each, and what to do if it is not good."""

from dataclasses import asdict, dataclass
from typing import Any, Literal

__all__ = ["Finding", "bad", "good", "unseen", "warning"]

Verdict = Literal["good", "warning", "bad", "not seen"]


@dataclass(frozen=True)
class Finding:
    """A thing that was looked at.

    Attributes:
        about: what it is about: a server, a file, a hop of the probe.
        verdict: `not seen` if this machine or this user cannot see it.
        text: what was found.
        advice: what to do; empty if it is good.
        seconds: how long it took, for hops of the probe.
    """

    about: str
    verdict: Verdict
    text: str
    advice: str = ""
    seconds: float | None = None

    def as_dict(self) -> dict[str, Any]:
        """For machines."""
        return asdict(self)


def good(about: str, text: str, seconds: float | None = None) -> Finding:
    """As it should be."""
    return Finding(about, "good", text, seconds=seconds)


def warning(about: str, text: str, advice: str) -> Finding:
    """It works, and will not for long, or not as well as it should."""
    return Finding(about, "warning", text, advice)


def bad(about: str, text: str, advice: str) -> Finding:
    """It does not work."""
    return Finding(about, "bad", text, advice)


def unseen(about: str, text: str) -> Finding:
    """It cannot be seen from here; nothing is said of it."""
    return Finding(about, "not seen", text)
