"""Keys and pseudonyms: where identifiers of homes, vehicles and people stop.

One secret file; a key of its own for each purpose is derived from it by HKDF-SHA256 (RFC 5869). A
pseudonym is HMAC-SHA256 cut to 64 bits. Rejected messages are sealed with AES-SIV (RFC 5297), which is
deterministic: a redelivered message gives the same bytes.
"""

import hmac
import json
from collections.abc import Mapping
from datetime import datetime
from functools import lru_cache
from pathlib import Path
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESSIV
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

__all__ = ["KeyProblem", "Keys", "Pseudonyms", "read_keys"]

MINIMUM_BYTES: Final = 32
_PREFIX: Final = {
    "household": "h",
    "meter": "m",
    "device": "d",
    "vehicle": "v",
    "action": "a",
    "member": "p",
}


class KeyProblem(Exception):
    """The key file is missing, too short or readable by others; the text says what to do."""


class Keys:
    """The keys that one secret gives, one per purpose."""

    def __init__(self, secret: bytes) -> None:
        """Derive them.

        Raises:
            KeyProblem: the secret is shorter than 32 bytes.
        """
        if len(secret) < MINIMUM_BYTES:
            message = f"the key has {len(secret)} bytes; it needs at least {MINIMUM_BYTES}"
            raise KeyProblem(message)
        self._secret = secret
        self._macs = {purpose: self._derive(purpose, 32) for purpose in _PREFIX}
        self.event_id = self._derive("event-id", 32)
        self._seal = AESSIV(self._derive("rejected", 64))

    def _derive(self, purpose: str, length: int) -> bytes:
        return HKDF(SHA256(), length, salt=None, info=b"garonne/1/" + purpose.encode()).derive(self._secret)

    def pseudonym(self, purpose: str, identifier: str) -> str:
        """A 64-bit keyed pseudonym with the letter of its purpose, such as `h_0f3a…`."""
        digest = hmac.digest(self._macs[purpose], identifier.encode(), "sha256")
        return f"{_PREFIX[purpose]}_{digest[:8].hex()}"

    def seal(self, topic: str, payload: bytes) -> bytes:
        """Encrypt topic and payload of a rejected message."""
        head = json.dumps(topic).encode()
        return self._seal.encrypt(len(head).to_bytes(4, "big") + head + payload, None)

    def unseal(self, sealed: bytes) -> tuple[str, bytes]:
        """Topic and payload of a rejected message.

        Raises:
            KeyProblem: sealed under another key.
        """
        try:
            clear = self._seal.decrypt(sealed, None)
        except InvalidTag as error:
            message = "this message was sealed under another key"
            raise KeyProblem(message) from error
        end = 4 + int.from_bytes(clear[:4], "big")
        return str(json.loads(clear[4:end])), clear[end:]


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
        return Keys(secret)
    except KeyProblem as error:
        message = f"key file {path}: {error}; {advice}"
        raise KeyProblem(message) from None
