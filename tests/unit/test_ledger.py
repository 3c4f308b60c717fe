"""The ledger says what became of each message, names it, and certifies only what is certainly stored."""

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from schemas.codec import decode
from schemas.ledger import LedgerEntry
from services.ingest.ledger import Ledger
from services.ingest.normalise import Outcome
from services.ingest.ports import Delivery, Outgoing
from services.ingest.profiles import Ignored, Message
from tests.fakes import counting_normaliser, payload, poison

_AT = datetime(2026, 1, 12, 7, 59, tzinfo=UTC)
_DEVICE = "d_0000000000000000"


def _deliveries(payloads: list[bytes], at: datetime = _AT) -> list[Delivery]:
    return [Delivery(Message("counting/one", each, at), 1, i, i) for i, each in enumerate(payloads)]


def _entry(outgoing: Outgoing) -> LedgerEntry:
    record = decode(outgoing.value).record
    assert isinstance(record, LedgerEntry)
    return record


def _taken(ledger: Ledger, deliveries: list[Delivery]) -> list[Outgoing]:
    normaliser = counting_normaliser()
    return ledger.entries(deliveries, [normaliser(each.message) for each in deliveries])


@given(st.lists(st.sampled_from((payload(1), payload(2), poison(3))), min_size=1))
def test_every_message_has_one_end_and_a_name(payloads: list[bytes]) -> None:
    """Received = normalised + rejected + ignored, and half of each event id."""
    deliveries = _deliveries(payloads)
    (written,) = _taken(Ledger(_DEVICE), deliveries)
    entry, normaliser = _entry(written), counting_normaliser()
    (account,) = entry.accounts
    refused = sum(each.startswith(b"poison") for each in payloads)
    assert (account.received, account.rejected) == (len(payloads), refused)
    assert account.received == account.normalised + account.rejected + sum(account.ignored.values())
    ids = [event.id for each in deliveries for event in normaliser(each.message).events]
    assert [entry.prints[i : i + 8].hex() for i in range(0, len(entry.prints), 8)] == [each[:16] for each in ids]


def test_what_a_rule_ignores_is_counted_under_its_name() -> None:
    """An ignored message has no event, and so no print."""
    deliveries = _deliveries([b"a", b"b"])
    (written,) = Ledger(_DEVICE).entries(deliveries, [Outcome("counting", ignored=Ignored("echo"))] * 2)
    entry = _entry(written)
    assert entry.accounts[0].ignored == {"echo": 2}
    assert entry.prints == b""


def test_a_batch_over_a_full_hour_is_two_entries() -> None:
    """So that an audit of whole hours is exact."""
    deliveries = [*_deliveries([payload(1)]), *_deliveries([payload(2), payload(3)], _AT + timedelta(minutes=1))]
    entries = [_entry(each) for each in _taken(Ledger(_DEVICE), deliveries)]
    assert [(each.observed_at.hour, each.accounts[0].received) for each in entries] == [(7, 1), (8, 2)]
    assert [each.stored_before for each in entries] == [0, 0], "neither certifies the other: they are sent together"


def test_only_what_is_stored_is_certified_whatever_the_order() -> None:
    """A batch that waits holds back the certificate of those after it."""
    ledger = Ledger(_DEVICE)
    batches = [_taken(ledger, _deliveries([payload(number)])) for number in range(3)]
    ledger.stored(batches[1])
    ledger.stored(batches[2])
    assert _entry(_taken(ledger, _deliveries([payload(3)]))[0]).stored_before == 0
    ledger.stored(batches[0])
    assert _entry(_taken(ledger, _deliveries([payload(4)]))[0]).stored_before == 3


def test_two_lives_of_a_process_never_write_the_same_entry() -> None:
    """Entries are summed by id: a restart must not begin with ids that are taken."""
    first, second = (decode(_taken(Ledger(_DEVICE), _deliveries([payload(1)]))[0].value).id for _ in range(2))
    assert first != second
