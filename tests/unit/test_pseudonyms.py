"""Identifiers stop here: keyed pseudonyms, one key per purpose, sealed rejects."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from services.ingest.pseudonyms import KeyProblem, Keys, Pseudonyms, read_keys

KEYS = Keys(bytes(32))
OTHER = Keys(b"\x01" * 32)


def test_a_pseudonym_depends_on_key_and_purpose() -> None:
    """Without the key nobody can make it; the same identifier differs between purposes."""
    assert KEYS.pseudonym("meter", "041876000103") != OTHER.pseudonym("meter", "041876000103")
    assert KEYS.pseudonym("meter", "041876000103")[1:] != KEYS.pseudonym("household", "041876000103")[1:]
    assert KEYS.pseudonym("meter", "041876000103") == Keys(bytes(32)).pseudonym("meter", "041876000103")


def test_a_leading_zero_makes_another_meter() -> None:
    """Identifiers are text."""
    assert KEYS.pseudonym("meter", "041876000103") != KEYS.pseudonym("meter", "41876000103")


def test_devices_of_one_household_share_its_pseudonym() -> None:
    """The registry joins the meters of a home; an unlisted device is a home of its own."""
    names = Pseudonyms(KEYS, {"linky:1": "famille-1", "tasmota:pv": "famille-1"})
    assert names.household("linky:1") == names.household("tasmota:pv") == KEYS.pseudonym("household", "famille-1")
    assert names.household("linky:2") == KEYS.pseudonym("household", "linky:2")
    assert names.meter("linky:1") != names.meter("tasmota:pv")


def test_two_names_of_a_meter_are_one_meter() -> None:
    """The number of a delivery point, and that of its gateway: where the registry says so, and nowhere else."""
    names = Pseudonyms(KEYS, {}, {"enedis_csv:1": "linky:9"})
    assert names.meter("enedis_csv:1") == names.meter("linky:9") == KEYS.pseudonym("meter", "linky:9")
    assert names.meter("enedis_csv:2") == KEYS.pseudonym("meter", "enedis_csv:2")


def test_a_vehicle_has_another_pseudonym_each_day() -> None:
    """Trips of different days cannot be joined."""
    names = Pseudonyms(KEYS)
    morning, evening = datetime(2026, 10, 5, 8, tzinfo=UTC), datetime(2026, 10, 5, 20, tzinfo=UTC)
    assert names.vehicle(555, morning) == names.vehicle(555, evening)
    assert names.vehicle(555, morning) != names.vehicle(555, datetime(2026, 10, 6, tzinfo=UTC))


def test_a_sealed_message_opens_under_its_key_alone() -> None:
    """Rejected messages keep topic and bytes, and hide both; sealing again gives the same bytes."""
    sealed = KEYS.seal("teleinfo/041876000103", b"\x00garbage")
    assert b"041876000103" not in sealed
    assert sealed == KEYS.seal("teleinfo/041876000103", b"\x00garbage")
    assert KEYS.unseal(sealed) == ("teleinfo/041876000103", b"\x00garbage")
    with pytest.raises(KeyProblem, match="another key"):
        OTHER.unseal(sealed)


def test_a_missing_short_or_open_key_file_is_refused_with_advice(tmp_path: Path) -> None:
    """Each error says what to do."""
    with pytest.raises(KeyProblem, match="make one with"):
        read_keys(tmp_path / "none")
    short = tmp_path / "short"
    short.write_bytes(b"x" * 31)
    short.chmod(0o600)
    with pytest.raises(KeyProblem, match="at least 32"):
        read_keys(short)
    everybodys = tmp_path / "open"
    everybodys.write_bytes(b"x" * 32)
    everybodys.chmod(0o644)
    with pytest.raises(KeyProblem, match="chmod 600"):
        read_keys(everybodys)
    everybodys.chmod(0o600)
    assert read_keys(everybodys).pseudonym("meter", "1").startswith("m_")
