"""The attacker's list: each attack is a function that tries it and tells the refusal that it met.

A test compares what it tells with what the list expects, and `docs/attacks.md` is written from the same list: so the
page says what was seen, not what is hoped for.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final, Literal

__all__ = ["ATTACKS", "Attack", "Server", "attack"]

Server = Literal["mosquitto", "kafka", "influxdb", "services", "none"]
"""The real server that is attacked, as the fixture of its name gives it; `none` is Garonne's own code."""


@dataclass(frozen=True)
class Attack:
    """Who tries what, and the refusal that must come of it."""

    name: str
    server: Server
    who: str
    tries: str
    refusal: str
    run: Callable[[Any], str]


ATTACKS: Final[dict[str, Attack]] = {}
"""By name, in the order of the modules."""


def attack(
    server: Server, name: str, *, who: str, tries: str, refusal: str
) -> Callable[[Callable[[Any], str]], Callable[[Any], str]]:
    """Put a function into the list. It is given the server, tries, and gives the refusal that it met."""

    def listed(run: Callable[[Any], str]) -> Callable[[Any], str]:
        assert name not in ATTACKS, f"two attacks are called {name}"
        ATTACKS[name] = Attack(name, server, who, tries, refusal, run)
        return run

    return listed
