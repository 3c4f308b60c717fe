"""`garonne rejected ls|show|stats|replay`: what was refused, and the way back in. Imports lazily."""

import asyncio
import json
from collections import Counter
from typing import TYPE_CHECKING, Annotated

import typer

from services.terminal import ConfigurationFile, fail, instant_of, load_settings, print_table

if TYPE_CHECKING:
    from services.ingest.normalise import Normaliser
    from services.operations.rejections import Found, Rejection, Wanted
    from services.operations.replaying import Replayed
    from services.runtime.settings import Settings

__all__ = ["rejected"]

rejected = typer.Typer(help="What was refused: list, look at, count, bring back in.", no_args_is_help=True)

Reason = Annotated[str | None, typer.Option(help="Only this reason, such as `no_profile`.")]
Stage = Annotated[str | None, typer.Option(help="Only this stage: `route`, `parse`, `normalise` or `store`.")]
Profile = Annotated[str | None, typer.Option(help="Only this profile; `none` where no profile took the message.")]
Since = Annotated[str | None, typer.Option("--from", help="Received at or after this day or instant.")]
Until = Annotated[str | None, typer.Option("--to", help="Received before this day or instant.")]
Limit = Annotated[int | None, typer.Option(help="The oldest so many.", min=1)]
AsJson = Annotated[bool, typer.Option("--json", help="JSON instead of a table.")]
SettledToo = Annotated[bool, typer.Option("--all", help="Those that were brought back in as well.")]


def _wanted(
    settings: "Settings",
    reason: str | None,
    stage: str | None,
    profile: str | None,
    times: tuple[str | None, str | None],
) -> "Wanted":
    from services.operations.rejections import Wanted

    since, until = (instant_of(each, settings.timezone) for each in times)
    return Wanted(reason, stage, profile, since, until)


def _find(settings: "Settings", wanted: "Wanted") -> "Found":
    from services.aggregator.ports import Unavailable
    from services.operations.rejections import find_rejections
    from services.running import open_scan

    try:
        return asyncio.run(find_rejections(open_scan(settings), wanted))
    except Unavailable as problem:
        raise fail(problem) from None


@rejected.command("ls")
def list_rejections(  # noqa: PLR0913, PLR0917 - the options of the command
    config: ConfigurationFile = None,
    reason: Reason = None,
    stage: Stage = None,
    profile: Profile = None,
    since: Since = None,
    until: Until = None,
    limit: Limit = 100,
    every: SettledToo = False,
    as_json: AsJson = False,
) -> None:
    """List rejections that are still open, oldest first. Shows no topic and no bytes: they are sealed."""
    settings = load_settings(config)
    found = _find(settings, _wanted(settings, reason, stage, profile, (since, until)))
    listed = found.all() if every else found.still_open()
    shown = listed[:limit]
    if as_json:
        for each in shown:
            typer.echo(json.dumps(each.as_dict(), ensure_ascii=False))
        return
    columns = ("id", "received", "stage", "reason", "profile", "bytes", "copies", "settled", "detail")
    rows = [
        (
            e.id[:16],
            f"{e.received_at:%F %T}",
            e.stage,
            e.reason,
            e.profile,
            e.size_bytes,
            e.copies,
            e.settled or "",
            e.detail,
        )
        for e in shown
    ]
    print_table(f"{len(shown)} of {len(listed)} rejections", columns, rows, right=("bytes", "copies"))


@rejected.command()
def stats(  # noqa: PLR0913, PLR0917 - the options of the command
    config: ConfigurationFile = None,
    reason: Reason = None,
    stage: Stage = None,
    profile: Profile = None,
    since: Since = None,
    until: Until = None,
    as_json: AsJson = False,
) -> None:
    """Count rejections by stage, reason and profile."""
    from services.operations.rejections import counted

    settings = load_settings(config)
    lines = counted(_find(settings, _wanted(settings, reason, stage, profile, (since, until))).all())
    if as_json:
        for line in lines:
            times = {"first": line.first.isoformat(), "last": line.last.isoformat()}
            typer.echo(json.dumps({**line._asdict(), **times}))
        return
    columns = ("stage", "reason", "profile", "open", "settled", "first", "last")
    rows = [(*line[:5], f"{line.first:%F %T}", f"{line.last:%F %T}") for line in lines]
    print_table("Rejections", columns, rows, right=("open", "settled"))


@rejected.command()
def show(
    identity: Annotated[str, typer.Argument(metavar="ID", help="Of the rejection, or how it begins.")],
    config: ConfigurationFile = None,
    as_line: Annotated[bool, typer.Option("--json", help="One line for `garonne normalise -`.")] = False,
) -> None:
    """Show topic and bytes of a rejection: this needs the key of the site.

    With `--json` the output is a recorded message, so that a mended configuration can be tried on it:
    `garonne rejected show ID --json | garonne normalise -`.
    """
    from services.ingest.jsonlines import write_line
    from services.ingest.profiles import Message

    settings = load_settings(config)
    rejection, (topic, content, retained) = _open(settings, identity)
    if as_line:
        typer.echo(write_line(Message(topic, content, rejection.received_at, retained)))
        return
    for name, value in rejection.as_dict().items():
        typer.echo(f"{name:<12} {value}")
    typer.echo(f"{'topic':<12} {topic}")
    try:
        text = content.decode()
    except UnicodeDecodeError:
        text = content.hex(" ")
    typer.echo(text)


