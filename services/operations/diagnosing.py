"""`garonne doctor`: is everything there, may everybody do what they must, and does a message go the whole way?"""

import asyncio
import json
import os
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from services.terminal import ConfigurationFile, load_settings

if TYPE_CHECKING:
    from services.operations.findings import Finding
    from services.runtime.settings import Settings

__all__ = ["doctor"]

_MARKS = {"good": ("ok", "green"), "warning": ("!", "yellow"), "bad": ("NO", "red"), "not seen": ("?", "blue")}


def doctor(
    config: ConfigurationFile = None,
    patience_s: Annotated[
        float, typer.Option("--patience", help="Seconds to wait for the probe at a hop.", min=1)
    ] = 30,
    send: Annotated[bool, typer.Option("--probe/--no-probe", help="Send one message the whole way.")] = True,
    as_json: Annotated[bool, typer.Option("--json", help="JSON instead of sentences.")] = False,
) -> None:
    """Look over a deployment, end to end, and say in plain words what is wrong and what to do.

    Files and who can read them, names, ports, TLS and how long certificates last, credentials, topics and buckets with
    their retention, clocks; then a probe goes from MQTT over Kafka to InfluxDB, and the time of each hop is told. It is
    of no home: it counts in no figure. Exits with 1 if something is wrong; warnings do not.
    """
    settings = load_settings(config)
    findings = asyncio.run(_diagnose(settings, patience_s, send=send))
    wrong = [each for each in findings if each.verdict == "bad"]
    if as_json:
        typer.echo(json.dumps({"ok": not wrong, "findings": [each.as_dict() for each in findings]}, indent=2))
    else:
        _print(findings)
    if wrong:
        raise typer.Exit(1)


async def _diagnose(settings: "Settings", patience_s: float, *, send: bool) -> "list[Finding]":
    from services.operations.inspecting import inspect_files, inspect_servers
    from services.operations.rights import ask_influxdb, ask_kafka

    findings = [*inspect_files(settings), *await inspect_servers(settings)]
    reached = {each.about for each in findings} - {each.about for each in findings if each.verdict == "bad"}
    if "Kafka" in reached and _readable(settings.kafka.password_file):
        findings += await ask_kafka(settings.kafka)
    if "InfluxDB" in reached and _readable(settings.influxdb.token_file):
        findings += await ask_influxdb(settings)
    if send:
        findings += await _probe(settings, {"MQTT", *_stores(settings)} - reached, patience_s)
    return findings


def _readable(path: object) -> bool:
    return path is None or os.access(str(path), os.R_OK)


def _stores(settings: "Settings") -> set[str]:
    return {"Kafka", "InfluxDB"} if settings.storage == "servers" else set()


async def _probe(settings: "Settings", unreached: set[str], patience_s: float) -> "list[Finding]":
    from services.aggregator.ports import Unavailable
    from services.ingest.assembly import keys_of
    from services.ingest.pseudonyms import KeyProblem
    from services.operations.findings import bad, unseen
    from services.operations.probing import open_tail, probe
    from services.running import open_scan, open_store
    from services.runtime.settings import ConfigurationProblem

    if unreached:
        return [unseen("probe", f"not sent: {' and '.join(sorted(unreached))} cannot be used")]
    try:
        keys, scan = keys_of(settings), open_scan(settings)
        async with open_store(settings) as store, open_tail(settings, scan) as tail:
            return await probe(settings, keys, tail, scan, store, patience_s)
    except (KeyProblem, ConfigurationProblem) as problem:
        return [unseen("probe", f"not sent: {problem}")]
    except (Unavailable, OSError) as problem:
        return [bad("probe", f"it cannot be followed: {problem}", "mend that, and run this again")]


def _print(findings: "Sequence[Finding]") -> None:
    for each in findings:
        mark, colour = _MARKS[each.verdict]
        took = "" if each.seconds is None else f" in {each.seconds:.2f} s"
        typer.secho(f"{mark:>3}  ", fg=colour, nl=False)
        typer.echo(f"{each.about}: {each.text}{took}")
        if each.advice:
            typer.echo(f"       → {each.advice}")
    wrong = sum(each.verdict == "bad" for each in findings)
    if wrong:
        typer.secho(f"{wrong} {'thing is' if wrong == 1 else 'things are'} wrong.", fg=typer.colors.RED)
    else:
        typer.secho("Garonne is well.", fg=typer.colors.GREEN)
