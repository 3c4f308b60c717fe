"""What can be known to be wrong on this machine before a service starts: it says all of it, and does not begin.

Servers that do not answer are no reason: they are waited for, and health and the log say which and why.
"""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from services.runtime.settings import ServedSettings, Settings

__all__ = ["problems_at_start"]

_LEAST_FREE_BYTES: Final = 64 * 1024 * 1024
"""Less is a full disk: SQLite's journals alone need some."""


def problems_at_start(settings: Settings, *, ingest: bool, aggregate: bool) -> Iterator[str]:
    """Each as `key: what is wrong; what to do`, for the services that start here."""
    for key, path in _needed(settings, ingest=ingest, aggregate=aggregate).items():
        if path is None:
            continue
        if not path.is_file():
            yield f"{key}: there is no file {path}; make it, or set {key} to the right one"
        elif not os.access(path, os.R_OK):
            yield f"{key}: {path} cannot be read; give the user of this service the right to"
    if settings.storage == "embedded":
        yield from _folder(settings.embedded.folder)


def _needed(settings: Settings, *, ingest: bool, aggregate: bool) -> dict[str, Path | None]:
    needed: dict[str, Path | None] = {}
    if ingest:
        at = settings.mqtt
        needed |= {f"mqtt.{key}": getattr(at, key) for key in type(at).model_fields if key.endswith("_file")}
        needed |= _served("ingest", settings.ingest)
    if settings.storage == "servers":
        needed |= {"kafka.ca_file": settings.kafka.ca_file, "kafka.password_file": settings.kafka.password_file}
    if aggregate:
        needed |= _served("aggregator", settings.aggregator)
        if settings.storage == "servers":
            own = settings.influxdb
            needed |= {"influxdb.ca_file": own.ca_file, "influxdb.token_file": own.token_file}
    return needed


def _served(name: str, served: ServedSettings) -> dict[str, Path | None]:
    return {f"{name}.{key}": getattr(served, key) for key in ServedSettings.model_fields}


def _folder(folder: Path) -> Iterator[str]:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        free = shutil.disk_usage(folder).free
    except OSError as problem:
        yield f"embedded.folder: {folder} cannot be made: {problem.strerror or problem}; name another folder"
        return
    if not os.access(folder, os.W_OK | os.X_OK):
        yield f"embedded.folder: {folder} cannot be written; give the user of this service the right to"
    elif free < _LEAST_FREE_BYTES:
        yield f"embedded.folder: the disk of {folder} is full, {free >> 20} MiB are left; make room, nothing is lost"