def _open(settings: "Settings", identity: str) -> tuple["Rejection", tuple[str, bytes, bool]]:
    from services.aggregator.ports import Unavailable
    from services.aggregator.scanning import REJECTED
    from services.ingest.assembly import keys_of
    from services.ingest.pseudonyms import KeyProblem
    from services.operations.rejections import FORGOTTEN, Wanted
    from services.operations.replaying import unsealed
    from services.running import open_scan

    found = [each for each in _find(settings, Wanted()).all() if each.id.startswith(identity)]
    if len(found) != 1:
        raise fail(f"{len(found)} rejections begin with {identity!r}; `garonne rejected ls --all` lists them")
    if found[0].settled == FORGOTTEN:
        raise fail(f"{identity}: its household is forgotten, and what it sent is not shown any more")
    partition, offset = found[0].place

    async def read() -> tuple[str, bytes, bool]:
        place = (REJECTED, partition)
        async for batch in open_scan(settings).read({place: offset + 1}, start={place: offset}):
            for incoming in batch:
                record, topic, content = unsealed(incoming, keys_of(settings))
                return topic, content, record.retained
        raise KeyProblem("the event log does not have it any more")

    try:
        return found[0], asyncio.run(read())
    except (KeyProblem, Unavailable) as problem:
        raise fail(problem) from None


@rejected.command()
def replay(  # noqa: PLR0913, PLR0917 - the options of the command
    config: ConfigurationFile = None,
    reason: Reason = None,
    stage: Stage = None,
    profile: Profile = None,
    since: Since = None,
    until: Until = None,
    limit: Limit = None,
    dry: Annotated[bool, typer.Option("--dry-run", help="Write nothing; only say what would become of them.")] = False,
    announcements_s: Annotated[
        float,
        typer.Option("--announcements", help="Seconds to hear what the broker announces; 0: not at all.", min=0),
    ] = 3.0,
    as_json: AsJson = False,
) -> None:
    """Bring open rejections back in: with a mended profile, mapping, registry or time series.

    Messages go through normalisation again and get the events that they would have had; what is refused again stays
    as it is. The events of points that the time series refused are appended to the log once more. Doing it twice
    changes nothing.
    """
    from services.aggregator.ports import Unavailable
    from services.ingest.assembly import PROBLEMS
    from services.ingest.ports import Unavailable as SinkUnavailable

    settings = load_settings(config)
    found = _find(settings, _wanted(settings, reason, stage, profile, (since, until)))
    chosen = found.still_open()[:limit]
    try:
        replayed = asyncio.run(_replay(settings, chosen, dry=dry, announcements_s=announcements_s))
    except (Unavailable, SinkUnavailable, *PROBLEMS) as problem:
        raise fail(problem) from None
    if as_json:
        for each in replayed:
            typer.echo(json.dumps({"id": each.rejection.id, "outcome": each.outcome, "detail": each.detail}))
        return
    counts = Counter((each.outcome, each.rejection.reason, each.detail) for each in replayed)
    rows = [(*key, number) for key, number in counts.most_common()]
    title = f"{len(chosen)} rejections{', nothing written' if dry else ''}"
    print_table(title, ("outcome", "was refused as", "detail", "number"), rows, right=("number",))


async def _replay(
    settings: "Settings", chosen: "list[Rejection]", *, dry: bool, announcements_s: float
) -> "list[Replayed]":
    from services.ingest.assembly import build_normaliser, keys_of
    from services.offline import watched_async
    from services.operations.replaying import Replay
    from services.running import open_scan, open_sink

    normaliser, _ = build_normaliser(settings)
    if announcements_s and any(each.reason == "no_profile" for each in chosen):
        await asyncio.to_thread(_hear_announcements, settings, normaliser, announcements_s)
    replayed: list[Replayed] = []
    async with open_sink(settings) as sink:
        parts = Replay(open_scan(settings), sink, normaliser, keys_of(settings), dry=dry).run(chosen)
        async for part in watched_async(parts, "Replaying", len(chosen)):
            replayed += part
    return replayed


def _hear_announcements(settings: "Settings", normaliser: "Normaliser", seconds: float) -> None:
    """What a device is called may have been announced: a message that no profile takes may be known by now."""
    if not normaliser.announcements:
        return
    try:
        from services.recorder import BrokerProblem, record
    except ModuleNotFoundError as missing:
        typer.secho(f"No announcements are heard: {missing}; install garonne[simulator]", err=True, dim=True)
        return
    try:
        for message in record(settings.mqtt, normaliser.announcements, seconds=seconds):
            normaliser(message)
    except BrokerProblem as problem:
        typer.secho(f"No announcements are heard: {problem}", err=True, dim=True)
