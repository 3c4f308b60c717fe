"""The command line `garonne`: one command per task, each with its own help. Imports lazily."""

import sys
import time
from contextlib import AbstractContextManager, nullcontext
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal, TextIO

import typer

from services.closing import kpi
from services.forgetting import forget
from services.operations.commands import add_operations
from services.operations.consenting import consent
from services.operations.copying import add_copying
from services.operations.diagnosing import doctor
from services.operations.enrolling import devices as devices_group
from services.operations.erasing import export
from services.operations.rotating import keys
from services.ownpages import family_page, team_page
from services.terminal import ConfigurationFile, fail, load_settings

if TYPE_CHECKING:
    from services.runtime.settings import Settings

app = typer.Typer(
    name="garonne",
    help="Telemetry for a city: meters and C-ITS messages from MQTT over Kafka to InfluxDB, KPIs and reports.",
    no_args_is_help=True,
    rich_markup_mode="markdown",
    pretty_exceptions_enable=False,
)

MessagesFile = Annotated[Path, typer.Argument(help="JSON lines; `-` reads standard input.", allow_dash=True)]


add_operations(app)
add_copying(app)
app.add_typer(consent, name="consent")
app.add_typer(devices_group, name="devices")
app.add_typer(keys, name="keys")
app.command()(doctor)
app.command()(export)
app.command()(forget)
app.command()(kpi)
app.command()(family_page)
app.command()(team_page)


class Audience(StrEnum):
    """Who may read a report."""

    PUBLIC = "public"
    MEMBERS = "members"


class Language(StrEnum):
    """Languages of a report."""

    FR = "fr"
    EN = "en"


def main() -> None:
    """Run the command line; an error that the user can repair is one line, not a traceback."""
    app()


def _opened(path: Path, mode: Literal["r", "w"] = "r") -> AbstractContextManager[TextIO]:
    """A text file; `-` is standard input or output, which stays open."""
    if str(path) == "-":
        return nullcontext(sys.stdin if mode == "r" else sys.stdout)
    return path.open(mode, encoding="utf-8")


@app.command()
def check(config: ConfigurationFile = None) -> None:
    """Check configuration, key, registry, junctions and profiles; opens no connection.

    Exits with 1 and the exact faulty key if something is wrong.
    """
    from services.checking import check_configuration

    settings = load_settings(config)
    problems = list(check_configuration(settings))
    for problem in problems:
        typer.secho(f"{config or 'environment'}: {problem}", err=True, fg=typer.colors.RED)
    if problems:
        raise typer.Exit(1)
    from services.ingest.assembly import enabled_profiles

    for name, profile in enabled_profiles(settings).items():
        typer.echo(f"{name:<24}{profile.stability:<13}{profile.summary}")
    typer.secho("The configuration is right.", fg=typer.colors.GREEN)


@app.command()
def normalise(file: MessagesFile, config: ConfigurationFile = None) -> None:
    """Show what Garonne makes of recorded messages, without any server.

    Input: one JSON object a line, `{"topic", "payload" or "payload_b64", "received_at", "retained"}`.
    Output: one line each, `{"records": […]}`, `{"rejected": {…}}` or `{"ignored": {"rule": …}}`; a line that is not a
    recorded message gives `{"error": …}` and the exit code 1.
    """
    from services.ingest.assembly import PROBLEMS
    from services.offline import normalise_lines

    settings = load_settings(config)
    if settings.key_file is None:
        typer.secho("No key_file is configured: these pseudonyms are made with a trial key.", err=True, dim=True)
    faulty = 0
    try:
        with _opened(file) as lines:
            for text, good in normalise_lines(lines, settings):
                typer.echo(text)
                faulty += not good
    except PROBLEMS as problem:
        raise fail(problem) from None
    except OSError as error:
        raise fail(f"{file}: {error.strerror or error}") from None
    if faulty:
        raise typer.Exit(1)


