"""Keys and pseudonyms: where identifiers of homes, vehicles and people stop.

One secret file; a key of its own for each purpose is derived from it by HKDF-SHA256 (RFC 5869). A
pseudonym is HMAC-SHA256 cut to 64 bits. Rejected messages are sealed with AES-SIV (RFC 5297), which is
deterministic: a redelivered message gives the same bytes. After a rotation the file holds earlier secrets too (ADR
0036): what was sealed under them can be opened, and whose data are under an earlier pseudonym can be told.
"""

import hmac
import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import lru_cache
from pathlib import Path
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESSIV
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from services.ingest.keyring import Key, RingProblem, parse_ring

__all__ = ["KeyProblem", "Keys", "Pseudonyms", "keys_from", "read_keys"]

MINIMUM_BYTES: Final = 32
_PREFIX: Final = {
    "household": "h",
    "meter": "m",
    "device": "d",
    "vehicle": "v",
    "action": "a",
    "member": "p",
}


_KEPT: Final = ("household", "meter", "device", "member")
"""Whose pseudonyms a rotation can keep; those of vehicles and hazards are short-lived anyway."""


class KeyProblem(Exception):
    """The key file is missing, too short or readable by others; the text says what to do."""


class Keys:
    """The keys that one secret gives, one per purpose."""

    def __init__(self, secret: bytes, earlier: Sequence["Keys"] = (), *, keep: bool = False) -> None:
        """Derive them.

        Args:
            secret: of the newest key.
            earlier: the keys before it, the newest last.
            keep: homes, meters, devices and members keep the pseudonyms that they had under the key before, and
                messages their ids.

        Raises:
            KeyProblem: the secret is shorter than 32 bytes.
        """
        if len(secret) < MINIMUM_BYTES:
            message = f"the key has {len(secret)} bytes; it needs at least {MINIMUM_BYTES}"
            raise KeyProblem(message)
        self._secret = secret
        self._macs = {purpose: self._derive(purpose, 32) for purpose in _PREFIX}
        self.event_id = self._derive("event-id", 32)
        self._earlier = tuple(earlier)
        if keep and earlier:
            self._macs |= {purpose: earlier[-1]._macs[purpose] for purpose in _KEPT}  # noqa: SLF001 - of its own kind
            self.event_id = earlier[-1].event_id
        self._seal = AESSIV(self._derive("rejected", 64))

    def _derive(self, purpose: str, length: int) -> bytes:
        return HKDF(SHA256(), length, salt=None, info=b"garonne/1/" + purpose.encode()).derive(self._secret)

    def pseudonym(self, purpose: str, identifier: str) -> str:
        """A 64-bit keyed pseudonym with the letter of its purpose, such as `h_0f3a…`."""
        digest = hmac.digest(self._macs[purpose], identifier.encode(), "sha256")
        return f"{_PREFIX[purpose]}_{digest[:8].hex()}"

    def every_pseudonym(self, purpose: str, identifier: str) -> frozenset[str]:
        """The pseudonyms that something ever had: under this key and under all before it."""
        return frozenset(each.pseudonym(purpose, identifier) for each in (*self._earlier, self))

    def seal(self, topic: str, payload: bytes) -> bytes:
        """Encrypt topic and payload of a rejected message."""
        head = json.dumps(topic).encode()
        return self._seal.encrypt(len(head).to_bytes(4, "big") + head + payload, None)

    def unseal(self, sealed: bytes) -> tuple[str, bytes]:
        """Topic and payload of a rejected message, sealed under this key or one before it.

        Raises:
            KeyProblem: sealed under another key, or nothing is left of it.
        """
        if not sealed:
            raise KeyProblem("its household is forgotten: the bytes of this message are gone")
        clear = self._opened(sealed)
        if clear is None:
            raise KeyProblem("this message was sealed under another key")
        end = 4 + int.from_bytes(clear[:4], "big")
        return str(json.loads(clear[4:end])), clear[end:]

    def _opened(self, sealed: bytes) -> bytes | None:
        for each in (self, *reversed(self._earlier)):
            try:
                return each._seal.decrypt(sealed, None)  # noqa: SLF001 - of its own kind
            except InvalidTag:
                continue
        return None


class Pseudonyms:
    """The `Names` that profiles use, with the registry of households behind it."""

    def __init__(
        self, keys: Keys, households: Mapping[str, str] | None = None, meters: Mapping[str, str] | None = None
    ) -> None:
        """Set up.

        Args:
            keys: the derived keys.
            households: household id by device (`<family>:<identifier>`); a device that is not listed is a
                household of its own.
            meters: device by the other names that its meter has.
        """
        self._keys = keys
        self._meters = dict(meters or {})
        self._households = dict(households or {})
        self.household = lru_cache(maxsize=262_144)(self._household)
        self.meter = lru_cache(maxsize=262_144)(self._meter)
        self.device = lru_cache(maxsize=262_144)(self._device)
        self._station = lru_cache(maxsize=65_536)(self._vehicle_of_day)

    def _household(self, device: str) -> str:
        return self._keys.pseudonym("household", self._households.get(device, device))

    def _meter(self, device: str) -> str:
        return self._keys.pseudonym("meter", self._meters.get(device, device))

    def _device(self, device: str) -> str:
        return self._keys.pseudonym("device", device)

    def _vehicle_of_day(self, station_id: int, day: int) -> str:
        return self._keys.pseudonym("vehicle", f"{day}|{station_id}")

    def vehicle(self, station_id: int, at: datetime) -> str:
        """Pseudonym of a C-ITS station, another one each UTC day."""
        return self._station(station_id, int(at.timestamp() // 86_400))

    def action(self, station_id: int, sequence_number: int) -> str:
        """Pseudonym of a DENM action id."""
        return self._keys.pseudonym("action", f"{station_id}:{sequence_number}")

    def member(self, identifier: str) -> str:
        """Pseudonym of a panel member."""
        return self._keys.pseudonym("member", identifier)


def read_keys(path: Path) -> Keys:
    """Read the secret file.

    Raises:
        KeyProblem: missing, unreadable, readable by everybody, or too short.
    """
    advice = f"make one with: (umask 077; head -c 32 /dev/urandom > {path})"
    try:
        mode = path.stat().st_mode
        secret = path.read_bytes()
    except OSError as error:
        message = f"key file {path}: {error.strerror or error}; {advice}"
        raise KeyProblem(message) from error
    if mode & 0o007:
        message = f"key file {path}: everybody on this machine may read it; do: chmod 600 {path}"
        raise KeyProblem(message)
    try:
        return keys_from(parse_ring(secret))
    except (KeyProblem, RingProblem) as error:
        message = f"key file {path}: {error}; {advice}"
        raise KeyProblem(message) from None


def keys_from(ring: Sequence[Key]) -> Keys:
    """The newest key of a ring, with those before it.

    Raises:
        KeyProblem: a secret is too short.
    """
    made: list[Keys] = []
    for key in ring:
        made.append(Keys(key.secret, tuple(made), keep=key.mode == "keep"))
    return made[-1]
