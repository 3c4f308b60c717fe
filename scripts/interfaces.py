"""Reference pages of what others meet from outside: topics of MQTT and Kafka, and the commands."""

from collections.abc import Iterator
from typing import Any, Final

import typer

from schemas.envelope import KEYS, TOPICS
from services.cli import app
from services.ingest.profiles import discover
from services.runtime.kafka import RECORD_BYTES, _limits
from services.runtime.settings import KafkaSettings

__all__ = ["commands_page", "topics_page"]

_NOTE: Final = "<!-- Written by scripts/generate from the code; do not edit. -->\n"


def topics_page() -> str:
    """What is subscribed to at the broker, and what stands in the event log."""
    mqtt = "".join(
        f"| [`{name}`](../../services/ingest/profiles/{name}/README.md) "
        f"| {' '.join(f'`{one}`' for one in each.topics)} |\n"
        for name, each in discover().items()
    )
    kafka = "".join(_topic_row(topic) for topic in sorted(set(TOPICS.values())))
    kinds = "".join(f"| `{kind}` | `{topic}` | `{KEYS[kind]}` |\n" for kind, topic in TOPICS.items())
    return (
        f"{_NOTE}# Topics\n\n## MQTT\n\nIngest subscribes at QoS 1 to the filters of every enabled profile; "
        "`profiles.<name>.topics` of the [configuration](configuration.md) replaces them, `mqtt.share_group` makes the "
        "subscription a shared one. Who may publish where is for the broker: "
        "[deploy/mosquitto/acl](../../deploy/mosquitto/acl).\n\n"
        f"| profile | filters |\n| --- | --- |\n{mqtt}\n"
        "## Kafka\n\nMade by Garonne where they are missing, with these defaults; `kafka.retention_days` and "
        "`kafka.vehicle_retention_h` change them for topics that are made afterwards, as do `kafka.partitions` and "
        "`kafka.replication`: `min.insync.replicas` is one less than the copies, so one broker may be away, and what "
        "is acknowledged survives one more. None is compacted ([why](../adr/0022-erasure.md)). "
        "Who may read and write is in [deploy/kafka/set_up.py](../../deploy/kafka/set_up.py).\n\n"
        f"| topic | partitions | kept | records |\n| --- | --- | --- | --- |\n{kafka}\n"
        f"A record has {RECORD_BYTES // 1024 // 1024} MiB at most. Its key decides its partition: what must stay "
        "in order stays together. Its time is when the message was received.\n\n"
        f"| record | topic | key |\n| --- | --- | --- |\n{kinds}\n"
        "Fields of each record: [records](records.md). As AsyncAPI 3: "
        "[schemas/asyncapi.json](../../schemas/asyncapi.json).\n"
    )


def _topic_row(topic: str) -> str:
    hours = int(_limits(KafkaSettings(), topic)["retention.ms"]) // 3_600_000
    kept = f"{hours // 24} days" if hours % 24 == 0 else f"{hours} h"
    kinds = ", ".join(f"`{kind}`" for kind, each in TOPICS.items() if each == topic)
    return f"| `{topic}` | {KafkaSettings().partitions} | {kept} | {kinds} |\n"


def commands_page() -> str:
    """Every command with its help and its options."""
    group: Any = typer.main.get_command(app)
    return (
        f"{_NOTE}# Commands\n\n`garonne --help` and `garonne COMMAND --help` say the same. A command that finds "
        "something wrong exits with 1 and says what, where, and what to do.\n" + "".join(_commands(group, "garonne", 2))
    )


def _commands(group: Any, path: str, depth: int) -> Iterator[str]:
    for name in sorted(group.commands):
        command, full = group.commands[name], f"{path} {name}"
        yield f"\n{'#' * depth} `{full}`\n\n{(command.help or '').strip()}\n"
        if hasattr(command, "commands"):
            yield from _commands(command, full, depth + 1)
            continue
        rows = "".join(_parameter(each) for each in command.params if each.name != "help")
        if rows:
            yield f"\n| option | meaning |\n| --- | --- |\n{rows}"


def _parameter(parameter: Any) -> str:
    """A row; defaults that say nothing (none, off, empty) are left out."""
    argument = parameter.param_type_name == "argument"
    name = (
        f"`{parameter.name.upper()}`"
        if argument
        else ", ".join(f"`{each}`" for each in (*parameter.opts, *parameter.secondary_opts))
    )
    meaning = (parameter.help or "").replace("|", "\\|").replace("\n", " ")
    default = getattr(parameter.default, "value", parameter.default)
    if isinstance(default, (str, int, float)) and not isinstance(default, bool) and str(default):
        meaning += f" Default: `{default}`."
    return f"| {name} | {meaning}{' Required.' if parameter.required else ''} |\n"