@devices_group.command("list")
def devices(  # noqa: PLR0913, PLR0917 - the options of the command
    file: Annotated[
        Path | None, typer.Argument(help="JSON lines instead of the broker; `-` reads standard input.")
    ] = None,
    config: ConfigurationFile = None,
    seconds: Annotated[float, typer.Option(help="How long to listen to the broker.", min=1)] = 10.0,
    topics: Annotated[list[str] | None, typer.Option("--topic", help="Topic filters; all messages if none.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object a line.")] = False,
    silent: Annotated[str | None, typer.Option(help="Registered devices not heard for 90min, 2h, 3d instead.")] = None,
    health: Annotated[str | None, typer.Option(help="Rhythm and gaps of registered devices in 2h, 7d instead.")] = None,
) -> None:
    """List what publishes, what is read of it, and what is not and why; `enrol` and `revoke` say who may log in.

    Listens to the broker of the configuration for a while, or reads a recording. Nothing is stored or sent on. With
    `--silent` the store is asked which devices of the registry were not heard for so long; with `--health` how often
    each is heard, when it last was, and how many messages are missing when.
    """
    import json

    from services.devices import survey
    from services.ingest.assembly import PROBLEMS
    from services.offline import recorded_messages
    from services.recorder import BrokerProblem
    from services.recorder import record as messages_of

    settings = load_settings(config)
    if silent is not None or health is not None:
        _list_registered(settings, silent, health, as_json=as_json)
        return
    try:
        if file is None:
            lines = survey(messages_of(settings.mqtt, tuple(topics or ("#",)), seconds=seconds), settings)
        else:
            with _opened(file) as recorded:
                lines = survey(recorded_messages(recorded), settings)
    except (BrokerProblem, OSError, ValueError, *PROBLEMS) as problem:
        raise fail(problem) from None
    for line in lines:
        typer.echo(json.dumps(line.as_dict(), ensure_ascii=False) if as_json else line.as_text())
    if not lines:
        typer.secho("Nothing was published meanwhile.", err=True, dim=True)


def _list_registered(settings: "Settings", silent: str | None, health: str | None, *, as_json: bool) -> None:
    import json

    from services.aggregator.ports import Unavailable
    from services.ingest.assembly import PROBLEMS
    from services.silence import duration_of, find_health, find_silent

    if settings.households_file is None:
        raise fail("households_file is not set: silence can only be told of devices that the registry lists")
    try:
        if health is not None:
            for device in find_health(settings, duration_of(health)):
                typer.echo(json.dumps(device.as_dict(), ensure_ascii=False) if as_json else device.as_text())
            return
        found = find_silent(settings, duration_of(silent or ""))
    except (ValueError, Unavailable, *PROBLEMS) as problem:
        raise fail(problem) from None
    for each in found:
        typer.echo(each.as_text())
    if not found:
        typer.secho("Every device of the registry was heard.", fg=typer.colors.GREEN)


@app.command()
def record(
    topics: Annotated[list[str] | None, typer.Argument(help="Topic filters; all messages if none.")] = None,
    config: ConfigurationFile = None,
    output: Annotated[Path, typer.Option("--output", "-o", help="File to write; `-` is standard output.")] = Path("-"),
    count: Annotated[int | None, typer.Option(help="Stop after so many messages.", min=1)] = None,
    seconds: Annotated[float | None, typer.Option(help="Stop after so many seconds.", min=0)] = None,
) -> None:
    """Record what a broker publishes as JSON lines, for `normalise` and `replay`."""
    from services.ingest.jsonlines import write_line
    from services.recorder import BrokerProblem
    from services.recorder import record as messages_of

    recorded = 0
    try:
        with _opened(output, "w") as file:
            for message in messages_of(load_settings(config).mqtt, tuple(topics or ("#",)), seconds=seconds):
                file.write(write_line(message) + "\n")
                file.flush()
                recorded += 1
                if recorded == count:
                    break
    except (BrokerProblem, OSError) as problem:
        raise fail(problem) from None
    except KeyboardInterrupt:
        pass
    typer.secho(f"{recorded} messages recorded", err=True)


@app.command()
def replay(
    file: MessagesFile,
    config: ConfigurationFile = None,
    rate: Annotated[float | None, typer.Option(help="Messages per second; as fast as possible if not given.")] = None,
) -> None:
    """Publish recorded messages to a broker at QoS 1."""
    from services.offline import recorded_messages, watched
    from services.recorder import BrokerProblem, Replay

    publisher = Replay(load_settings(config).mqtt, rate_per_s=rate)
    try:
        with _opened(file) as lines:
            published = 0
            for published in watched(publisher.run(recorded_messages(lines)), "Replaying"):  # noqa: B007
                pass
    except (BrokerProblem, OSError, ValueError) as problem:
        raise fail(problem) from None
    typer.secho(f"{published} messages published, {publisher.acknowledged} acknowledged by the broker", err=True)


@app.command()
def ingest(config: ConfigurationFile = None) -> None:
    """Take messages from the MQTT broker, normalise them, write them to the event log, acknowledge."""
    from services.running import StartProblem, serve

    try:
        serve(load_settings(config), ingest=True, aggregate=False, file=config)
    except StartProblem as problem:
        raise fail(problem) from None


@app.command()
def aggregate(config: ConfigurationFile = None) -> None:
    """Read the event log, compute windows, write points to the time series."""
    from services.running import StartProblem, serve

    try:
        serve(load_settings(config), ingest=False, aggregate=True, file=config)
    except StartProblem as problem:
        raise fail(problem) from None


