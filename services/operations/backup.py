"""A copy of the event log and the time series in a folder, and back into empty servers.

The order makes a copy that was taken while everything runs whole: first where the aggregator stands, then the time
series, then the event log up to its end. So what the time series holds is in the log, and what the aggregator has not
stored yet it reads again after a restore: the same points, nothing twice. Offsets begin at 0 in a new Kafka; where the
aggregator stands is counted anew.

The manifest names every file with its SHA-256 and number of lines, and is written last: a copy without one is none.
"""

import gzip
import hashlib
import json
import os
from base64 import b64decode, b64encode
from collections import Counter
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from typing import Any, Final

from schemas.envelope import TOPICS
from services.aggregator.adapters.influx import InfluxStore
from services.aggregator.adapters.influx_copy import lines_back, lines_of
from services.aggregator.adapters.kafka_copy import Copied, put_back, put_group, take_out
from services.aggregator.adapters.kafka_scan import KafkaScan
from services.aggregator.ports import BUCKETS, Partition
from services.runtime.kafka import ensure_topics
from services.runtime.settings import KafkaSettings, Settings

__all__ = ["BackupProblem", "back_up", "restore"]

_MANIFEST: Final = "manifest.json"
_AT_ONCE: Final = 2000
_LINES: Final = 5000
_PATIENCE_S: Final = 90.0


class BackupProblem(Exception):
    """A copy cannot be made or used; the text says why and what to do."""


async def back_up(settings: Settings, folder: Path) -> dict[str, int]:
    """Copy everything into a folder that is new or empty; gives the number of lines by file.

    Raises:
        BackupProblem: the folder holds something.
        Unavailable: a server does not answer; the folder is no copy then.
        OSError: the folder cannot be written.
    """
    _new(folder)
    kafka = _patient(settings.kafka)
    scan, topics = KafkaScan(kafka), sorted(set(TOPICS.values()))
    stands = await scan.committed(topics)
    files: dict[str, dict[str, Any]] = {}
    async with InfluxStore(settings.influxdb) as store:
        for name in BUCKETS:
            files[f"{name}.line.gz"] = await _write(folder / f"{name}.line.gz", lines_of(store, name))
    ends = await scan.ends(topics)
    before: Counter[Partition] = Counter()
    for topic in topics:
        records = _encoded(take_out(kafka, topic, ends), topic, stands, before)
        files[f"{topic}.jsonl.gz"] = await _write(folder / f"{topic}.jsonl.gz", records)
    manifest = {
        "made_at": datetime.now(UTC).isoformat(),
        "partitions": Counter(topic for topic, _ in ends),
        "group": [[topic, partition, before[topic, partition]] for topic, partition in sorted(stands)],
        "files": files,
    }
    _private(folder / _MANIFEST, json.dumps(manifest, indent=1).encode())
    return {name: each["lines"] for name, each in files.items()}


def _patient(kafka: KafkaSettings) -> KafkaSettings:
    """A Kafka that was just started, or has much to read, may take its time."""
    return kafka.model_copy(update={"delivery_timeout_s": max(_PATIENCE_S, kafka.delivery_timeout_s)})


def _new(folder: Path) -> None:
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    if any(folder.iterdir()):
        raise BackupProblem(f"{folder} is not empty: name a new folder for each copy")


async def _encoded(
    parts: AsyncIterator[list[Copied]], topic: str, stands: Mapping[Partition, int], before: Counter[Partition]
) -> AsyncIterator[list[bytes]]:
    """Records as lines; counts those that the aggregator has stored."""
    async for part in parts:
        lines = []
        for each in part:
            place = (topic, each.partition)
            before[place] += each.offset < stands.get(place, 0)
            said = [each.partition, each.offset, each.timestamp_ms, _text(each.key), _text(each.value)]
            lines.append(json.dumps([*said, [[k, _text(v)] for k, v in each.headers]]).encode())
        yield lines


def _text(content: bytes | None) -> str | None:
    return None if content is None else b64encode(content).decode()


def _bytes(text: str | None) -> bytes | None:
    return None if text is None else b64decode(text)


def _private(path: Path, content: bytes) -> None:
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


async def _write(path: Path, parts: AsyncIterator[list[bytes]]) -> dict[str, Any]:
    """A file of lines; gives its number of lines and its hash."""
    number = 0
    with (
        os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as raw,
        gzip.GzipFile(fileobj=raw, mode="wb", compresslevel=3, mtime=0) as file,
    ):
        async for part in parts:
            number += len(part)
            file.write(b"".join(each + b"\n" for each in part))
    with path.open("rb") as written:
        return {"lines": number, "sha256": hashlib.file_digest(written, "sha256").hexdigest()}


def _checked(folder: Path) -> dict[str, Any]:
    """The manifest of a copy whose files are as they were written.

    Raises:
        BackupProblem: they are not.
    """
    try:
        manifest: dict[str, Any] = json.loads((folder / _MANIFEST).read_bytes())
    except (OSError, ValueError) as error:
        raise BackupProblem(f"{folder} is no whole copy: it has no readable {_MANIFEST}") from error
    for name, said in manifest["files"].items():
        try:
            with (folder / name).open("rb") as file:
                digest = hashlib.file_digest(file, "sha256").hexdigest()
        except OSError as error:
            raise BackupProblem(f"{folder / name}: {error.strerror or error}") from error
        if digest != said["sha256"]:
            raise BackupProblem(f"{folder / name} is not what was written: take another copy")
    return manifest


async def restore(settings: Settings, folder: Path) -> dict[str, int]:
    """Put a copy into servers that hold nothing of Garonne; gives the number of lines by file.

    Raises:
        BackupProblem: the copy is damaged, or the event log is not empty, or divided otherwise.
        Unavailable: a server does not answer, or somebody is in the aggregator's group.
    """
    manifest = _checked(folder)
    kafka = _patient(settings.kafka)
    scan, topics = KafkaScan(kafka), sorted(set(TOPICS.values()))
    await ensure_topics(kafka, topics)
    ends = await scan.ends(topics)
    if full := sorted({topic for (topic, _), end in ends.items() if end}):
        raise BackupProblem(f"{', '.join(full)}: there are records already; restore into topics that are new")
    for topic, number in manifest["partitions"].items():
        if sum(each == topic for each, _ in ends) != number:
            raise BackupProblem(f"{topic} must have {number} partitions, as it had: make it anew")
    for topic in topics:
        await put_back(kafka, topic, _records(folder / f"{topic}.jsonl.gz"))
    async with InfluxStore(settings.influxdb) as store:
        for name in BUCKETS:
            await lines_back(store, name, _parts(folder / f"{name}.line.gz", _LINES))
    await put_group(kafka, {(topic, part): stands for topic, part, stands in manifest["group"] if stands})
    return {name: each["lines"] for name, each in manifest["files"].items()}


def _parts(path: Path, number: int) -> Iterator[list[bytes]]:
    with gzip.open(path, "rb") as file:
        while part := [each.rstrip(b"\n") for each in islice(file, number)]:
            yield part


def _records(path: Path) -> Iterator[Sequence[Copied]]:
    for part in _parts(path, _AT_ONCE):
        yield [
            Copied(place, offset, at_ms, _bytes(key), _bytes(value), [(k, b64decode(v)) for k, v in headers])
            for place, offset, at_ms, key, value, headers in map(json.loads, part)
        ]
