"""`garonne keys`: the site's keys, and a new one, with the names of before or without a link to them."""

import os
import secrets
import tempfile
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from services.terminal import ConfigurationFile, fail, load_settings, print_table

if TYPE_CHECKING:
    from collections.abc import Sequence

    from services.ingest.keyring import Key

__all__ = ["keys"]

_BYTES: Final = 32

keys = typer.Typer(no_args_is_help=True, help="The site's keys: list, make a new one, throw an old one away.")

_Keep = Annotated[
    bool | None,
    typer.Option(
        "--keep/--cut", help="Homes keep their pseudonyms, and their history; or get new ones that nothing links to it."
    ),
]


@keys.command("ls")
def listed(config: ConfigurationFile = None) -> None:
    """List the keys by number; never the secrets."""
    path = _path(config)
    said = {
        "first": "its own pseudonyms",
        "keep": "the pseudonyms of the key before, new seals and vehicles",
        "cut": "new pseudonyms for everybody",
    }
    rows = [(each.number, str(each.made or "unknown"), each.mode, said[each.mode]) for each in _read(path)]
    print_table(str(path), ("key", "since", "how", "what it gives"), rows, right=("key",))


@keys.command()
def rotate(config: ConfigurationFile = None, keep: _Keep = None) -> None:
    """Make a new key. Say whether pseudonyms are kept (`--keep`) or cut (`--cut`), then start all services again.

    With `--keep` meters go on where they were: no gap, no jump. It changes the key of refused messages and of vehicles;
    who has stolen the key before can still compute the pseudonyms of homes. With `--cut` nobody can: every home begins
    anew, and its history stays under the name that it had, which only this file can link. Earlier keys stay in the
    file, so that what was sealed can be opened and a home that had two names can be forgotten under both.
    """
    from services.ingest.keyring import Key

    if keep is None:
        raise fail("say --keep (pseudonyms stay, history goes on) or --cut (new pseudonyms, no link)")
    path = _path(config)
    ring = _read(path)
    new = Key(ring[-1].number + 1, datetime.now(UTC).date(), "keep" if keep else "cut", secrets.token_bytes(_BYTES))
    _write(path, [*ring, new])
    typer.echo(f"Key {new.number} is in {path}. It holds from the next start of ingest and the aggregator on.")


@keys.command()
def drop(
    number: Annotated[int, typer.Argument(help="Of the key, as `garonne keys ls` lists it.")],
    config: ConfigurationFile = None,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
) -> None:
    """Throw an earlier key away: what was sealed under it is closed for ever, and so is the link to its pseudonyms.

    After that nobody, not the operator either, can say which home had which pseudonym, export it or forget it. A key
    whose pseudonyms are in use stays.
    """
    path = _path(config)
    ring = _read(path)
    if number not in {each.number for each in ring}:
        raise fail(f"there is no key {number}; `garonne keys ls` lists them")
    naming = max(index for index, each in enumerate(ring) if each.mode != "keep")
    if number >= ring[naming].number:
        raise fail(f"key {number} is in use: pseudonyms or seals of today are made with it; rotate with --cut first")
    if not yes:
        typer.confirm(f"What was sealed under key {number} cannot be opened any more. Throw it away?", abort=True)
    _write(path, _without(ring, number))
    typer.echo(f"Key {number} is gone. Copies of the file in backups still have it.")


def _without(ring: "Sequence[Key]", number: int) -> "list[Key]":
    """The ring without a key; one that kept its names has names of its own then, which nobody bears."""
    place = next(index for index, each in enumerate(ring) if each.number == number)
    rest = [*ring[:place], *ring[place + 1 :]]
    if rest[place].mode == "keep":
        rest[place] = rest[place]._replace(mode="cut")
    return [rest[0]._replace(mode="first"), *rest[1:]]


def _path(config: Path | None) -> Path:
    path = load_settings(config).key_file
    if path is None:
        raise fail("key_file is not set: there is no key; the configuration must name one")
    return path


def _read(path: Path) -> "tuple[Key, ...]":
    from services.ingest.keyring import parse_ring
    from services.ingest.pseudonyms import KeyProblem, read_keys

    try:
        read_keys(path)
        return parse_ring(path.read_bytes())
    except (KeyProblem, OSError) as problem:
        raise fail(problem) from None


def _write(path: Path, ring: "list[Key]") -> None:
    """Put the ring in the place of the file, whole or not at all, with its owner and its rights."""
    from services.ingest.keyring import ring_bytes

    try:
        found = path.stat()
        with tempfile.NamedTemporaryFile(dir=path.parent, prefix=f".{path.name}.", delete=False) as file:
            temporary = Path(file.name)
            try:
                os.fchmod(file.fileno(), found.st_mode & 0o777)
                if (found.st_uid, found.st_gid) != (os.geteuid(), os.getegid()):
                    os.fchown(file.fileno(), found.st_uid, found.st_gid)
                file.write(ring_bytes(ring))
                file.flush()
                os.fsync(file.fileno())
                temporary.replace(path)
            except BaseException:
                temporary.unlink(missing_ok=True)
                raise
    except OSError as error:
        raise fail(f"{path}: {error.strerror or error}; nothing was changed") from None
