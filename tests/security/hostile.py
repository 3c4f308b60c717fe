"""Messages that somebody made to harm, without end: golden messages that were cut, spliced and inflated, and bombs.

Made to be cheap, because millions of them are wanted: `hypothesis` finds smaller examples, this finds rarer ones.
"""

import random
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Final

from services.ingest.profiles import Message
from tests.cases import find_cases

__all__ = ["BOMBS", "hostile_messages"]

_AT: Final = datetime(2026, 10, 25, 0, 30, tzinfo=UTC)
_DEEP: Final = 20_000
BOMBS: Final = (
    b"9" * 100_000,
    b"[" * _DEEP,
    b"[" * _DEEP + b"]" * _DEEP,
    b'{"a":' * _DEEP,
    b"\x9f" * _DEEP,
    b"\x81" * _DEEP,
    b"\xd8\x40" * _DEEP,
    b"\x1f\x8b\x08" + bytes(1000),
    b"[" + b"{}," * 40_000 + b"{}]",
    bytes(300_000),
)
"""Long numbers, deep nesting in JSON, CBOR and protocol buffers, compressed bytes, very many parts, too many bytes."""
_TOKENS: Final = (
    *(b"NaN", b"Infinity", b"-Infinity", b"1e999", b"-0", b"1e-400", b"null", b"true", b'""', b"[]", b"{}"),
    *(b"18446744073709551616", b"-9223372036854775809", b"9" * 400, b'"\\ud800"', b"\xff\xfe", b"\x00", b"\xc0\xaf"),
    *(b'"__proto__":{"a":1},', b'"constructor":1,', b'"Time":"0000-00-00T00:00:00",', b"99999999999999", b"\r\n"),
    *(b"../../etc/passwd", b"=cmd|' /C calc'!A0", b"<script>", b"a,b=c d=1i 9\n", b"' OR '1'='1", b"\x1b[2J", b"%00"),
)
_LEVELS: Final = ("..", "", "+x", "$SYS", "a" * 300, "\u202egnp", "tele", "status", "a b,c=d", "%u", "0", "é", "\x7f")
_BOMB_EVERY: Final = 5000
_TOPIC_EVERY: Final = 12


def hostile_messages(seed: int) -> Iterator[Message]:
    """Messages for ever, the same for the same seed; each 5,000th is a bomb, in turn."""
    chance = random.Random(seed)  # noqa: S311 - examples, no secrets
    golden = [(case.message.topic, case.message.payload, case.message.received_at) for case in find_cases()]
    number = 0
    while True:
        number += 1
        topic, payload, received_at = chance.choice(golden)
        if number % _BOMB_EVERY == 0:
            yield Message(topic, BOMBS[number // _BOMB_EVERY % len(BOMBS)], received_at)
            continue
        changed = bytearray(payload)
        for _ in range(chance.randrange(4)):
            _damage(changed, chance, golden)
        if number % _TOPIC_EVERY == 0:
            topic = _twisted(topic, chance)
        at = received_at if chance.random() < 0.9 else _AT + timedelta(seconds=chance.randrange(-(10**8), 10**8))
        yield Message(topic, bytes(changed), at, retained=chance.random() < 0.05)


def _damage(payload: bytearray, chance: random.Random, golden: list[tuple[str, bytes, datetime]]) -> None:
    place = chance.randrange(len(payload) + 1)
    match chance.randrange(6):
        case 0:
            del payload[place:]
        case 1 if payload:
            payload[place % len(payload)] = chance.randrange(256)
        case 2:
            payload[place:place] = chance.choice(_TOKENS)
        case 3:
            end = place + chance.randrange(12)
            payload[place:end] = chance.choice(_TOKENS)
        case 4:
            other = chance.choice(golden)[1]
            payload[place:] = other[chance.randrange(len(other) + 1) :]
        case _:
            end = place + chance.randrange(40)
            payload[place:place] = payload[place:end] * chance.randrange(1, 4)


def _twisted(topic: str, chance: random.Random) -> str:
    levels = topic.split("/")
    place = chance.randrange(len(levels))
    match chance.randrange(3):
        case 0:
            levels[place] = chance.choice(_LEVELS)
        case 1:
            levels.insert(place, chance.choice(_LEVELS))
        case _:
            del levels[place]
    return "/".join(levels)
