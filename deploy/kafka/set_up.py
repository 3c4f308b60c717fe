"""Set Kafka up: our topics with their retention, and who may do what with them. Safe to run again.

What is there is left, what is missing is made, and a right of our users that does not stand here is taken back.

| user | may |
| --- | --- |
| ingest | write to all topics |
| aggregator | read all but rejected and ledger, commit in its group, write rejected points and what it uses itself |
| auditor | read all topics and where the group stands: `garonne audit`, `garonne rebuild --check` |
| operator | the same, write, and see how long topics keep what: `garonne rejected replay`, `forget`, `doctor` |

Nobody but the broker's own user makes or deletes a topic.
"""

# ruff: noqa: INP001, T201 - a script of its own that says what it does

import asyncio
import os
import sys
import time
from itertools import product
from pathlib import Path
from typing import Any, Final, NamedTuple

from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import KafkaError
from aiokafka.protocol.admin import CreateAclsRequest, DeleteAclsRequest, DescribeAclsRequest

from schemas.envelope import TOPICS
from services.runtime.kafka import connection_options, ensure_topics
from services.runtime.settings import ConfigurationProblem, KafkaSettings, read_settings

ALL: Final = tuple(sorted(set(TOPICS.values())))
REJECTED: Final = "garonne.rejected"
LEDGER: Final = "garonne.ledger"
STATUS: Final = "garonne.status"
"""Where each process tells what it uses, once an hour."""
USERS: Final = ("ingest", "aggregator", "auditor", "operator")
_TOPIC, _GROUP = 2, 3
_READ, _WRITE, _DESCRIBE, _DESCRIBE_CONFIGS = 3, 4, 8, 10
_ANY, _LITERAL, _ALLOW = 1, 3, 3
_PATIENCE_S: Final = 120.0


class Right(NamedTuple):
    """A user may do one thing with one topic or group; numbers as in Kafka's protocol."""

    user: str
    kind: int
    name: str
    operation: int

    def request(self) -> tuple[int, str, int, str, str, int, int]:
        """As the protocol has it: from any host, this very name."""
        return self.kind, self.name, _LITERAL, f"User:{self.user}", "*", self.operation, _ALLOW


def rights(group: str) -> set[Right]:
    """Everything that is allowed."""
    stored = tuple(each for each in ALL if each not in {REJECTED, LEDGER})
    return {
        *(Right("ingest", _TOPIC, *each) for each in product(ALL, (_WRITE, _DESCRIBE))),
        *(Right("aggregator", _TOPIC, *each) for each in product(stored, (_READ, _DESCRIBE))),
        *(Right("aggregator", _TOPIC, REJECTED, each) for each in (_WRITE, _DESCRIBE)),
        Right("aggregator", _TOPIC, STATUS, _WRITE),
        *(Right("aggregator", _GROUP, group, each) for each in (_READ, _DESCRIBE)),
        *(Right("auditor", _TOPIC, *each) for each in product(ALL, (_READ, _DESCRIBE))),
        *(Right("operator", _TOPIC, *each) for each in product(ALL, (_READ, _WRITE, _DESCRIBE, _DESCRIBE_CONFIGS))),
        *(Right(user, _GROUP, group, _DESCRIBE) for user in ("auditor", "operator")),
    }


async def known(admin: AIOKafkaAdminClient) -> set[Right]:
    """What our users may now.

    Raises:
        KafkaError: it is not told.
    """
    answer = await _ask(admin, DescribeAclsRequest(_ANY, None, _ANY, None, None, _ANY, _ANY))
    _check(answer.error_code, answer.error_message)
    return {
        Right(principal.removeprefix("User:"), kind, name, operation)
        for kind, name, pattern, entries in answer.resources
        for principal, host, operation, permission in entries
        if principal.removeprefix("User:") in USERS and (pattern, host, permission) == (_LITERAL, "*", _ALLOW)
    }


async def set_up(settings: KafkaSettings) -> None:
    """Topics, then rights.

    Raises:
        KafkaError, OSError: Kafka does not answer, or refuses.
    """
    await ensure_topics(settings, TOPICS.values())
    admin = AIOKafkaAdminClient(**connection_options(settings))
    try:
        await admin.start()
        wanted, there = rights(settings.group), await known(admin)
        for right in sorted(wanted - there):
            answer = await _ask(admin, CreateAclsRequest(*right.request()))
            for code, text in answer.creation_responses:
                _check(code, text)
            print(f"allowed {right.user}: {right.name} {right.operation}")
        for right in sorted(there - wanted):
            answer = await _ask(admin, DeleteAclsRequest(*right.request()))
            for code, text, _ in answer.filter_responses:
                _check(code, text)
            print(f"took from {right.user}: {right.name} {right.operation}")
    finally:
        await admin.close()


async def _ask(admin: AIOKafkaAdminClient, request: Any) -> Any:
    return await admin._send_request(request)  # noqa: SLF001 - aiokafka knows these requests and has no words for them


def _check(code: int, text: str | None) -> None:
    if code:
        raise KafkaError(f"Kafka refuses with {code}: {text}")


def main() -> None:
    """The command."""
    file = os.environ.get("GARONNE_CONFIG")
    deadline = time.monotonic() + _PATIENCE_S
    try:
        settings = read_settings(None if file is None else Path(file)).kafka
    except ConfigurationProblem as problem:
        sys.exit(f"set-up: {problem}")
    while True:
        try:
            asyncio.run(set_up(settings))
        except (KafkaError, OSError) as problem:
            if time.monotonic() > deadline:
                sys.exit(f"set-up: Kafka at {settings.bootstrap}: {problem}")
            time.sleep(1)
        else:
            break
    print("Kafka is set up")


if __name__ == "__main__":
    main()