@app.command()
def run(config: ConfigurationFile = None) -> None:
    """Ingest and aggregate in one process: for development, a small town hall.

    With `storage = "embedded"` and `broker = true` under `[embedded]` this one command is all there is: an MQTT broker
    (devices on `devices_port`, MQTT 3.1.1), event log and time series in two files, no server beside it. That broker
    is in memory and asks no passwords: what devices publish while the command does not run is lost, so it is for a
    network that one trusts, and for devices that count.

        storage = "embedded"
        key_file = "garonne.key"
        [mqtt]
        port = 1884
        broker_inflight = 100
        [ingest]
        batch = 50
        [embedded]
        broker = true
        broker_host = "0.0.0.0"
    """
    from services.running import StartProblem, serve

    try:
        serve(load_settings(config), ingest=True, aggregate=True, file=config)
    except StartProblem as problem:
        raise fail(problem) from None


@app.command()
def report(  # noqa: PLR0913, PLR0917 - the options of a report
    config: ConfigurationFile = None,
    period: Annotated[
        str | None,
        typer.Option(help="First and last day, `2025-11-01..2026-03-31`; the newest winter from November to March."),
    ] = None,
    baseline: Annotated[
        str | None,
        typer.Option(help="The same days of an earlier year; the year before if not given, `none` for no comparison."),
    ] = None,
    lang: Annotated[Language, typer.Option(help="Language of the report.")] = Language.FR,
    form: Annotated[
        str, typer.Option("--format", help="`html`, `json`, `csv`, `ngsi-ld`, `pdf`, `dcat`; several with a comma.")
    ] = "html,json",
    programme: Annotated[
        list[str] | None,
        typer.Option(help="`citykeys`, `familles`, `compass4d` or `pionniers`; repeat it; all of them if not given."),
    ] = None,
    audience: Annotated[
        Audience, typer.Option(help="`members` of the programmes see teams of five to nine families too.")
    ] = Audience.PUBLIC,
    output: Annotated[Path, typer.Option("--output", "-o", help="Folder for the files.")] = Path("report"),
) -> None:
    """Make a report of the city's indicators: a page for people, JSON for machines, values for Grafana.

    A saving is told against the same calendar days of an earlier winter, as measured and in the same weather. What
    cannot be told is listed with the reason.
    """
    import asyncio

    from services.reporting import ReportProblem, make_report, periods_of

    try:
        asked, before = periods_of(period, baseline)
        paths = asyncio.run(
            make_report(
                load_settings(config),
                start=asked.start,
                end=asked.end,
                baseline_start=before.start if before else None,
                baseline_end=before.end if before else None,
                language=lang.value,
                formats=[each.strip() for each in form.split(",") if each.strip()],
                folder=output,
                wanted=programme or (),
                audience=audience.value,
            )
        )
    except ReportProblem as problem:
        raise fail(problem) from None
    for path in paths:
        typer.echo(str(path))


@app.command()
def demo(  # noqa: PLR0913, PLR0917 - the sizes of a city
    folder: Annotated[Path, typer.Option(help="Where everything is written; what is there of an earlier one goes.")] = (
        Path("var/demo")
    ),
    language: Annotated[Language, typer.Option(help="Of the report.")] = Language.FR,
    families: Annotated[int, typer.Option(help="Families that take part.", min=2, max=1000)] = 100,
    days: Annotated[int | None, typer.Option(help="Days of each winter; all 151 if not given.", min=2, max=151)] = None,
    traffic_minutes: Annotated[int, typer.Option(help="How long the traffic is watched.", min=0, max=300)] = 40,
    seed: Annotated[int, typer.Option(help="Another number makes another city.")] = 33,
) -> None:
    """Show a simulated Bordeaux, from MQTT to a report, without any server.

    Starts the embedded broker, `garonne ingest` and `garonne aggregate`, and publishes over MQTT 3.1.1 what 100
    families in 12 teams, a weather station and 12 junctions would: two whole winters of Linky and Tasmota meters, with
    the faults that meters have, and the traffic of the last 40 minutes. Waits until every message is accounted for
    (published = stored + rejected + ignored), compares what is stored with what was simulated, writes the report.

    Afterwards the folder holds a configuration to try the other commands on, such as
    `garonne run -c var/demo/garonne.toml`. Takes one to three minutes and some 700 MB of disk.
    """
    from rich.console import Console

    from services.demo import DemoProblem, Options, run_demo

    console, started_s = Console(), time.monotonic()
    options = Options(
        folder=folder,
        language=language.value,
        seed=seed,
        families=families,
        days=days,
        traffic_minutes=traffic_minutes,
    )
    try:
        result = run_demo(options, console)
    except DemoProblem as problem:
        raise fail(problem) from None
    except KeyboardInterrupt:
        typer.secho("Stopped.", err=True)
        raise typer.Exit(130) from None
    typer.echo(f"Took {time.monotonic() - started_s:.0f} s. The reports:")
    for path in reversed(result.report):
        typer.echo(path)
