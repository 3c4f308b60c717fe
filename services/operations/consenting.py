"""`garonne consent`: what households agree to, and withdraw. Adds lines to the consent file and never changes one."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from services.terminal import ConfigurationFile, fail, instant_of, load_settings, print_table

if TYPE_CHECKING:
    from services.runtime.settings import Settings

__all__ = ["consent"]

consent = typer.Typer(no_args_is_help=True, help="What households agree to: grant, withdraw, list.")

_Household = Annotated[str, typer.Argument(help="As the registry names it, or `<profile>:<identifier>` of its device.")]
_From = Annotated[str | None, typer.Option("--from", help="First day or instant; now if not given.")]
_Until = Annotated[str | None, typer.Option("--to", help="Day or instant from which it does not hold any more.")]
_GrantPurposes = Annotated[list[str], typer.Option("--for", help="`advice`, `challenge`, `city`; repeat it.")]
_WithdrawPurposes = Annotated[list[str] | None, typer.Option("--for", help="Purpose; repeat it; all if not given.")]
_Fineness = Annotated[str, typer.Option(help="`daily`, `half_hourly` or `live`.")]


@consent.command()
def grant(  # noqa: PLR0913, PLR0917 - the parts of a consent
    household: _Household,
    purposes: _GrantPurposes,
    granularity: _Fineness = "daily",
    since: _From = None,
    until: _Until = None,
    config: ConfigurationFile = None,
) -> None:
    """A household agrees, for these purposes, to values this fine."""
    settings = load_settings(config)
    _write(settings, household, "grant", purposes, granularity, since, until)


@consent.command()
def withdraw(
    household: _Household,
    purposes: _WithdrawPurposes = None,
    since: _From = None,
    config: ConfigurationFile = None,
) -> None:
    """A household takes its consent back. What is stored already stays: `garonne forget` deletes it."""
    from services.ingest.consent import PURPOSES

    _write(load_settings(config), household, "withdraw", purposes or list(PURPOSES), None, since, None)


@consent.command("ls")
def listed(
    config: ConfigurationFile = None,
    household: Annotated[str | None, typer.Option(help="The changes of one household.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object a line.")] = False,
) -> None:
    """List all changes, in the order in which they were written down."""
    from services.ingest.consentfile import ConsentProblem, read_changes

    settings = load_settings(config)
    try:
        changes = [each for each in read_changes(_file(settings)) if household in {None, each.household}]
    except ConsentProblem as problem:
        raise fail(problem) from None
    if as_json:
        for each in changes:
            typer.echo(json.dumps(each.model_dump(mode="json", by_alias=True), ensure_ascii=False))
        return
    print_table(
        "Consent",
        ("recorded", "household", "change", "purposes", "granularity", "from", "to"),
        [
            (
                *(f"{each.recorded_at:%F %R}", each.household, each.action, ", ".join(each.purposes)),
                *(each.granularity or "", each.start.isoformat(), each.until.isoformat() if each.until else ""),
            )
            for each in changes
        ],
    )


def _file(settings: "Settings") -> Path:
    if settings.consent_file is None:
        raise fail("consent_file is not set: name a file in the configuration, such as consent_file = 'consent.jsonl'")
    return settings.consent_file


def _write(  # noqa: PLR0913, PLR0917 - the parts of a change
    settings: "Settings",
    household: str,
    action: Literal["grant", "withdraw"],
    purposes: list[str],
    granularity: str | None,
    since: str | None,
    until: str | None,
) -> None:
    from pydantic import ValidationError

    from services.ingest.consent import Change
    from services.ingest.consentfile import ConsentProblem, append_change, check_households
    from services.runtime.registry import RegistryProblem, read_registry

    now = datetime.now(UTC).replace(microsecond=0)
    path = _file(settings)
    try:
        change = Change.model_validate(
            {
                "recorded_at": now,
                "household": household,
                "action": action,
                "purposes": tuple(dict.fromkeys(purposes)),
                "granularity": granularity,
                "from": instant_of(since, settings.timezone) or now,
                "until": instant_of(until, settings.timezone),
            }
        )
        registry = read_registry(settings.households_file)
        check_households(path, [change], frozenset(each.id for each in registry.households))
        append_change(path, change)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        place = ".".join(str(part) for part in first["loc"])
        raise fail(f"{place + ': ' if place else ''}{first['msg'].removeprefix('Value error, ')}") from None
    except (ConsentProblem, RegistryProblem) as problem:
        raise fail(problem) from None
    typer.echo(f"Written: {household} {action} {', '.join(change.purposes)}.")
