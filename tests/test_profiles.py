"""Golden cases: each profile reads each of its messages exactly as written down."""

import pytest

from services.ingest.profiles import discover
from tests.cases import PROFILES, Case, expectation, find_cases, update

CASES = find_cases()


@pytest.mark.parametrize("case", CASES, ids=str)
def test_a_message_is_read_as_written_down(case: Case, request: pytest.FixtureRequest) -> None:
    """The events, or the refusal, are byte for byte those of the expectation file."""
    if request.config.getoption("--update-cases"):
        update(case)
    name, text = expectation(case)
    written = sorted(path.name for path in case.folder.glob("expected.*"))
    assert written == [name], f"{case.folder}: the outcome belongs in {name}; see pytest --update-cases"
    assert text == (case.folder / name).read_text(), f"{case.folder / name}: see pytest --update-cases"


@pytest.mark.parametrize("case", CASES, ids=str)
def test_a_case_is_read_by_its_own_profile(case: Case) -> None:
    """Where several profiles share a topic, the right one takes the message."""
    assert case.run().profile == case.profile


@pytest.mark.parametrize("name", sorted(discover()))
def test_a_profile_has_a_page_and_cases_of_both_kinds(name: str) -> None:
    """A README, at least one message that is read and one that is refused."""
    folder = PROFILES / name
    assert (folder / "README.md").is_file(), f"{name}: has no README.md"
    assert list(folder.glob("testcases/*/expected.jsonl")), f"{name}: no case is read"
    assert list(folder.glob("testcases/*/expected.err")), f"{name}: no case is refused"
