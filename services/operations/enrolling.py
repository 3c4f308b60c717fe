"""`garonne devices enrol` and `revoke`: who may log in to the broker of the shipped deployment, and write what.

Passwords, certificates and the broker's lists are made by the deployment's own `make_secrets.py`, which needs nothing
but Python: so there is one place that writes them, with or without Garonne installed.
"""

import subprocess
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from services.terminal import fail

__all__ = ["devices"]

_Deployment = Annotated[Path, typer.Option("--deployment", help="Folder with make_secrets.py, the shipped deploy/.")]
_Name = Annotated[str, typer.Argument(help="As its topics have it: letters, digits and . : _ -, 64 at most.")]


class _ListByDefault(typer.core.TyperGroup):
    """`garonne devices` and `garonne devices FILE` mean `garonne devices list`, with `--help` too."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Put the name of the default command before what is none of the others."""
        if not args or args[0] not in self.commands:
            args = ["list", *args]
        return super().parse_args(ctx, args)


devices = typer.Typer(
    cls=_ListByDefault,
    help="What publishes, what is read of it and what is not (`list`, which need not be said); who may log in.",
)


@devices.command()
def enrol(
    name: _Name,
    family: Annotated[
        list[str] | None, typer.Option(help="Give it all topics of a profile, as to a gateway; repeat it.")
    ] = None,
    topic: Annotated[list[str] | None, typer.Option(help="Give it a topic filter besides its own; repeat it.")] = None,
    station: Annotated[bool, typer.Option("--station", help="A roadside unit: key and certificate.")] = False,
    deployment: _Deployment = Path("deploy"),
) -> None:
    """Let a device log in: a password, or a certificate for a roadside unit, and its entries in the broker's ACL.

    Under its own name a device may always write, where the family's topics say who speaks. A gateway whose topics do
    not (Zigbee2MQTT, raw TIC or P1, wM-Bus, Home Assistant) gets them by `--family` or `--topic`: it is then trusted
    to say which meter speaks.
    """
    from services.ingest.profiles import discover

    known = discover()
    for each in family or ():
        if each not in known:
            raise fail(f"there is no profile {each!r}; known are {', '.join(known)}")
    topics = [*(each for one in family or () for each in known[one].topics), *(topic or ())]
    given = [word for each in topics for word in ("--topic", each)]
    _run(deployment, f"--station={name}" if station else f"--device={name}", *given)


@devices.command()
def revoke(name: _Name, deployment: _Deployment = Path("deploy")) -> None:
    """Take back what a device logs in with, and its topics. A new `enrol` makes new ones."""
    _run(deployment, f"--revoke={name}")


def _run(deployment: Path, *arguments: str) -> None:
    script = deployment / "make_secrets.py"
    if not script.is_file():
        raise fail(f"{script}: there is no such file; name the folder of the shipped deployment by --deployment")
    command = [sys.executable, str(script), *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603 - the deployment's own
    if done.returncode:
        raise fail(done.stderr.strip())
    typer.echo(done.stdout, nl=False)
    typer.secho("The broker takes it with: docker compose kill -s HUP mosquitto", dim=True, err=True)
