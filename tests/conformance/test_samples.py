"""Every sample of a family that has a profile is read as its facts say."""

import importlib
import os
from collections.abc import Callable, Sequence
from functools import cache
from typing import Any

import pytest

from schemas.codec import encode
from schemas.envelope import Event
from services.ingest.normalise import Outcome
from services.ingest.profiles import Message, Names, discover
from tests.cases import NAMES
from tests.conformance import energy, sparkplug
from tests.conformance.cases import Case, families, find_cases, missing_folder

Check = Callable[[dict[str, Any], Sequence[Event], Names], str | None]
CASES = [case for case in find_cases() if case.has_profile]
IDENTIFIERS = ("meter_id", "delivery_point", "network_name")
NO_READING = ("parse as a reading", "store it as energy")


def test_the_samples_are_there() -> None:
    """Without samples nothing is proven: an error in CI, a note elsewhere."""
    problem = missing_folder()
    if problem and os.environ.get("CI") == "true":
        pytest.fail(problem)
    if problem:
        pytest.skip(problem)
    assert families()


def test_families_without_a_profile_are_listed(record_property: Callable[[str, object], None]) -> None:
    """What cannot be read yet is said aloud, and never counted as passed."""
    missing = {name: count for name, count in families().items() if name not in discover()}
    record_property("families without a profile", ", ".join(f"{name} ({count})" for name, count in missing.items()))
    assert not set(missing) & set(discover())
    assert {case.family for case in CASES} | set(missing) == set(families())


@pytest.mark.parametrize("case", CASES, ids=str)
def test_a_sample_is_read_as_its_facts_say(case: Case) -> None:
    """Each fact holds; a message that must be refused is refused, and no other is; no identifier leaks."""
    outcomes = case.run()
    problems = [*_outcome_problems(case, outcomes), *_leaks(case, outcomes)]
    for fact in case.facts:
        problem = _check_fact(case, fact, outcomes)
        if problem:
            problems.append(f"{fact['quantity']} {fact.get('register', '')} ({fact.get('field', '')!s}): {problem}")
    assert not problems, f"{case}:\n  " + "\n  ".join(problems)


def _check_fact(case: Case, fact: dict[str, Any], outcomes: Sequence[Outcome]) -> str | None:
    if fact["quantity"] in sparkplug.QUANTITIES:
        return sparkplug.check(fact, case.messages)
    about = outcomes if fact.get("event") is None else [outcomes[fact["event"]]]
    problem = _checker(case.domain)(fact, [event for outcome in about for event in outcome.events], NAMES)
    if problem and fact["quantity"] == "meter_id" and _identity_is_the_topic(case, str(fact["value"]), outcomes):
        return None
    return problem


@cache
def _checker(domain: str) -> Check:
    if domain == "meters":
        return energy.check
    check: Check = importlib.import_module("tests.conformance.mobility").check
    return check


def _meters(outcomes: Sequence[Outcome]) -> set[str]:
    return {meter for o in outcomes for event in o.events if (meter := getattr(event.record, "meter", None))}


def _identity_is_the_topic(case: Case, identifier: str, outcomes: Sequence[Outcome]) -> bool:
    """Whether the same message with another meter number is of the same meter: then the topic names it."""
    other = identifier[:-1] + ("0" if identifier[-1] != "0" else "1")
    changed = [
        Message(each.topic, each.payload.replace(identifier.encode(), other.encode()), each.received_at, each.retained)
        for each in case.messages
    ]
    meters = _meters(outcomes)
    return bool(meters) and _meters(case.run(changed)) == meters


def _outcome_problems(case: Case, outcomes: Sequence[Outcome]) -> list[str]:
    refused = [outcome.rejected for outcome in outcomes if outcome.rejected]
    if "expect_error" in case.described:
        in_part = bool(case.described.get("negative_groups")) or len(outcomes) > 1
        return [] if refused or in_part else [f"must be refused: {case.described['expect_error']}"]
    problems = [f"refused: {each.stage} {each.reason}: {each.detail}" for each in refused]
    forbidden = {mistake for fact in case.facts for mistake in fact.get("must_not", ())}
    if forbidden & set(NO_READING) and len(outcomes) == 1 and _registers(outcomes):
        problems.append("must not hold a register")
    return problems


def _registers(outcomes: Sequence[Outcome]) -> bool:
    return any(getattr(event.record, "registers", ()) for outcome in outcomes for event in outcome.events)


def _leaks(case: Case, outcomes: Sequence[Outcome]) -> list[str]:
    encoded = b"\n".join(encode(event) for outcome in outcomes for event in outcome.events)
    return [
        f"{fact['quantity']}: the raw identifier is in an event"
        for fact in case.facts
        if fact["quantity"] in IDENTIFIERS and fact["value"] and str(fact["value"]).encode() in encoded
    ]
